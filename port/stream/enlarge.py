"""Every window of a clip through the network, one after the other, each kept before the next begins."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict

import numpy as np
from rich.progress import Progress

from port.errors import PortError
from port.models.table import facts_of
from port.parity.memory import peak_bytes
from port.stream.job import Job
from port.stream.network import NetworkProgress, crop_output, finish, frames_of, prepare
from port.stream.run import Run
from port.stream.tiles import in_tiles, kept, tile_count
from port.stream.windows import Window, cut, plan
from port.video.clip import Clip


def enlarge(run: Run, job: Job, load: Callable, display: Progress) -> list[Window]:
    """Make every piece that is not there yet. -> all windows of the clip"""
    windows, upscale, bar = [], None, None
    for window, frames in cut(run.source.frames, run.choice.window, run.choice.overlap):
        windows.append(window)
        if job.has(window):
            run.resumed += 1
            continue
        if upscale is None:
            run.note("load ...")
            with run.stage("load"):
                upscale = load(run.args)
            run.note("network ...")
            bar = NetworkProgress(display, steps_left(run, job))
        with run.stage("network"), _memory_errors(window, run.size):
            output = collect(run, window, through_network(run, window, frames, lambda x: upscale(x, bar)))  # noqa: B023
        with run.stage("write"):
            job.begin(asdict(run.choice))
            job.store(window, output)
        run.computed += window.keep_to - window.keep_from
        del output
        run.memory.append((window.keep_to, peak_bytes()))
        note_progress(run, window)
    return windows


def through_network(run: Run, window: Window, frames: list[np.ndarray], upscale: Callable) -> Iterator[np.ndarray]:
    """The frames of a window that are kept, enlarged, as they are known. -> (1, 1, 3, 4h, 4w) float32 each"""
    stride, choice = run.args.token_stride, run.choice
    given = prepare(Clip(np.stack(frames), None, []), stride)
    keep = slice(window.keep_from - window.start, window.keep_to - window.start)
    if tile_count(run.size, choice.tile, choice.tile_overlap, stride) == 1:
        output = kept(upscale(given), keep)
    else:
        output = frames_of(in_tiles(upscale, given, keep, choice.tile, choice.tile_overlap, stride))
    return (crop_output(frame[:, None], 1, run.size) for frame in output)


def collect(run: Run, window: Window, frames: Iterator[np.ndarray]) -> np.ndarray:
    """As a piece holds them: (t, 3, 4h, 4w) float32 for arrays, else (t, 4h, 4w, 3) uint8, a quarter of the memory."""
    count, piece, found = window.keep_to - window.keep_from, None, 0
    for found, frame in enumerate(frames, start=1):
        picture = (frame[0] if run.kind == "array" else finish(frame))[0]
        piece = np.empty((count, *picture.shape), picture.dtype) if piece is None else piece
        piece[found - 1] = picture
    if found != count:
        raise PortError(f"the network gave {found} frames of the {count} to be kept.")
    return piece


def steps_left(run: Run, job: Job) -> int | None:
    """How often the network will tell of a step, None where the length of the clip is not known."""
    if run.source.count is None:
        return None
    choice = run.choice
    left = [w for w in plan(run.source.count, choice.window, choice.overlap) if not job.has(w)]
    tiles = tile_count(run.size, choice.tile, choice.tile_overlap, run.args.token_stride)
    steps_of = facts_of(run.args.model).steps_of
    return tiles * sum(steps_of(window.end - window.start, window.keep_to - window.start) for window in left)


@contextmanager
def _memory_errors(window: Window, size: tuple[int, int]) -> Iterator[None]:
    """Say what to do when memory runs out; frameworks report that in classes of their own."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "memory" not in str(error).lower():
            raise
        t, (h, w) = window.end - window.start, size
        raise PortError(
            f"not enough memory for {t} frames of {w}x{h}. Take fewer at once with --window, or smaller --tile."
        ) from error


def note_progress(run: Run, window: Window) -> None:
    """A line per window for those who see no bar."""
    count = run.source.count
    if count is not None and window.keep_to >= count:
        return
    pace = (run.seconds["network"] + run.seconds["write"]) / run.computed
    left = "" if count is None else f", about {_clock(pace * max(0, count - window.keep_to))} left"
    of = "" if count is None else f" of {count}"
    run.note(f"{window.keep_to}{of} frames done, {pace:.2f} s per frame{left}")


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
