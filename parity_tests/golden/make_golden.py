"""Makes our own golden cases from torch_ref: `python -m parity_tests.golden.make_golden`.

Run it only while torch_ref reproduces every official case; they cover what the two committed official ones do not: a
mirror-extended clip, a batch of two, a training step with several keyframes. All on synthetic frames.
"""

import json

import numpy as np
import torch
from safetensors.numpy import save_file

from parity_tests.golden import recipe
from parity_tests.golden.agreement import kind_of, pick, run_reference
from parity_tests.golden.cases import HERE, Case, spynet_weights
from parity_tests.golden.training import relative, train

STORED = ("location", "argmax", "corr_soft")
GRADIENTS = ("conv_last.weight", "LTAM.fusion.bias", "fusion.bias", "spynet.basic_module.5.basic_module.4.conv.weight")
CASES = {
    "own_mirror": {"seed": 2101, "t": 3, "h": 64, "w": 64, "mirrored": True},
    "own_batch": {"seed": 2102, "t": 5, "h": 68, "w": 72, "n": 2},
    "own_train": {"seed": 2103, "t": 4, "h": 64, "w": 64},
}


def describe(name: str) -> dict:
    """What identifies a case: configuration, weights, frames."""
    seed = CASES[name]["seed"]
    weights = recipe.weights_sha256(recipe.make_weights(seed, 2, spynet_weights()))
    return {
        "case": name,
        "made_by": f"torch_ref, torch {torch.__version__}",
        "config": {"mid_channels": 64, "num_blocks": 2, "stride": 4, "frame_stride": 2},
        "weights": {"seed": seed, "num_blocks": 2, "sha256_sorted_keys_le_f32": weights},
        "frames": CASES[name],
    }


def make_forward(name: str) -> None:
    """Flows, decisions, a crop of the output, and their float32 error against float64."""
    case = Case(name, {**describe(name), "output_crop64_origin_yx": [80, 96]}, {})
    (output, keep), (output64, keep64) = run_reference(case), run_reference(case, torch.float64)
    values = {key: value for key, value in keep.values.items() if key.split(".")[-1] in STORED}
    values |= {key.removeprefix("flows."): value for key, value in keep.values.items() if key.startswith("flows.")}
    tensors, errors = {}, {}
    for key, value in {**values, "output_crop64": output[..., 80:144, 96:160]}.items():
        tensors[key] = np.ascontiguousarray(value, np.int32 if key.endswith("argmax") else np.float32)
    stored = Case(name, case.about, tensors)
    for key, value in tensors.items():
        error = float(np.abs(pick(key, stored, output64, keep64.values).astype(np.float64) - value).max())
        kind = kind_of(key)
        errors[kind] = {"max_abs": max(error, errors.get(kind, {"max_abs": 0.0})["max_abs"])}
    for kind in ("location", "argmax"):
        assert errors.pop(kind)["max_abs"] == 0, f"{name}: {kind} is ambiguous; choose another seed"
    write(stored, {"fp32_vs_fp64": errors})


def make_training(name: str) -> None:
    """Losses, gradients and update norms of five steps, in both precisions."""
    case = Case(name, describe(name), {})
    (losses, gradients, moved), (losses64, gradients64, moved64) = train(case), train(case, torch.float64)
    norms = {key: float(np.linalg.norm(value.astype(np.float64))) for key, value in gradients.items()}
    facts = {
        "losses": losses,
        "losses_fp64": losses64,
        "grad_norm_step0": norms,
        "grad_rel_l2_error_fp32_vs_fp64": {key: relative(value, gradients64[key]) for key, value in gradients.items()},
        "param_update_norm_after5": moved,
        "param_update_norm_after5_fp64": moved64,
    }
    write(Case(name, case.about, {f"grad.{key}": gradients[key] for key in GRADIENTS}), facts)


def write(case: Case, facts: dict) -> None:
    """Two files beside this one."""
    save_file(case.tensors, HERE / f"{case.name}.safetensors")
    (HERE / f"{case.name}.json").write_text(json.dumps({**case.about, **facts}, indent=1) + "\n", encoding="utf-8")
    print(case.name, sum(array.nbytes for array in case.tensors.values()))


if __name__ == "__main__":
    make_forward("own_mirror")
    make_forward("own_batch")
    make_training("own_train")
