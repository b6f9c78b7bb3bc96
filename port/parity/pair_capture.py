"""The runs of a pair, in one column: what `capture` does for any two networks. Knows no framework.

pass        side of the run     what it is
reference   reference           float32; gradients, too: the run all others are compared with
float64     reference           the same in double precision along the same decisions: the truth of the accumulated run
noisy       reference           float32, at every site as many times the reference's own error added as the port may make there:
                                what harmless rounding grows to along this network
forced64    reference           every module fed with the reference's values in double precision: the truth of the forced run
imposed     port                its own values, the reference's decisions
forced      port                every module, and on the way back every gradient, fed with the reference's values
training    both                optimiser steps, each side on its own; training64 in double precision
updates     port, updates64     every step from the reference's parameters along the reference's gradients
tiny        all, tiny64         the same with gradients so small that the optimiser's epsilon shows
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

from port import console
from port.errors import PortError
from port.files import make_folder
from port.parity import tolerance
from port.parity.capture import environment
from port.parity.recorder import Plan, Recorder
from port.parity.trace import Trace, TraceWriter
from port.parity.training import TINY, TINY_STEPS, train
from port.weights import tensors_file

ALL = frozenset({"all"})


@dataclass(frozen=True)
class PairPass:
    """One run. training: "" for forward and backward, "own" or "given" for optimiser steps."""

    substitute: str = "nothing"
    dtype: str = "float32"
    training: str = ""
    factor: float = 1.0


PASSES = {
    "reference": PairPass(),
    "float64": PairPass("decisions", "float64"),
    "forced64": PairPass("all", "float64"),
    "noisy": PairPass("noise"),
    "imposed": PairPass("decisions"),
    "forced": PairPass("all"),
    "training": PairPass(training="own"),
    "training64": PairPass(dtype="float64", training="own"),
    "updates": PairPass(training="given"),
    "updates64": PairPass(dtype="float64", training="given"),
    "tiny": PairPass(training="given", factor=TINY),
    "tiny64": PairPass(dtype="float64", training="given", factor=TINY),
}


@dataclass(frozen=True)
class Column:
    """One framework's half: its `pairs` and `training` modules, and what it says of versions and device."""

    pairs: ModuleType
    training: ModuleType
    backend: dict[str, object]


def capture_pass(
    column: Column, side, name: str, out: Path, reference: Path | None, limit_bytes: int = 8 << 30
) -> bool:
    """Run one pass of a fresh `side` and write its trace to out/name, also of a run that broke off. -> whether it ran through

    reference  folder that holds the reference's traces `reference` and `training`
    """
    spec = PASSES[name]
    writer = TraceWriter(out / name, limit_bytes)
    about = {"pair": side.pair.name, "backend": column.backend, "modules": column.pairs.described(side)}
    about["ignore"], about["sites_table"] = dict(side.pair.ignore), dict(side.pair.sites)
    about["names"] = dict(side.names)  # the network's own names of its parameters -> the reference's
    weights = side.values()
    error, start = None, time.perf_counter()
    try:
        side.cast(spec.dtype)
        if spec.training:
            given = Trace(reference / "training") if spec.training == "given" else None
            trainer = column.training.Trainer(side)
            about["optimizer"] = trainer.describe()
            steps = side.pair.steps if spec.factor == 1.0 else min(side.pair.steps, TINY_STEPS)
            train(trainer, writer, steps, given, spec.factor)
        else:
            given = Trace(reference / "reference") if spec.substitute != "nothing" else None
            plan = Plan(spec.substitute, whole_steps=ALL)
            pairs = column.pairs
            recorder = Recorder(writer, pairs.to_numpy, pairs.like, plan, given, label="forward")
            about["ungraded"] = recorder.ungraded
            if spec.substitute == "noise":
                recorder.noise = Rounding(given, Trace(reference / "forced64"))
            pairs.run(side, recorder)
    except (PortError, MemoryError):
        raise
    except Exception as failure:  # a broken port may fail in any way; how far it came is worth a report
        error = (
            f"{type(failure).__name__}: {str(failure).strip().splitlines()[0] if str(failure).strip() else failure!r}"
        )
        console.warn(f"{name}: {error}")
    seconds = time.perf_counter() - start
    writer.finish(None, **about, run=name, seconds=seconds, error=error, environment=environment())
    save_weights(out / name, weights)
    return error is None


class Rounding:
    """The reference's own error at a site on right inputs, as large as a port's may be, its signs drawn anew."""

    def __init__(self, reference: Trace, truth: Trace):
        self.reference, self.truth = reference, truth
        self.times, self.random = tolerance.load().ratio_rms, np.random.default_rng(0)

    def __call__(self, name: str) -> np.ndarray | None:
        a, exact = self.reference.whole(name), self.truth.whole(name)
        if a is None or exact is None or a.shape != exact.shape or a.dtype.kind != "f":
            return None
        signs = self.random.choice(np.array([-1.0, 1.0]), a.shape)
        return np.asarray(self.times * signs * (a - exact), np.float32)


def save_weights(folder: Path, weights: dict[str, np.ndarray]) -> None:
    """What the network held before it ran, by the reference's names, beside the trace."""
    tensors_file.save(make_folder(folder) / "weights.safetensors", weights)


def applicable(passes: Sequence[str], side) -> list[str]:
    """Those of the passes that this pair can run: without an optimiser there is no training."""
    return [name for name in passes if side.optimizer or not PASSES[name].training]


REFUSED, FINISHED = "refused.txt", "finished"  # of one pair among several: why it could not be run; that it is done


def attempt(out: Path, run: Callable[..., bool], *arguments) -> bool:
    """One pair of several: that it cannot be run is left in its folder and does not keep the others from running."""
    make_folder(out)
    try:
        return run(*arguments)
    except Exception as failure:  # as in capture_pass: a mistake in somebody's port may show in any way
        (out / REFUSED).write_text(f"{type(failure).__name__}: {failure}", encoding="utf-8")
        return False
    finally:
        (out / FINISHED).touch()
