"""Overlapping windows in time over frames that arrive one by one."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from port.errors import UsageError

Frame = TypeVar("Frame")


@dataclass(frozen=True)
class Window:
    """Frames [start, end) go through the network together; of its output [keep_from, keep_to) is kept."""

    start: int
    end: int
    keep_from: int
    keep_to: int


def check_windows(window: int, overlap: int) -> None:
    """Raises UsageError for a window that would not move on."""
    if window < 1 or not 0 <= overlap < window:
        raise UsageError(f"--overlap must be at least 0 and smaller than --window, found {overlap} and {window}.")


def cut(frames: Iterable[Frame], window: int, overlap: int) -> Iterator[tuple[Window, list[Frame]]]:
    """Cut a stream of any length into windows of `window` frames, `overlap` of them shared with the next.

    Neighbours part in the middle of what they share. The last window is moved back, so that it is as long as the
    others; a stream of at most `window` frames is one window. Never more than 2 * window - overlap frames are held.
    """
    check_windows(window, overlap)
    source, held = iter(frames), []
    start = keep_from = 0
    while True:
        # read on until it is known whether the next window is the last
        while len(held) < 2 * window - overlap and (frame := next(source, None)) is not None:
            held.append(frame)
        if len(held) <= window:
            if held:
                yield Window(start, start + len(held), keep_from, start + len(held)), held
            return
        step = min(window - overlap, len(held) - window)
        keep_to = start + (step + window) // 2
        yield Window(start, start + window, keep_from, keep_to), held[:window]
        del held[:step]
        start, keep_from = start + step, keep_to


def plan(count: int, window: int, overlap: int) -> list[Window]:
    """The windows of a stream of `count` frames."""
    return [place for place, _ in cut(range(count), window, overlap)]
