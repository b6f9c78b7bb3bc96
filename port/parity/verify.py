"""The main job: run the reference and the port in processes of their own, compare their traces, judge, report."""

import os
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
from port.files import make_folder, sha256_file, whole_file
from port.models import ttvsr
from port.parity import tolerance
from port.parity.capture import DETAIL_STEPS, frames_sha256, inputs_of
from port.parity.compare import (
    Stage,
    compare_accumulated,
    compare_compiled,
    compare_modules,
    compare_weights,
    count_free_decisions,
    coverage,
    first_divergence,
    judge_rounding,
    series,
)
from port.parity.end_to_end import compare_frames
from port.parity.trace import Trace
from port.video.read import read_clip
from port.weights.detect import MODELS

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {"ttvsr": ttvsr.VALUE_SOURCES}
CLOSER_LOOKS = 4  # steps looked into; rounding alone may send us to more than one before it is cleared
REPLAYED = 64  # modules looked at again; if more are wrong, rounding is not the cause
PORT_PASSES = "forced,imposed,compiled,free"


@dataclass
class Job:
    """What is to be verified, and how.

    device                           where the port runs
    options                          further arguments of both captures (strides)
    whole                            steps compared module by module from the start
    reference_command, port_command  how the two captures are started; a broken port is tested by giving another one
    reuse_reference                  the work folder holds the reference's traces already: several ports, one reference
    """

    model: str
    weights: Path
    frames: np.ndarray  # (t, 3, h, w) float32 in [0, 1]
    work: Path
    truth: np.ndarray | None = None  # (t, 4h, 4w, 3) uint8
    options: Sequence[str] = ()
    whole: str = DETAIL_STEPS
    trace_limit: float = 8.0
    device: str = "cpu"
    quiet: bool = False
    input_name: str = ""
    truth_name: str | None = None
    reference_command: Sequence[str] = (sys.executable, "-m", "torch_ref.capture")
    port_command: Sequence[str] = (sys.executable, "-m", "ms_model.capture")
    reuse_reference: bool = False
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass
class Outcome:
    """The judgement, and the frames that the report shows."""

    report: dict[str, object]
    rows: list[dict[str, object]]
    frames: dict[str, np.ndarray | None]  # input, reference, port, truth


def read_input(path: Path, max_frames: int | None, token_stride: int = ttvsr.TOKEN_STRIDE) -> np.ndarray:
    """The clip as the networks take it. -> (t, 3, h, w) float32 RGB in [0, 1]"""
    frames = read_clip(path, max_frames).as_network_input()
    ttvsr.check_frames((1, *frames.shape), str(frames.dtype), token_stride)
    ttvsr.check_values(float(frames.min()), float(frames.max()))
    return frames


def verify(job: Job) -> Outcome:
    """Capture both sides, compare, and look closer at the first step that fails, if any."""
    prepare(job)
    whole = job.whole
    if job.reuse_reference:
        capture_port(job, whole, PORT_PASSES)
    else:
        capture_reference(job, "reference", whole)
        if error := Trace(job.work / "reference" / "reference").about["error"]:
            raise PortError(f"the reference did not run through: {error}")
        # The port needs the float32 run only. Side by side with it, the float64 run fills the pauses of the other's threads.
        with ThreadPoolExecutor(max_workers=1) as beside:
            exact = beside.submit(capture_reference, job, "float64", whole, *reference_flag(job), "--quiet")
            capture_port(job, whole, PORT_PASSES)
            exact.result()
    stages = compare(job)
    for _ in range(CLOSER_LOOKS):
        suspect = suspect_step(stages["modules"], whole)
        if suspect is None:
            break
        console.note(f"step {suspect} is where it goes wrong first: a second pass looks at every module in it")
        whole = f"{whole},{suspect}"
        capture_reference(job, "reference", whole)
        capture_port(job, whole, "forced")
        stages = compare(job)
    return judge(job, stages)


def prepare(job: Job) -> None:
    """Check and convert the weights, and write the frames where the captures find them."""
    make_folder(job.work)
    with whole_file(job.work / "input.npy") as draft, open(draft, "wb") as file:
        np.save(file, job.frames)
    start = time.perf_counter()
    _run([sys.executable, "convert_weights.py", str(job.weights), "-o", str(job.work / "port.ckpt")], "conversion")
    job.seconds["conversion"] = time.perf_counter() - start


