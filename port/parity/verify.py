"""The main job: run the reference and the port in processes of their own, compare their traces, judge, report."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from port import console
from port.errors import COULD_NOT_RUN, PortError
from port.files import make_folder, whole_file
from port.models import vsr
from port.models.table import NETWORKS, OPTIONS, own_options
from port.parity.causes import Cause
from port.parity.clip_compare import Compared, compare_clip, decides_alike
from port.parity.clip_report import clip_stages, make_report, new_causes, series_of
from port.parity.clip_training import verify_patch
from port.parity.compare import Stage
from port.parity.pair_start import surroundings
from port.parity.pair_verify import Compared as PairCompared
from port.parity.trace import Trace
from port.processes import ROOT
from port.video.read import read_clip

CLOSER_LOOKS = 4  # steps looked into; what goes wrong first may lie before the step that shows it first
PORT_PASSES = "forced,free,compiled"


@dataclass
class Job:
    """What is to be verified, and how.

    device                           where the port runs
    keyframe_stride, token_stride    of the network, where it has them; the weights do not hold them
    training_steps                   optimiser steps on a patch of the clip, gradients included; 0: none
    whole                            steps compared module by module from the start; None: enough for every module
    reference_command, port_command  how the two captures are started; a broken port is tested by giving another one
    fast                             ways in which the port runs as `infer` runs it, see port/models/speed.py
    reuse_reference                  the work folder holds the reference's traces already: several ports, one reference
    """

    model: str
    weights: Path
    frames: np.ndarray  # (t, 3, h, w) float32 in [0, 1]
    work: Path
    truth: np.ndarray | None = None  # (t, 4h, 4w, 3) uint8
    keyframe_stride: int = OPTIONS["keyframe_stride"]
    token_stride: int = OPTIONS["token_stride"]
    training_steps: int = 0
    whole: str | None = None
    trace_limit: float = 8.0
    device: str = "cpu"
    fast: Sequence[str] = ()
    quiet: bool = False
    input_name: str = ""
    truth_name: str | None = None
    reference_command: Sequence[str] = (sys.executable, "-m", "torch_ref.capture")
    port_command: Sequence[str] = (sys.executable, "-m", "ms_model.capture")
    reuse_reference: bool = False
    seconds: dict[str, float] = field(default_factory=dict)

    def options(self) -> dict[str, int]:
        """Constructor arguments of the network that its weights do not hold."""
        return own_options(self.model, {name: getattr(self, name) for name in OPTIONS})


@dataclass
class Outcome:
    """The judgement, and the frames that the report shows."""

    report: dict[str, object]
    rows: list[dict[str, object]]
    frames: dict[str, np.ndarray | None]  # input, reference, port, truth
    stages: dict[str, Stage] = field(default_factory=dict)  # by the names of report.json
    causes: list[Cause] = field(default_factory=list)  # with their evidence


def read_input(path: Path, max_frames: int | None, model: str = "ttvsr", **options: int) -> np.ndarray:
    """The clip as a network takes it. -> (t, 3, h, w) float32 RGB in [0, 1]

    options  constructor arguments that its weights do not hold
    """
    facts, frames = NETWORKS[model], read_clip(path, max_frames).as_network_input()
    vsr.check_frames(facts.TITLE, (1, *frames.shape), str(frames.dtype), least=facts.least_side(**options))
    facts.check_values(float(frames.min()), float(frames.max()))
    return frames


def verify(job: Job) -> Outcome:
    """Capture both sides, compare, and look closer at the first step that fails, if any."""
    prepare(job)
    whole = job.whole or NETWORKS[job.model].detail_steps(len(job.frames))
    if not job.reuse_reference:
        capture_reference(job, "reference", whole)
        if error := Trace(job.work / "reference" / "reference").about["error"]:
            raise PortError(f"the reference did not run through: {error}")
    # The port needs the float32 run only. Side by side with it, float64 runs fill the pauses of the other's threads.
    with ThreadPoolExecutor(max_workers=1) as beside:
        exact = None if job.reuse_reference else beside.submit(capture_truth, job, "float64,forced64", whole)
        capture_port(job, whole)
        if exact:
            exact.result()
    compared = compare_clip(job)
    for _ in range(CLOSER_LOOKS):
        suspect = suspect_step(compared, whole)
        if suspect is None:
            break
        console.note(f"step {suspect} is where it goes wrong first: a second pass looks at every module in it")
        whole = f"{whole},{suspect}"
        capture_reference(job, "reference", whole)
        capture_truth(job, "forced64", whole)
        capture_side(job, whole, "forced")
        compared = compare_clip(job)
    return judge(job, compared, train(job) if job.training_steps else None)


def train(job: Job) -> PairCompared:
    """The way back and optimiser steps, on a patch of the clip."""
    start = time.perf_counter()
    console.note(f"gradients and {job.training_steps} optimiser steps, on a patch of the clip")
    compared = verify_patch(job, job.training_steps)
    job.seconds["training"] = time.perf_counter() - start
    return compared


def judge(job: Job, compared: Compared, patch: PairCompared | None = None) -> Outcome:
    """The report, the sites for charts and tables, and the frames."""
    free = compared.traces["free"].output()
    frames = {
        "input": job.frames,
        "reference": compared.traces["reference"].output(),
        "port": free if free is not None else compared.traces["imposed"].output(),
        "truth": job.truth,
    }
    causes = [*compared.causes, *new_causes(compared, patch)]
    return Outcome(make_report(job, compared, patch), series_of(compared), frames, clip_stages(compared, patch), causes)


def prepare(job: Job) -> None:
    """Check and convert the weights, and write the frames where the captures find them."""
    make_folder(job.work)
    with whole_file(job.work / "input.npy") as draft, open(draft, "wb") as file:
        np.save(file, job.frames)
    start = time.perf_counter()
    _run([sys.executable, "convert_weights.py", str(job.weights), "-o", str(job.work / "port.ckpt")], "conversion")
    job.seconds["conversion"] = time.perf_counter() - start


def capture_reference(job: Job, passes: str, whole: str, *extra: str) -> None:
    """Runs of the reference: in float32, in float64 along the same decisions, in float64 from the float32 run's values."""
    start = time.perf_counter()
    _capture(job, job.reference_command, job.weights, "reference", passes, whole, list(extra))
    job.seconds["reference"] = job.seconds.get("reference", 0) + time.perf_counter() - start


