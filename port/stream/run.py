"""One call of `infer`: what is known before the network is loaded."""

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain

import numpy as np

from port import console
from port.errors import UsageError
from port.files import sha256_file
from port.models.speed import taken
from port.models.ttvsr import least_side
from port.stream import choose
from port.stream.arguments import wanted
from port.stream.compare import PICTURE, check_compare
from port.stream.job import Job, identify_input, work_folder
from port.stream.memory import GIB, available, cost_of
from port.video.read import open_source
from port.video.source import Source
from port.video.write import check_rate


@dataclass
class Run:
    """What one call of the command knows. fps: of what is written; None where nothing needs one."""

    args: argparse.Namespace
    kind: str
    source: Source
    size: tuple[int, int]  # (h, w) of the input
    fps: Fraction | None = None
    framework: str = ""
    choice: choose.Choice | None = None
    estimated: float | None = None
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(("read", "load", "network", "write"), 0.0))
    resumed: int = 0
    computed: int = 0  # frames given to the network and kept
    memory: list[tuple[int, int | None]] = field(default_factory=list)  # (frames done, peak in bytes so far) per window

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage; it may come several times."""
        start = time.perf_counter()
        yield
        self.seconds[name] += time.perf_counter() - start

    def note(self, message: str) -> None:
        """A line of log unless --quiet."""
        if not self.args.quiet:
            console.note(message)


def check_free(args: argparse.Namespace, kind: str) -> None:
    """Refuse to write over what exists, before any work."""
    if args.compare is not None:
        check_compare(args.compare, kind)
    unfinished = work_folder(args.output).is_dir()  # an earlier run may have come as far as the comparison
    for path in (args.output, None if unfinished else args.compare):
        if path is None or args.overwrite or not path.exists() or (path.is_dir() and not any(path.glob("*.png"))):
            continue
        raise UsageError(f"{path} exists already. Name another output, or give --overwrite to replace it.")


def open_run(args: argparse.Namespace, kind: str) -> Run:
    """Open the input and read its first frame."""
    source = open_source(args.input, args.max_frames)
    fps, size = None, None
    if kind == "video" or (args.compare is not None and args.compare.suffix.lower() != PICTURE):
        fps = check_rate(args.output, args.fps or source.fps)
    run = Run(args, kind, source, size, fps)
    run.note("read ...")
    with run.stage("read"):
        first = next(source.frames)
    run.size = first.shape[:2]
    source.frames = _timed(run, chain([first], source.frames))
    return run


def _timed(run: Run, frames: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    while True:
        with run.stage("read"):
            frame = next(frames, None)
        if frame is None:
            return
        yield frame


def identity(run: Run) -> dict:
    """What the pieces of a job depend on, in words for the message about a change."""
    args = run.args
    return {
        "the input's sha256": identify_input(args.input),
        "the weights' sha256": sha256_file(args.weights),
        "framework": run.framework,
        "--device": args.device,
        "--dtype": args.dtype,
        "--fast": ",".join(ways_of(run)) or "nothing",
        "--model": args.model,
        "--keyframe-stride": args.keyframe_stride,
        "--token-stride": args.token_stride,
        "--window": args.window or "auto",
        "--overlap": "default" if args.overlap is None else args.overlap,
        "--tile": list(args.tile) if isinstance(args.tile, tuple) else args.tile,
        "--tile-overlap": args.tile_overlap,
    }


def ways_of(run: Run) -> list[str]:
    """All ways in which frames are computed: those of --fast, the usual ones, and whether MindSpore's parts are compiled."""
    ways = [way for way in taken(run.args.fast, run.framework, run.args.device) if way != "compiled"]
    return [*ways, *(["compiled"] if run.framework == "mindspore" and not run.args.eager else [])]


def choose_cut(run: Run, job: Job) -> None:
    """Windows and tiles: those of an interrupted run, or what fits into memory."""
    args, (h, w) = run.args, run.size
    least = least_side(args.token_stride)
    clip = choose.Clip(run.source.count, (max(h, least), max(w, least)), args.token_stride, least)
    cost = cost_of(run.framework, args.device, taken(args.fast, run.framework, args.device))
    if job.choice is not None:
        tile = job.choice["tile"] and tuple(job.choice["tile"])
        run.choice = choose.Choice(**job.choice | {"tile": tile})
        run.estimated = cost and choose.estimate(cost, run.choice, clip)
    else:
        budget = available() if args.memory is None else args.memory * GIB
        run.choice, run.estimated = choose.choose(wanted(args), clip, cost, budget)
    if isinstance(args.tile, tuple) and (better := choose.better_tile(run.choice, clip)):
        run.note(
            f"--tile {better[0]} {better[1]} would show less of its seams: its flows are more like the whole frame's."
        )
    if run.estimated is not None:
        run.note(f"about {run.estimated / GIB:.1f} GiB of memory with {run.choice}")