def capture_reference(job: Job, passes: str, whole: str, *extra: str) -> None:
    """Runs of the reference: in float32, in float64 along the same decisions, single modules again."""
    start = time.perf_counter()
    _capture(job, job.reference_command, job.weights, "reference", passes, whole, list(extra))
    job.seconds["reference"] = job.seconds.get("reference", 0) + time.perf_counter() - start


def reference_flag(job: Job) -> list[str]:
    """Where the other runs find the reference's values and decisions."""
    return ["--reference", str(job.work / "reference" / "reference")]


def capture_port(job: Job, whole: str, passes: str) -> None:
    """The runs of the port, fed from the reference's trace."""
    start = time.perf_counter()
    extra = [*reference_flag(job), "--device", job.device]
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
    arguments += ["--quiet"] * job.quiet + extra + list(job.options)
    written = [job.work / side / name / "trace.json" for name in passes.split(",")]
    _run([*command, *arguments], f"the capture of the {side}", lambda: all(path.exists() for path in written))


def _run(command: Sequence[str], what: str, acceptable: Callable[[], bool] = lambda: False) -> None:
    """Start a process from the repository root; its messages go to our stderr. Raises PortError if it fails."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    # Threads that spin while numpy hashes and measures take its cores; a user's own setting stays.
    surroundings = {"OMP_WAIT_POLICY": "passive", **os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, env=surroundings)
    if done.returncode and not (done.returncode == COULD_NOT_RUN and acceptable()):
        raise PortError(f"{what} ended with exit code {done.returncode}; its message stands above.")


def compare(job: Job) -> dict[str, Stage]:
    """All stages that compare sites, from the traces in the work folder."""
    sources, limits = SOURCES[job.model], tolerance.load()
    reference, truth = reference_traces(job)
    forced, imposed, compiled, free = ports = [Trace(job.work / "port" / name) for name in PORT_PASSES.split(",")]
    check_identity(job, reference, truth, ports)
    modules = compare_modules(reference, truth, forced, limits, sources)
    if sites := replayable(modules, reference):
        capture_reference(job, "replay", job.whole, *reference_flag(job), "--replay", ",".join(sites))
        judge_rounding(modules, reference, forced, Trace(job.work / "reference" / "replay"), limits)
    return {
        "modules": modules,
        "accumulated": compare_accumulated(reference, truth, imposed, limits, sources),
        "compiled": compare_compiled(imposed, compiled, limits, sources),
        "free": count_free_decisions(reference, truth, free, limits, sources),
    }


def reference_traces(job: Job) -> tuple[Trace, Trace]:
    """The float32 and the float64 run of the reference. Raises PortError if one broke off: there is nothing to go by."""
    reference, truth = (Trace(job.work / "reference" / name) for name in ("reference", "float64"))
    for trace in (reference, truth):
        if trace.about["error"]:
            raise PortError(f"the reference did not run through: {trace.about['error']}")
    return reference, truth


def check_identity(job: Job, reference: Trace, truth: Trace, ports: Sequence[Trace]) -> None:
    """Refuse traces of another input, or of ports with different weights. Raises PortError naming the folder."""
    expected = frames_sha256(job.frames)
    for trace in (reference, truth, *ports):
        if trace.about["input_sha256"] != expected:
            raise PortError(f"the trace in {trace.folder} was made from other frames than {job.input_name}.")
        if trace.about["strides"] != reference.about["strides"]:
            raise PortError(f"the trace in {trace.folder} was made with other strides than the reference's.")
    if any(trace.about["weights"] != ports[0].about["weights"] for trace in ports):
        raise PortError(f"the runs of the port in {job.work / 'port'} hold different weights. Capture them again.")


def replayable(modules: Stage, reference: Trace) -> list[str]:
    """Outputs beyond the fixed limit that can be computed again in float64 from the inputs of the same call.

    Only modules without others inside: those are given tensors and nothing else, and rounding is theirs alone.
    """
    parents = {site.rpartition(":")[0].rpartition(".")[0] for site in reference.sites}
    wrong = [row.site for row in modules.failing if row.kind == "output" and row.relative is not None]
    leaves = [site for site in wrong if site.partition(":")[0] not in parents]
    return [site for site in leaves if inputs_of(reference, site)[1]][:REPLAYED]


def suspect_step(modules: Stage, whole: str) -> str | None:
    """The step to look into: where the first wrong site lies, if the modules inside were not compared alone."""
    known = set(whole.split(","))
    if not modules.failing or "all" in known or modules.failing[0].step in known:
        return None
    return modules.failing[0].step


def judge(job: Job, stages: dict[str, Stage]) -> Outcome:
    """Put the report together. The verdict is the worst of all stages."""
    limits = tolerance.load()
    traces = {name: Trace(job.work / "port" / name) for name in PORT_PASSES.split(",")}
    reference = Trace(job.work / "reference" / "reference")
    rename = MODELS[job.model].rules.forward
    imposed, free, expected = traces["imposed"].output(), traces["free"].output(), reference.output()
    summaries = {
        "weights": compare_weights(reference.about["weights"], traces["imposed"].about["weights"], rename),
        "modules": stages["modules"].summary(lambda row: row.relative),
        "accumulated": stages["accumulated"].summary(lambda row: row.ratio),
        "compiled": stages["compiled"].summary(lambda row: row.relative),
        "end_to_end": compare_frames(expected, imposed, free, job.truth, limits),
    }
    free_decisions = [count.as_dict() for count in stages["free"].decisions.values()]
    summaries["end_to_end"]["decisions"] = free_decisions
    if stages["free"].failing or stages["free"].broke_off:
        summaries["end_to_end"]["verdict"] = "fail"
        why = stages["free"].broke_off or "decisions are missing or of another shape"
        summaries["end_to_end"]["reasons"].append(f"the free run: {why}")
    report = {
        "schema": 1,
        "verdict": "pass" if all(stage["verdict"] == "pass" for stage in summaries.values()) else "fail",
        "model": job.model,
        "weights": _about_weights(job),
        "input": _about_input(job),
        "environment": {"reference": _backend(reference), "port": _backend(traces["imposed"])},
        "coverage": coverage(stages["modules"], stages["accumulated"]),
        "not_compared": not_compared(job) + never_run(reference),
        "stages": summaries,
        "first_divergence": first_divergence(stages["modules"], stages["accumulated"]),
        "seconds": {name: round(value, 1) for name, value in job.seconds.items()},
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    frames = {
        "input": job.frames,
        "reference": expected,
        "port": free if free is not None else imposed,
        "truth": job.truth,
    }
    return Outcome(report, series(stages["modules"], stages["accumulated"]), frames)


def not_compared(job: Job) -> list[str]:
    """What this verification says nothing about, in words."""
    missing = ["gradients and training", "devices other than the one named in the environment"]
    missing.append("data types other than float32 (float64 for the reference's own error)")
    missing.append("keyframe stores handed to LTAM as such; the tokens in them are compared when they are made")
    if job.truth is None:
        missing.append("scores against ground truth: none was given (--truth)")
    return missing


def never_run(reference: Trace) -> list[str]:
    """Modules with weights that this clip never runs (a single frame has no flow and no attention)."""
    called = {name.partition("/")[2].partition(":")[0] for name in reference.sites if ":" in name}
    owners = {name.rpartition(".")[0] for name in reference.about["weights"]}
    idle = sorted(owner for owner in owners - called if not any(name.startswith(f"{owner}.") for name in called))
    return [f"modules that this clip never runs: {', '.join(idle)}"] if idle else []


def _about_weights(job: Job) -> dict[str, object]:
    return {"file": job.weights.name, "sha256": sha256_file(job.weights)}


def _about_input(job: Job) -> dict[str, object]:
    t, _, h, w = job.frames.shape
    return {"name": job.input_name, "frames": t, "height": h, "width": w, "truth": job.truth_name}


def _backend(trace: Trace) -> dict[str, object]:
    kept = ("python", "platform", "processor", "numpy")
    return {**trace.about["backend"], **{key: trace.about["environment"][key] for key in kept}}
