"""What the two processes tell each other about a network: its tensors, the values to run it with, what it returned."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from port.files import write_json
from port.parity.nested import walk
from port.weights import tensors_file
from port.weights.propose import Parameter

FILE = "network.json"


@dataclass(frozen=True)
class Reference:
    """The reference as its process left it.

    weights    values that it was run with, by name
    outputs    what it returned in float32; `truth` the same in float64
    exercised  names of the parameters that the outputs depend on
    """

    parameters: list[Parameter]
    weights: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]
    truth: dict[str, np.ndarray]
    exercised: frozenset[str]

    def save(self, folder: Path) -> None:
        """Leave it in a folder."""
        listed = [asdict(one) for one in self.parameters]
        write_json(folder / FILE, {"parameters": listed, "exercised": sorted(self.exercised)})
        for name in ("weights", "outputs", "truth"):
            tensors_file.save(folder / f"{name}.safetensors", getattr(self, name))


def load_reference(folder: Path) -> Reference:
    """What `save` left."""
    data = json.loads((folder / FILE).read_text(encoding="utf-8"))
    tuples = {"shape", "also"}
    read = [{k: tuple(v) if k in tuples else v for k, v in one.items()} for one in data["parameters"]]
    arrays = [tensors_file.load(folder / f"{name}.safetensors").tensors for name in ("weights", "outputs", "truth")]
    return Reference([Parameter(**one) for one in read], *arrays, frozenset(data["exercised"]))


def leaves(output: Any) -> dict[str, Any]:
    """The tensors of a nested output, by name; numbers and texts are left out."""
    found: dict[str, Any] = {}
    walk(output, "output", lambda name, leaf: found.setdefault(name, leaf) if hasattr(leaf, "dtype") else None)
    return found


def fingerprints(parameters: Sequence[Parameter], own: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Values for a run that no two tensors share, so that no tensor can stand for another unseen.

    Weights are as large as keeps activations from growing or dying (He); gains, slopes and variances are positive. Buffers
    other than running statistics, and whole numbers, keep the network's own values, since they mean something.
    """
    random, found = np.random.default_rng(0), {}
    for one in parameters:
        array = own[one.name]
        statistic = one.last.startswith("running_")
        if array.dtype.kind != "f" or (one.buffer and not statistic):
            made = array
        elif len(one.shape) > 1:
            made = random.standard_normal(one.shape) * np.sqrt(2.0 / max(1, np.prod(one.shape[1:])))
        elif one.last in ("weight", "running_var"):
            made = random.uniform(0.5, 1.5, one.shape)
        else:
            made = random.standard_normal(one.shape) * 0.3
        found[one.name] = np.asarray(made, array.dtype)
        found |= dict.fromkeys(one.also, found[one.name])
    return found