def capture_truth(job: Job, passes: str, whole: str) -> None:
    """The float64 runs."""
    capture_reference(job, passes, whole, *reference_flag(job), "--quiet")


def reference_flag(job: Job) -> list[str]:
    """Where the other runs find the reference's values and decisions."""
    return ["--reference", str(job.work / "reference" / "reference")]


def capture_port(job: Job, whole: str) -> None:
    """All runs of the port. Where the free one decides as the reference does, it is the imposed one, too."""
    capture_side(job, whole, PORT_PASSES)
    shutil.rmtree(job.work / "port" / "imposed", ignore_errors=True)
    reference, free = (Trace(job.work / side) for side in ("reference/reference", "port/free"))
    if not decides_alike(reference, free):
        capture_side(job, whole, "imposed")


def capture_side(job: Job, whole: str, passes: str) -> None:
    """Runs of the port, fed from the reference's trace."""
    start = time.perf_counter()
    extra = [*reference_flag(job), "--device", job.device, *(["--fast", ",".join(job.fast)] if job.fast else [])]
    _capture(job, job.port_command, job.work / "port.ckpt", "port", passes, whole, extra)
    job.seconds["port"] = job.seconds.get("port", 0) + time.perf_counter() - start


def _capture(
    job: Job, command: Sequence[str], weights: Path, side: str, passes: str, whole: str, extra: list[str]
) -> None:
    """One process. A run that breaks off (exit 3 with a trace written) is for the comparison to report."""
    for name in passes.split(","):
        shutil.rmtree(job.work / side / name, ignore_errors=True)
        (job.work / side / name / "trace.json").unlink(missing_ok=True)  # an old one must never be taken for the new
    arguments = [job.model, "--weights", str(weights), "--input", str(job.work / "input.npy"), "--passes", passes]
    arguments += ["--out", str(job.work / side), "--whole", whole, "--trace-limit", str(job.trace_limit)]
    arguments += [word for name, value in job.options().items() for word in (f"--{name.replace('_', '-')}", str(value))]
    arguments += ["--quiet"] * job.quiet + extra
    written = [job.work / side / name / "trace.json" for name in passes.split(",")]
    _run([*command, *arguments], f"the capture of the {side}", lambda: all(path.exists() for path in written))


def _run(command: Sequence[str], what: str, acceptable: Callable[[], bool] = lambda: False) -> None:
    """Start a process from the repository root; its messages go to our stderr. Raises PortError if it fails."""
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, env=surroundings())
    if done.returncode and not (done.returncode == COULD_NOT_RUN and acceptable()):
        raise PortError(f"{what} ended with exit code {done.returncode}; its message stands above.")


def suspect_step(compared: Compared, whole: str) -> str | None:
    """The step to look into: where the first wrong site lies, if the modules inside were not compared alone."""
    known = set(whole.split(","))
    failing = [*compared.stages["modules"].failing, *compared.stages["accumulated"].failing]
    if not failing or "all" in known:
        return None
    first = min(failing, key=lambda row: row.order).step
    return first if first not in known else None
