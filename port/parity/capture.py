"""The half of capture that knows no framework: its command line, its passes, and the trace around a run.

`python -m torch_ref.capture` and `python -m ms_model.capture` take the same arguments and write the same files.
"""

import argparse
import hashlib
import platform
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from port import console, processor
from port.errors import PortError, UsageError
from port.files import make_folder
from port.models.speed import NONE, TOGETHER, chosen, fast_names
from port.models.table import NETWORKS, OPTIONS, own_options
from port.parity.recorder import Plan, Recorder
from port.parity.trace import Trace, TraceWriter
from port.weights import tensors_file

WEIGHTS_FILE = "weights.safetensors"
DECISION_SOURCES = frozenset({"token_flow", "corr"})  # what margins of decisions are computed from


@dataclass(frozen=True)
class Pass:
    """One run of the network.

    needs_reference  it reads the trace of another run
    only_whole       it computes in earnest only in the steps stored whole, see `idle`
    compiled         it runs as `infer` runs it, in the ways of --fast
    """

    plan: Callable[[frozenset[str]], Plan]
    dtype: str = "float32"
    compiled: bool = False
    needs_reference: bool = True
    only_whole: bool = False


PASSES = {
    # the run all others are compared with
    "reference": Pass(lambda steps: Plan(whole_steps=steps), needs_reference=False),
    # the same in double precision, along the same decisions: what is true to rounding
    "float64": Pass(lambda steps: Plan("decisions", whole_values=DECISION_SOURCES), dtype="float64"),
    # every module and every value of the steps stored whole, fed with the reference's values in double precision; the
    # trunks of the other steps are left out, they would take most of the time and their place is taken all the same
    "forced64": Pass(lambda steps: Plan("all", whole_steps=steps, only_whole=True), dtype="float64", only_whole=True),
    # every module and every step fed with the reference's values
    "forced": Pass(lambda steps: Plan("all", whole_steps=steps, only_whole=True)),
    # the network's own values, the reference's decisions
    "imposed": Pass(lambda steps: Plan("decisions", whole_values=DECISION_SOURCES)),
    # as `infer` runs it: parts compiled, frame by frame; no hook fires inside, so only what lies between them is recorded
    "compiled": Pass(
        lambda steps: Plan("decisions", frozenset({"value", "decision"}), whole_values=DECISION_SOURCES), compiled=True
    ),
    # nothing imposed; where it decides as the reference does, it is the imposed run as well
    "free": Pass(lambda steps: Plan(whole_values=DECISION_SOURCES), needs_reference=False),
}


def capture_arguments(prog: str, devices: tuple[str, ...]) -> argparse.ArgumentParser:
    """The command line shared by both columns."""
    parser = argparse.ArgumentParser(prog=prog, description="Run a network and leave traces of what it computed.")
    parser.add_argument("model", choices=tuple(NETWORKS), help="the network")
    parser.add_argument("--weights", type=Path, required=True, help="checkpoint in a format of this framework")
    parser.add_argument("--input", type=Path, required=True, help="frames, .npy (t, 3, h, w) float32 in [0, 1]")
    parser.add_argument("--out", type=Path, required=True, help="folder; one folder per pass is made in it")
    parser.add_argument("--passes", default="reference", help=f"comma-separated, of: {', '.join(PASSES)}")
    parser.add_argument("--reference", type=Path, help="folder of the trace whose values or decisions are put in")
    parser.add_argument(
        "--whole", help="steps whose module tensors are stored whole, or 'all' (default: enough for every module)"
    )
    parser.add_argument("--trace-limit", type=gigabytes, default=8.0, metavar="GB", help="most that one trace may take")
    parser.add_argument("--device", default=devices[0], choices=devices)
    parser.add_argument("--keyframe-stride", type=int, help="frames between keyframes (default: the network's)")
    parser.add_argument("--token-stride", type=int, help="pixels along the side of a token (default: the network's)")
    parser.add_argument(
        "--fast", type=fast_names, default=(), metavar="NAME,..", help="ways of the pass `compiled`, those of infer --fast"
    )
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


