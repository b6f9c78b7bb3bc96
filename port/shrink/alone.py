"""A root cause that its module's call alone shows: only that module's weights and inputs, cut down as far as the error stays.

The folder needs numpy, safetensors and the two frameworks, nothing of this toolkit.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from port.parity import tolerance
from port.parity.ratio import error_ratios
from port.shrink.cut import candidates
from port.shrink.folder import copy_pair, size, start, write_about, write_scripts
from port.shrink.keep import write_arrays

SCRIPTS = {"shrunk.py": "shrunk", "run_torch.py": "run_torch", "run_mindspore.py": "run_mindspore", "check.py": "check"}


@dataclass
class Recipe:
    """How a folder came out. bytes: of its inputs, weights and gradients; before: of the network's."""

    alone: bool
    bytes: int
    before: int
    changes: list[str] = field(default_factory=list)  # what was cut, in words


def make_alone(folder: Path, kept, say: Callable[[str], None]) -> Recipe | None:
    """Fill the folder; None where the module's call alone does not show the error."""
    about = kept.about
    if about["kind"] is None or about["too_large"]:
        return None
    weights = {name.removeprefix("weight/"): array for name, array in kept.arrays.items() if name.startswith("weight/")}
    kinds = ("argument/", "output_gradient/") if about["kind"] == "backward" else ("argument/",)
    given = {name: array for name, array in kept.arrays.items() if name.startswith(kinds)}
    copy_pair(folder, kept)
    write_scripts(folder, SCRIPTS)
    write_arrays(folder / "weights.safetensors", weights)
    about = {name: about[name] for name in ("module", "port_module", "names", "kind", "call", "stage") if name in about}
    site = kept.about["telling_site"]
    write_about(
        folder, **about, site=site, path=kept.about.get("path", ""), paths=kept.about["paths"], found=category(kept)
    )
    trials = list(candidates(given, worst_place(kept.arrays))) if given else [given]
    trials.sort(key=size)
    say(f"trying {len(trials)} sizes of the module's inputs")
    chosen = try_out(folder, trials, category(kept))
    if chosen is None:
        return None
    before = kept.about.get("network_bytes", 0)
    full = max(trials, key=size)
    changes = [f"{name} {list(full[name].shape)} to {list(array.shape)}" for name, array in chosen.items()
               if array.shape != full[name].shape]  # fmt: skip
    return Recipe(True, size(chosen) + size(weights), before, changes)


def try_out(folder: Path, trials: list[dict[str, np.ndarray]], wanted: str) -> dict[str, np.ndarray] | None:
    """Run all sizes, one process per side. The smallest that shows the error becomes data.safetensors. -> its arrays"""
    names = [f"trial-{i}" for i in range(len(trials))]
    for name, arrays in zip(names, trials, strict=True):
        write_arrays(folder / f"{name}.safetensors", arrays or {"nothing": np.zeros(1, np.float32)})
    files = [folder / f"{name}.safetensors" for name in names]
    for process in [start(folder, program, *files) for program in ("run_torch.py", "run_mindspore.py")]:
        process.communicate()
    chosen = None
    for name, arrays in zip(names, trials, strict=True):
        if chosen is None and shows(folder, name, wanted):
            chosen = keep(folder, name, arrays)
    for leftover in folder.glob("trial-*"):
        leftover.unlink()
    return chosen


def keep(folder: Path, name: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """data.safetensors and expected.safetensors from a trial that shows the error. -> the arrays of the data"""
    reference = load_file(folder / f"{name}.torch.safetensors")
    port = folder / f"{name}.mindspore.safetensors"
    expected = {"reference": reference["value"], "truth": reference["truth"]}
    write_arrays(
        folder / "expected.safetensors", expected | ({"port": load_file(port)["value"]} if port.is_file() else {})
    )
    for key in (key for key in arrays if key.startswith("output_gradient/")):
        shape = reference["shape/" + key.partition("/")[2]]
        arrays[key] = arrays[key][tuple(slice(int(n)) for n in shape[1:])]
    write_arrays(folder / "data.safetensors", arrays or {"nothing": np.zeros(1, np.float32)})
    return arrays


def shows(folder: Path, name: str, wanted: str) -> bool:
    """Whether a trial has the error in the form in which it was found."""
    files = [folder / f"{name}.{side}.safetensors" for side in ("torch", "mindspore")]
    if not files[0].is_file():
        return False  # such inputs are not for this module
    if not files[1].is_file():
        return wanted == "raises"
    reference, port = (load_file(file) for file in files)
    return judged(reference["value"], reference["truth"], port["value"]) == wanted


def judged(reference: np.ndarray, truth: np.ndarray, port: np.ndarray) -> str:
    """The kind of error, "" for none."""
    if reference.shape != port.shape:
        return "shape"
    if reference.dtype.kind in "iub":
        return "values" if (reference != port).any() else ""
    if reference.dtype != port.dtype:
        return "type"
    if not np.isfinite(port).all():
        return "values"
    limits = tolerance.load()
    by_rms, largest = error_ratios(reference, port, truth, limits)
    return "" if by_rms <= limits.ratio_rms and largest <= limits.ratio_largest else "values"


def category(kept) -> str:
    """The kind of error as it was found in the verification."""
    a, b = (kept.arrays.get(f"value/{side}") for side in ("reference", "port"))
    if b is None:
        return "values" if kept.about["stage"] == "backward" else "raises"  # a gradient that is missing comes as zeros
    if a is not None and a.shape != b.shape:
        return "shape"
    return "type" if a is not None and a.dtype != b.dtype else "values"


def worst_place(arrays) -> tuple[int, ...]:
    """Where the wrong value is furthest from float64; the start where that cannot be said."""
    truth, port = arrays.get("value/truth"), arrays.get("value/port")
    if truth is None or port is None or truth.shape != port.shape or not truth.size:
        return ()
    error = np.nan_to_num(np.abs(port - truth), nan=np.inf)
    return tuple(int(i) for i in np.unravel_index(int(error.argmax()), error.shape))
