"""The runs of a pair, in one column: what `capture` does for any two networks. Knows no framework.

pass        side of the run     what it is
reference   reference           float32 (or --dtype); gradients, too: the run all others are compared with
float64     reference           the same in double precision along the same decisions: the truth of the accumulated run
cast        reference           decisions imposed, in the port's type, where that is another: what the port may err
forcedcast  reference           the same, every module fed with the reference's values
noisy       reference           float32, at every site as many times the reference's own error added as the port may make there:
                                what harmless rounding grows to along this network
forced64    reference           every module fed with the reference's values in double precision: the truth of the forced run
imposed     port                its own values, the reference's decisions
free        port                its own values, its own decisions; only where the reference decides anything
compiled    port                network and way back compiled, its own decisions: output, loss, gradients of parameters
alone       port                where `compiled` failed: every module compiled by itself, fed with the reference's values
forced      port                every module, and on the way back every gradient, fed with the reference's values
training    both                optimiser steps, each side on its own; training64 in double precision
updates     port, updates64     every step from the reference's parameters along the reference's gradients
tiny        all, tiny64         the same with gradients so small that the optimiser's epsilon shows
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np

from port import console
from port.errors import PortError
from port.files import make_folder
from port.parity import kernel_gaps, tolerance
from port.parity.capture import environment, save_weights
from port.parity.kernel_gaps import Gaps
from port.parity.measure import HALVES
from port.parity.recorder import Plan, Recorder
from port.parity.trace import Trace, TraceWriter
from port.parity.training import TINY, TINY_STEPS, train

ALL = frozenset({"all"})


DTYPES = ("float32", "float16", "bfloat16")
OWN, PORT, FLOAT64 = "own", "port", "float64"


@dataclass(frozen=True)
class Types:
    """Element types of the two networks."""

    reference: str = "float32"
    port: str = "float32"

    @property
    def mixed(self) -> bool:
        """Whether the port computes in another type than the reference; then it may err as much as the reference cast to it."""
        return self.reference != self.port


def types_of(reference: Path) -> Types:
    """The types that the reference was captured for."""
    return Types(**Trace(reference / "reference").about.get("types", {}))


@dataclass(frozen=True)
class PairPass:
    """One run.

    dtype     OWN, the side's; PORT, the port's on either side; FLOAT64, from weights and inputs rounded to the side's
    training  "" for forward and backward, "own" or "given" for optimiser steps
    compiled  nothing is seen inside; the trace says by counts that nothing ran in Python
    alone     module by module
    """

    substitute: str = "nothing"
    dtype: str = OWN
    training: str = ""
    factor: float = 1.0
    compiled: bool = False
    alone: bool = False


PASSES = {
    "reference": PairPass(),
    "float64": PairPass("decisions", FLOAT64),
    "forced64": PairPass("all", FLOAT64),
    "cast": PairPass("decisions", PORT),
    "forcedcast": PairPass("all", PORT),
    "noisy": PairPass("noise", PORT),
    "imposed": PairPass("decisions"),
    "free": PairPass(),
    "compiled": PairPass(compiled=True),
    "alone": PairPass(compiled=True, alone=True),
    "forced": PairPass("all"),
    "training": PairPass(training="own"),
    "training64": PairPass(dtype=FLOAT64, training="own"),
    "updates": PairPass(training="given"),
    "updates64": PairPass(dtype=FLOAT64, training="given"),
    "tiny": PairPass(training="given", factor=TINY),
    "tiny64": PairPass(dtype=FLOAT64, training="given", factor=TINY),
}


@dataclass(frozen=True)
class Column:
    """One framework's half: its `pairs` and `training` modules, what it says of versions and device, its element type.

    compiled  its `compiled_pairs` module, where the framework compiles
    """

    pairs: ModuleType
    training: ModuleType
    backend: dict[str, object]
    types: Types = Types()
    own: str = "float32"
    compiled: ModuleType | None = None

    def dtype(self, spec: PairPass) -> str:
        """What a pass computes in."""
        return {OWN: self.own, PORT: self.types.port}.get(spec.dtype, spec.dtype)


def capture_pass(
    column: Column, side, name: str, out: Path, reference: Path | None, limit_bytes: int = 8 << 30
) -> bool:
    """Run one pass of a fresh `side` and write its trace to out/name, also of a run that broke off. -> whether it ran through

    reference  folder that holds the reference's traces `reference` and `training`
    """
    spec = PASSES[name]
    writer = TraceWriter(out / name, limit_bytes)
    about = {"pair": side.pair.name, "backend": column.backend, "modules": column.pairs.described(side)}
    about |= {"ignore": dict(side.pair.ignore), "decisions": {k: list(v) for k, v in side.pair.decisions.items()}}
    about |= {"sites_table": side.sites, "names": dict(side.names)}  # names: the network's own -> the reference's
    about["tied"] = dict(side.tied)
    about["gradients_at"] = None if side.pair.gradients_at is None else sorted(side.pair.gradients_at)
    dtype = column.dtype(spec)
    about |= {"not_compiled": side.pair.compile_reason, "types": asdict(column.types), "dtype": dtype}
    weights = side.values()
    error, start = None, time.perf_counter()
    try:
        if dtype == FLOAT64 and column.own != "float32":
            side.cast(column.own)
        side.cast(dtype)
        if spec.training:
            given = Trace(reference / "training") if spec.training == "given" else None
            trainer = column.training.Trainer(side)
            about["optimizer"] = trainer.describe()
            steps = side.pair.steps if spec.factor == 1.0 else min(side.pair.steps, TINY_STEPS)
            train(trainer, writer, steps, given, spec.factor, side.pair.gradients_at)
        else:
            given = Trace(reference / "reference") if spec.substitute != "nothing" or spec.alone else None
            plan = Plan(spec.substitute, whole_steps=ALL, apart=column.types.mixed)
            pairs = column.pairs
            like = partial(pairs.like, keep=dtype in ("float32", FLOAT64))
            recorder = Recorder(writer, pairs.to_numpy, like, plan, given, label="forward")
            about["ungraded"] = recorder.ungraded
            if spec.substitute == "noise":
                own = Trace(reference / "forcedcast") if column.types.mixed else given
                recorder.noise = Rounding(own, Trace(reference / "forced64"), dtype)
            if spec.alone:
                about |= column.compiled.run_compiled_alone(side, recorder)
            elif spec.compiled:
                about["compiled"] = column.compiled.run_compiled(side, recorder)
            else:
                pairs.run(side, recorder)
    except (PortError, MemoryError):
        raise
    except Exception as failure:  # a broken port may fail in any way; how far it came is worth a report
        if dtype in HALVES and not spec.compiled and (operator := column.pairs.missing_kernel(failure)):
            raise PortError(
                f"{column.backend['framework']} {column.backend['version']} has no kernel for {operator} in {dtype} on "
                f"{column.backend['device']}, so {side.pair.name} cannot be run in it. Compare in another type, or elsewhere."
            ) from failure
        error = in_words(failure)
        console.warn(f"{name}: {error}")
    seconds = time.perf_counter() - start
    writer.finish(None, **about, run=name, seconds=seconds, error=error, environment=environment())
    save_weights(out / name, weights)
    return error is None


def in_words(failure: Exception) -> str:
    """Type and message in one line: the first that holds words, for MindSpore begins with rulers and headings."""
    lines = [line.strip(" -\n") for line in str(failure).splitlines()]
    told = [
        line for line in lines if any(c.isalpha() for c in line) and not line.endswith(("failed:", "Exception Raised:"))
    ]
    return f"{type(failure).__name__}: {told[0] if told else repr(failure)}"


def tied_in(weights: Path | str) -> dict[str, str]:
    """Names of tied tensors -> the first name, as the reference's trace beside its weights says; none without one."""
    folder = Path(weights).parent
    return Trace(folder).about.get("tied", {}) if (folder / "trace.json").is_file() else {}