def gigabytes(text: str) -> float:
    """A positive, finite number of gigabytes, for argparse."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a positive number of gigabytes, found {text!r}")
    return number


def chosen_passes(args: argparse.Namespace) -> list[str]:
    """The passes asked for, in order. Raises UsageError for an unknown one or a missing reference."""
    names = [name for name in args.passes.split(",") if name]
    for name in names:
        if name not in PASSES:
            raise UsageError(f"unknown pass {name!r}; known: {', '.join(PASSES)}.")
        if PASSES[name].needs_reference and args.reference is None and "reference" not in names[: names.index(name)]:
            raise UsageError(f"pass {name!r} puts values of another run in; name its trace by --reference.")
    return names


def network_options(args: argparse.Namespace) -> dict[str, int]:
    """The constructor arguments given on the command line. Raises PortError for one that the network does not have."""
    given = {name: getattr(args, name) for name in OPTIONS}
    return own_options(args.model, {name: value for name, value in given.items() if value is not None})


def inference_ways(names: Sequence[str], framework: str, device: str, model: str) -> tuple[str, ...]:
    """Ways of the pass `compiled`: those that `infer --fast` would take, but for the default of directions together.

    Raises UsageError for a way that cannot be had, and for directions together: their steps are others than the reference's.
    """
    if TOGETHER in names:
        raise UsageError(
            f"--fast {TOGETHER} takes other steps than the reference, so their values cannot be laid side by side. "
            "Leave it out; what it changes stands in docs/speed-modes.md."
        )
    usual = (name for name in chosen(names, framework, device, model) if name not in (TOGETHER, NONE))
    return (NONE, *usual, *(["compiled"] if framework == "mindspore" and "compiled" not in names else []))


def read_frames(path: Path) -> np.ndarray:
    """(t, 3, h, w) float32 -> (1, t, 3, h, w)"""
    try:
        frames = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise PortError(f"cannot read the frames {path}: {error}. Expected .npy, (t, 3, h, w) float32.") from error
    if frames.ndim != 4 or frames.dtype != np.float32:
        raise PortError(f"{path}: expected frames (t, 3, h, w) of float32, found {frames.shape} of {frames.dtype}.")
    return frames[None]


def frames_sha256(frames: np.ndarray) -> str:
    """What identifies the input of a trace: the bytes of its frames, however they are stored."""
    return hashlib.sha256(np.ascontiguousarray(frames).tobytes()).hexdigest()


def run_pass(
    name: str,
    args: argparse.Namespace,
    frames: np.ndarray,
    about: Mapping[str, object],
    run: Callable[[Recorder], np.ndarray],
    to_numpy: Callable[[Any], np.ndarray],
    like: Callable[[np.ndarray, Any], Any],
) -> bool:
    """Run the network under a recorder and write the trace, also of a run that broke off. -> whether it went through

    frames         (1, t, 3, h, w) float32, what the run is given
    run(recorder)  gives the output frames (t, 3, 4h, 4w)
    """
    reference = args.reference or args.out / "reference"
    trace = Trace(reference) if PASSES[name].needs_reference else None
    about = {**about, "input_sha256": frames_sha256(frames)}
    writer = TraceWriter(args.out / name, int(args.trace_limit * 1e9))
    facts = NETWORKS[args.model]
    whole = args.whole or facts.detail_steps(frames.shape[1])
    plan = PASSES[name].plan(frozenset(whole.split(",")))
    output, error, start = None, None, time.perf_counter()
    with console.progress(args.quiet) as display:
        task = display.add_task(f"{args.model}: {name}", total=facts.steps_of(frames.shape[1]))
        recorder = Recorder(writer, to_numpy, like, plan, trace, on_step=lambda label: display.advance(task))
        try:
            output = run(recorder)
        except (PortError, MemoryError):
            raise
        except Exception as failure:  # a broken port may fail in any way; how far it came is worth a report
            if args.debug:
                raise
            error = f"{type(failure).__name__} in step {recorder.label}: {failure}"
            console.warn(f"{name}: {error}")
    seconds = time.perf_counter() - start
    writer.finish(output, **about, run=name, seconds=seconds, error=error, environment=environment())
    return error is None


def save_weights(folder: Path, weights: Mapping[str, np.ndarray]) -> None:
    """What the network held, by the reference's names, beside the trace."""
    tensors_file.save(make_folder(folder) / WEIGHTS_FILE, dict(weights))


@contextmanager
def idle(modules: Iterable[tuple[str, Any]], method: str, recorder: Recorder, zeros: Callable[..., Any]):
    """Let the parts of a network return zeros in every step that is not stored whole, without computing them.

    modules  (name, module) of the parts; method: what a call of one runs (`forward`, `construct`)
    zeros(array shape, inputs) makes a tensor like those a module is given
    Only for a plan that puts the reference's value in the place of every named one: what a part returns is of no consequence
    behind the next of these, which is not recorded. A step whose trace does not say what the part returned is computed.
    """
    parts = list(modules)
    for name, module in parts:
        setattr(module, method, _idle_call(getattr(module, method), name, recorder, zeros))
    try:
        yield
    finally:
        for _, module in parts:
            delattr(module, method)


def _idle_call(compute: Callable[..., Any], name: str, recorder: Recorder, zeros: Callable[..., Any]) -> Callable[..., Any]:
    def call(*inputs):
        site = recorder.reference.sites.get(f"{recorder.label}/{name}:out")
        if site is None or recorder.label in recorder.plan.whole_steps or "all" in recorder.plan.whole_steps:
            return compute(*inputs)
        recorder.hollow = True
        return zeros(site.shape, inputs)

    return call


def environment() -> dict[str, str]:
    """The machine and the interpreter."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor.name(),
        "numpy": np.__version__,
        "command": " ".join(sys.argv),
    }
