"""Overlapping tiles in space, blended where they meet."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count, islice

import numpy as np

from port.errors import UsageError
from port.models.vsr import FLOW_MULTIPLE, SCALE
from port.stream.network import frames_of


@dataclass(frozen=True)
class Span:
    """Pixels [start, end) of one side, and where they fade into their neighbours: None at an edge of the frame.

    A fade is (first, last) in pixels of the input: before `first` all is the earlier tile's, after `last` the later's.
    """

    start: int
    end: int
    fade_in: tuple[float, float] | None = None
    fade_out: tuple[float, float] | None = None


def check_tile(tile: tuple[int, int], overlap: int, multiple: int, least: int) -> None:
    """Raises UsageError unless both sides are multiples of `multiple`, at least `least` and twice the overlap."""
    for name, side in zip(("height", "width"), tile, strict=True):
        if side < least or side % multiple:
            raise UsageError(
                f"--tile: the {name} must be a multiple of {multiple} (the token stride) and at least {least}, found {side}."
            )
    if overlap < 0 or overlap % multiple or 2 * overlap > min(tile):
        raise UsageError(
            f"--tile-overlap must be a multiple of {multiple} (the token stride) and at most half a tile, found {overlap} "
            f"for tiles of {tile[1]}x{tile[0]}."
        )


def like_whole(side: int, whole: int, multiple: int) -> int:
    """The shortest side of a tile, from `side` pixels on, that the flow network resizes by about as much as the frame's.

    SPyNet works on multiples of FLOW_MULTIPLE. A side of 128 pixels is taken as it is, one of 104 is stretched to 128, and its
    flows are others than those of the frame, however wide the overlap. Multiples of FLOW_MULTIPLE suit frames that are such,
    too; a side of 180 is stretched to 192, and so should be that of its tiles. -> a multiple of `multiple`
    """
    scale = whole / _resized(whole)
    fits = (round(FLOW_MULTIPLE * scale * steps / multiple) * multiple for steps in count(1))
    return next(length for length in fits if length >= side)


def _resized(side: int) -> int:
    return -(-side // FLOW_MULTIPLE) * FLOW_MULTIPLE


def spans(side: int, tile: int, overlap: int, multiple: int) -> list[Span]:
    """Cut one side of a frame into spans of `tile` pixels that start at multiples of `multiple`.

    The last one is moved back to end with the frame; it is longer by what the side has beyond a multiple. Neighbours fade
    over the middle half of `overlap`: the outer quarters, which see least around them, are left out.
    """
    last = max(0, (side - tile) // multiple * multiple)
    starts = [*range(0, last, tile - overlap), last]
    ends = [*(start + tile for start in starts[:-1]), side]
    fades = [
        ((start + end - overlap / 2) / 2, (start + end + overlap / 2) / 2)
        for start, end in zip(starts[1:], ends[:-1], strict=True)
    ]
    return [Span(*place) for place in zip(starts, ends, [None, *fades], [*fades, None], strict=True)]


def weights(span: Span) -> np.ndarray:
    """How much of each enlarged pixel of a span is its own, (SCALE * length,) float32; spans of one side add up to 1."""
    centres = span.start + (np.arange(SCALE * (span.end - span.start)) + 0.5) / SCALE
    rise = _ramp(centres, span.fade_in) if span.fade_in else np.ones_like(centres)
    fall = _ramp(centres, span.fade_out) if span.fade_out else np.zeros_like(centres)
    return (rise - fall).astype(np.float32)


def _ramp(x: np.ndarray, fade: tuple[float, float]) -> np.ndarray:
    first, last = fade
    return np.clip((x - first) / (last - first), 0, 1) if last > first else (x >= first).astype(float)


def tile_count(size: tuple[int, int], tile: tuple[int, int] | None, overlap: int, multiple: int) -> int:
    """Into how many tiles a frame of `size` (h, w) falls."""
    return 1 if tile is None else len(list(places(size, tile, overlap, multiple)))


def places(size: tuple[int, int], tile: tuple[int, int], overlap: int, multiple: int) -> Iterator[tuple[Span, Span]]:
    """(rows, columns) of every tile, row by row."""
    rows, columns = (spans(side, length, overlap, multiple) for side, length in zip(size, tile, strict=True))
    return ((row, column) for row in rows for column in columns)


def kept(output: np.ndarray | Iterable[np.ndarray], keep: slice) -> Iterator[np.ndarray]:
    """The frames [start, stop) of what an Upscale gives. Those behind are not asked for: they would be enlarged for nothing."""
    return islice(frames_of(output), keep.start, keep.stop)


def in_tiles(
    upscale: Callable[[np.ndarray], np.ndarray | Iterable[np.ndarray]],
    frames: np.ndarray,
    keep: slice,
    tile: tuple[int, int] | None,
    overlap: int,
    multiple: int,
) -> np.ndarray:
    """Enlarge a window tile by tile. frames (1, t, 3, h, w) -> (1, frames of `keep`, 3, 4h, 4w) float32

    Without `tile`, or where the frame is no larger than one, the network's own output, to the bit.
    """
    _, _, channels, h, w = frames.shape
    if tile is None or tile_count((h, w), tile, overlap, multiple) == 1:
        return np.stack(list(kept(upscale(frames), keep)), axis=1)
    whole = np.zeros((1, keep.stop - keep.start, channels, SCALE * h, SCALE * w), np.float32)
    for row, column in places((h, w), tile, overlap, multiple):
        part = upscale(np.ascontiguousarray(frames[..., row.start : row.end, column.start : column.end]))
        share = weights(row)[:, None] * weights(column)
        above, left = SCALE * row.start, SCALE * column.start
        for i, frame in enumerate(kept(part, keep)):
            whole[:, i, :, above : above + share.shape[0], left : left + share.shape[1]] += frame * share
    return whole
