"""Both trainers on the same batches from the same weights, and a third run that shows what rounding alone makes of the loss.

The third is the reference once more, its weights moved by half a unit in the last place of float32: a change as small as that
of any one operation that rounds the other way. How far its losses leave those of the first run is how far a correct port may.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from port import console
from port.errors import PortError
from port.files import make_folder
from port.parity.tolerance import Tolerances
from port.parity.tolerance import load as load_tolerances
from port.train.initial import write_initial
from port.train.launch import surroundings
from port.train.log import losses, read_log
from port.train.settings import Settings, load_preset
from port.weights import tensors_file
from port.weights.ttvsr import TTVSRConfig

RUNS = {"reference": "torch_ref", "port": "ms_model", "rounded": "torch_ref"}
EPS = float(np.finfo(np.float32).eps)

Start = Callable[[str], list[str]]  # column -> words that start its trainer


def start_column(column: str) -> list[str]:
    return [sys.executable, "-m", f"{column}.train"]


@dataclass(frozen=True)
class Curves:
    """Losses and seconds of the three runs. losses[run] (iterations,); differences are relative to the reference"""

    losses: dict[str, np.ndarray]
    seconds: dict[str, float]
    tolerances: Tolerances = field(default_factory=load_tolerances)

    def difference(self, run: str) -> np.ndarray:
        """|loss - reference| / reference of every iteration."""
        return np.abs(self.losses[run] - self.losses["reference"]) / self.losses["reference"]

    def limit(self) -> np.ndarray:
        """How far the port may be off in every iteration: by the largest that rounding made so far."""
        grown = np.maximum.accumulate(self.difference("rounded"))
        return self.tolerances.curves_ratio * np.maximum(grown, self.tolerances.curves_floor_eps * EPS)

    def first_beyond(self) -> int | None:
        """The first iteration, from 1, in which the port is farther off; None where it never is."""
        beyond = np.flatnonzero(~(self.difference("port") <= self.limit()))
        return int(beyond[0]) + 1 if beyond.size else None


def compare(
    preset: str,
    changes: Sequence[str],
    data: Sequence[str],
    folder: Path,
    weights: Path | None,
    start: Start = start_column,
) -> Curves:
    """Run all three, one after the other, in `folder`/reference, /port, /rounded.

    data     --root, --gt and the like
    weights  .safetensors to start from; drawn by the seed if None
    Raises PortError where one of them fails.
    """
    settings = load_preset(preset).changed(changes)
    first = make_folder(folder) / "initial.safetensors"
    if weights:
        shutil.copyfile(weights, first)
    else:
        write_initial(first, TTVSRConfig(settings.mid_channels, settings.num_blocks), settings.seed, None, None)
    tensors_file.save(folder / "rounded.safetensors", rounded(tensors_file.load(first).tensors))
    for run, column in RUNS.items():
        console.note(f"{run} ({column}) ...")
        begin = folder / ("rounded.safetensors" if run == "rounded" else first.name)
        flags = [*data, "--out", str(folder / run), "--weights", str(begin), "--quiet"]
        settled = [word for change in changes for word in ("--set", change)]
        done = subprocess.run(
            [*start(column), preset, *flags, *settled], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env=surroundings(1),
        )  # fmt: skip
        if done.returncode:
            raise PortError(
                f"the training of the {run} ended with exit code {done.returncode}: {done.stderr[-2000:].strip()}"
            )
    return read_curves(folder, settings)


def rounded(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Each value moved to a neighbour among the float32 numbers, up or down at random."""
    rng = np.random.default_rng(1)
    return {
        name: np.nextafter(array, np.where(rng.random(array.shape) < 0.5, -np.inf, np.inf).astype(np.float32))
        if name not in ("spynet.mean", "spynet.std") else array
        for name, array in weights.items()
    }  # fmt: skip


def read_curves(folder: Path, settings: Settings) -> Curves:
    """The logs of the three runs. Raises PortError where one is not complete"""
    found, seconds = {}, {}
    for run in RUNS:
        path = folder / run / "log.jsonl"
        held = losses(path)
        if sorted(held) != list(range(1, settings.iterations + 1)):
            raise PortError(f"{path} holds {len(held)} of {settings.iterations} iterations.")
        found[run] = np.array([held[k] for k in sorted(held)])
        seconds[run] = float(np.median([record["seconds"] for record in read_log(path) if "loss" in record]))
    return Curves(found, seconds)