class Rounding:
    """The reference's own error at a site on right inputs, as large as a port's may be, its signs drawn anew; and where the
    port's kernel is known to err, what it adds."""

    def __init__(self, reference: Trace, truth: Trace, dtype: str = "float32"):
        self.reference, self.truth = reference, truth
        self.gaps = Gaps(reference, truth, kernel_gaps.load() if dtype == "float32" else ())
        self.times, self.random = tolerance.load().ratio_rms, np.random.default_rng(0)

    def __call__(self, name: str) -> np.ndarray | None:
        a, exact = self.reference.whole(name), self.truth.whole(name)
        if a is None or exact is None or a.shape != exact.shape or a.dtype.kind != "f":
            return None
        signs = self.random.choice(np.array([-1.0, 1.0]), a.shape)
        of_kernel = kernel_gaps.as_the_kernel(self.gaps, name)
        return np.asarray(self.times * signs * (a - exact) + (0.0 if of_kernel is None else of_kernel), np.float32)


def applicable(passes: Sequence[str], side, reference: Path | None = None, types: Types = Types()) -> list[str]:
    """Those of the passes that this pair can run: without an optimiser there is no training, without choices no free ones.

    Steps of an optimiser in half precision without a float32 copy of the parameters are nobody's training: left out, too.

    reference  folder of the reference's traces, for the port
    """
    left_out = {name for name in passes if PASSES[name].training and not side.optimizer}
    left_out |= {name for name in passes if PASSES[name].training and types != Types()}
    left_out |= {name for name in ("cast", "forcedcast") if not types.mixed}
    left_out |= {name for name in passes if PASSES[name].compiled and not side.pair.compiled}
    if "free" in passes and not decides(Trace(reference / "reference")):
        left_out.add("free")
    return [name for name in passes if name not in left_out]


def decides(reference: Trace) -> bool:
    """Whether a run made discrete choices."""
    return any(site.kind == "decision" for site in reference.sites.values())


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
