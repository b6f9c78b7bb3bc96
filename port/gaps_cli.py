"""The verb `gaps`: measure the known kernels on this installation and say what differs from the table."""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rich.table import Table

from port import console
from port.errors import PARITY_FAILED, PASSED, PortError
from port.parity.kernel_gaps import Gap, load
from port.parity.kernels import KERNELS
from port.parity.measure import EPS32, rms
from port.parity.pair_start import surroundings
from port.weights import tensors_file

CHANGED = 1.25  # a figure that is so many times the table's, or the table's so many times it, has changed


def add_verb(verbs, epilog: str) -> None:
    """`gaps`."""
    gaps = verbs.add_parser("gaps", help="measure MindSpore's known kernel gaps on this installation", epilog=epilog)
    gaps.add_argument("--device", default="cpu", choices=("cpu", "ascend"), help="where MindSpore runs")
    gaps.add_argument("--json", action="store_true", help="print the figures as data")
    gaps.add_argument("--debug", action="store_true", help="show tracebacks")


def run_gaps(args: argparse.Namespace) -> int:
    """-> 0 where everything is as the table says, 1 where something has changed"""
    with tempfile.TemporaryDirectory(prefix="port-gaps-") as temporary:
        version, device, made = measure(Path(temporary), args.device)
    rows = compare(made, [gap for gap in load() if gap.applies({"version": version, "device": device})])
    if args.json:
        console.print_json({"version": version, "device": device, "gaps": rows})
    else:
        show(version, device, rows)
    return PARITY_FAILED if any(row["change"] for row in rows) else PASSED


def probe() -> dict[str, np.ndarray]:
    """The inputs by operator, and the directions of gradients as NAME@grad. Always the same."""
    rng = np.random.default_rng(0)
    line = np.linspace(-8, 8, 4001).astype(np.float32)
    pictures = rng.standard_normal((2, 3, 13, 12)).astype(np.float32)
    direction = rng.standard_normal((2, 3, 30, 26)).astype(np.float32)
    made = dict.fromkeys(("tanh", "mish", "exp", "sigmoid"), line)
    made |= {f"{name}@grad": np.ones_like(line) for name in ("tanh", "mish")}
    for corners in (True, False):
        made |= {f"bicubic, align_corners={corners}": pictures, f"bicubic, align_corners={corners}@grad": direction}
    made["softmax"] = 3 * rng.standard_normal((64, 32)).astype(np.float32)
    made["grid_sample, nearest, ties"] = (np.arange(11) + 0.5).astype(np.float32).reshape(1, 11)
    made["topk, ties"] = rng.integers(0, 4, (20, 8)).astype(np.float32)
    return made


def measure(folder: Path, device: str) -> tuple[str, str, dict[str, dict[str, float]]]:
    """Run both columns on the probe. -> version and device of MindSpore, and by operator the figures of the table"""
    given = probe()
    tensors_file.save(folder / "probe.safetensors", given)
    start(folder, "torch_ref", "torch", "--dtype", "float32")
    start(folder, "torch_ref", "truth", "--dtype", "float64")
    start(folder, "ms_model", "ms", "--device", device)
    reference, truth, port = (tensors_file.load(folder / f"{n}.safetensors").tensors for n in ("torch", "truth", "ms"))
    about = json.loads((folder / "ms.safetensors.json").read_text(encoding="utf-8"))
    names = [name for name in given if not name.endswith("@grad")]
    made = {name: figures(name, given, reference, truth, port) for name in names}
    return about["version"], about["device"], made


def start(folder: Path, package: str, out: str, *options: str) -> None:
    """Run one column on the probe. Raises PortError where it fails."""
    command = [sys.executable, "-m", f"{package}.gaps", "--probe", str(folder / "probe.safetensors")]
    done = subprocess.run([*command, "--out", str(folder / f"{out}.safetensors"), *options], env=surroundings())
    if done.returncode:
        raise PortError(f"{package}.gaps ended with exit code {done.returncode}; its message stands above.")


def figures(name: str, given: Mapping, reference: Mapping, truth: Mapping, port: Mapping) -> dict[str, float]:
    """measured, gradient, and how far the port is from its kernel's model, in units in the last place of the largest value."""
    a, b, exact = reference[name], port[name], truth[name]
    kind = next((gap.kind for gap in load() if gap.op == name), "ratio")
    if kind == "ties":
        return {"measured": float(np.mean(a != b))}
    if kind == "ratio":
        return {"measured": rms(b - exact) / rms(a - exact)}
    kernel, x, direction = KERNELS[name], given[name].astype(np.float64), given[f"{name}@grad"].astype(np.float64)
    back, exact_back = port[f"{name}@grad"], truth[f"{name}@grad"]
    models = (kernel.kernel(x, exact.shape), b), (kernel.gradient(x, direction), back)
    return {
        "measured": float(np.abs(b - exact).max()) / kernel.unit(x, exact),
        "gradient": float(np.abs(back - exact_back).max()) / kernel.gradient_unit(direction, exact_back),
        "model": max(float(np.abs(model - value).max() / np.abs(model).max()) / EPS32 for model, value in models),
    }


def compare(made: Mapping[str, Mapping[str, float]], table: list[Gap]) -> list[dict[str, object]]:
    """One row per operator: what was measured, what the table says, and in words what has changed, if anything."""
    entries = {gap.op: gap for gap in table}
    rows = []
    for name, found in made.items():
        gap = entries.get(name)
        change = [] if gap else ["no entry for this version and device: add one"]
        for key in ("measured", "gradient") if gap else ():
            held = getattr(gap, key)
            if key in found and differs(found[key], held, gap.kind):
                change.append(f"{key}: {found[key]:.4g} here, {held} in the table")
        if found.get("model", 0.0) > 64:
            change.append(f"the kernel's model is off by {found['model']:.0f} units in the last place: another kernel")
        rows.append({"op": name, "entry": gap.entry if gap else None, **found, "change": "; ".join(change)})
    return rows


def differs(found: float, held: float | None, kind: str) -> bool:
    """Whether a figure is another than the table's; rounding alone (below 2e-6) is no error of a kernel."""
    if held is None or (kind == "error" and max(found, held) < 2e-6):
        return held is None
    return not held / CHANGED <= found <= held * CHANGED


def show(version: str, device: str, rows: list[dict[str, object]]) -> None:
    """The table on stdout."""
    table = Table(
        "operator",
        "catalogue",
        "measured",
        "gradient",
        "model off by",
        title=f"MindSpore {version}, {device}",
    )
    for row in rows:
        numbers = [f"{row[key]:.4g}" if key in row else "-" for key in ("measured", "gradient", "model")]
        table.add_row(str(row["op"]), str(row["entry"] or "-"), *numbers)
    console.stdout.print(table)
    changes = [f"{row['op']}: {row['change']}" for row in rows if row["change"]]
    for line in changes or ["Everything is as the table says."]:
        console.stdout.print(line, soft_wrap=True)
