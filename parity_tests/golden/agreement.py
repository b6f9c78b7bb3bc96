"""How closely torch_ref reproduces the golden cases; `python -m parity_tests.golden.agreement` writes reports/golden.md."""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from parity_tests.golden.cases import BESIDE, OFFICIAL, TRAINING, Case, is_there, load_case
from parity_tests.golden.training import train, training_shares
from port.files import write_text
from port.parity.probe import Probe
from torch_ref.ttvsr import TTVSR

REPORT = Path(__file__).parents[2] / "reports" / "golden.md"


class Keep(Probe):
    """Keeps every named value by step and name."""

    def __init__(self):
        self.values, self.label = {}, ""

    def step(self, label):
        self.label = label

    def __call__(self, name, value):
        self.values[f"{self.label}.{name}"] = value.detach().numpy().copy()
        return value

    decide = __call__


@dataclass
class Agreement:
    """One kind of value of one case: how many tensors, the largest error, the error allowed; for choices those that differ."""

    kind: str
    tensors: int = 0
    elements: int = 0
    max_abs: float = 0.0
    differing: int = 0
    allowed: float | None = None


def run_reference(case: Case, dtype: torch.dtype = torch.float32) -> tuple[np.ndarray, Keep]:
    """The output (n, t, 3, 4h, 4w) of torch_ref on a case, and what it showed on the way."""
    net = TTVSR(num_blocks=case.num_blocks, keyframe_stride=case.keyframe_stride).eval()
    net.load_state_dict({name: torch.from_numpy(array) for name, array in case.weights().items()}, strict=True)
    keep, frames = Keep(), torch.from_numpy(case.frames()).to(dtype)
    net.to(dtype).watch(keep)
    before_upsampling = net.upsample1.register_forward_pre_hook(
        lambda _, args: keep.values.__setitem__(f"fused.{keep.label.removeprefix('up.')}", args[0].numpy().copy())
    )
    with torch.inference_mode():
        output = net(frames).numpy()
        keep.values["feat_extractor"] = net.feat_extractor(frames.flatten(0, 1)).numpy()
    before_upsampling.remove()
    return output, keep


def measure(case: Case) -> dict[str, Agreement]:
    """Compare everything a case holds; nothing stored is left out (an unknown name is an error). -> by kind"""
    output, keep = run_reference(case)
    found: dict[str, Agreement] = {}
    for name, golden in case.tensors.items():
        if name.startswith(("input", "gt_", "grad.")):
            continue
        kind = kind_of(name)
        value = pick(name, case, output, keep.values).astype(np.float64)
        assert value.shape == golden.shape, f"{case.name}: {name} has shape {value.shape}, golden {golden.shape}"
        row = found.setdefault(kind, Agreement(kind))
        row.tensors, row.elements = row.tensors + 1, row.elements + golden.size
        row.max_abs = max(row.max_abs, float(np.abs(value - golden).max()))
        row.differing += int((value != golden).sum())
        if kind not in ("location", "argmax"):
            row.allowed = case.allowed(kind)
    return found


def kind_of(name: str) -> str:
    """`corr_soft` of `bwd.03.corr_soft`, `output` of `output_frame.05`, `fused` of `fused_c4.02`."""
    parts = [part for part in name.split(".") if not part.isdigit() and part not in ("bwd", "fwd")]
    kind = parts[0].removesuffix("_c4")
    return "output" if kind.startswith("output") else kind


def pick(name: str, case: Case, output: np.ndarray, values: dict[str, np.ndarray]) -> np.ndarray:
    """What torch_ref has for a golden tensor, in its layout."""
    if name.startswith("output_frame."):
        return output[:, int(name.split(".")[1])]
    if name == "output":
        return output
    if name.startswith("output_crop"):
        y, x = case.about[f"{name}_origin_yx"]
        side = case.tensors[name].shape[-1]
        return output[..., y : y + side, x : x + side]
    if name.startswith("flows_"):
        return values[f"flows.{name}"]
    if name.endswith(".corr"):  # stored (n, tokens, keyframes), computed (n, keyframes, tokens)
        return values[name].swapaxes(1, 2)
    if name.endswith((".argmax", ".corr_soft")):
        return values[name].reshape(case.tensors[name].shape)
    if "_c4" in name:
        return values[name.replace("_c4", "")][:, ::4]
    return values[name]


def table(names: list[str]) -> str:
    """Markdown: one row per case and kind."""
    lines = [
        "# torch_ref against the official TTVSR network",
        "",
        "Largest absolute error over all stored tensors of a kind, and the error allowed: ten times the official network's own",
        "float32 error against float64 (the golden README's derivation). Choices (location maps, arg-max): how many differ.",
        "Made by `python -m parity_tests.golden.agreement`; cases other than the synthetic ones need ../shared/golden.",
        "",
        "| case | value | tensors | elements | max error | allowed |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for name in names:
        for row in measure(load_case(name)).values():
            figure = f"{row.max_abs:.2e} | {row.allowed:.1e}" if row.allowed else f"{row.differing} differ | 0"
            lines.append(f"| {name} | {row.kind} | {row.tensors} | {row.elements:,} | {figure} |")
        print(name, file=sys.stderr)
    return "\n".join(lines) + "\n"


def training_table(names: list[str]) -> str:
    """Markdown: the worst of losses, gradients and updates of five Adam steps, each as a share of what is allowed."""
    lines = [
        "",
        "Five steps of Adam. Allowed: losses 10 times, gradients 5 times, update norms 10 times the official network's float32",
        "error against float64, per loss and per parameter (the first loss at least 1e-7).",
        "",
        "| case | compared | worst | of what is allowed |",
        "|---|---:|---|---:|",
    ]
    for name in names:
        case = load_case(name)
        for what, (count, worst, share) in training_shares(case, *train(case)).items():
            lines.append(f"| {name} | {count} {what} | {worst} | {share:.0%} |")
        print(name, file=sys.stderr)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    forward = table([name for name in OFFICIAL + BESIDE if is_there(name)])
    write_text(REPORT, forward + training_table([name for name in TRAINING if is_there(name)]))
    print(REPORT)
