"""Windows and tiles for a clip: what the user asked for, the rest so that memory suffices."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from port.errors import PortError
from port.stream.memory import GIB, Cost
from port.stream.tiles import check_tile, like_whole, tile_count
from port.stream.windows import check_windows

# Frames of a clip that runs as one window where memory allows: the official evaluation takes sequences of this length.
LONGEST_WHOLE = 100
WINDOW, OVERLAP = 60, 12  # frames; docs/video.md has what they cost in PSNR
SHORTER = (48, 36, 24)  # windows where memory asks for it; below that smaller tiles are tried first
SHORTEST = (16, 12, 8)
TILE_OVERLAP = 32  # pixels
SMALLEST_TILE = 96  # pixels along a side that is halved no further


@dataclass(frozen=True)
class Wanted:
    """What the command line says. window, overlap: None to be chosen; tile: (h, w), None for whole frames, or "auto"."""

    window: int | None = None
    overlap: int | None = None
    tile: tuple[int, int] | str | None = "auto"
    tile_overlap: int = TILE_OVERLAP


@dataclass(frozen=True)
class Choice:
    """How a clip is cut. tile (h, w) in pixels, None for whole frames."""

    window: int
    overlap: int
    tile: tuple[int, int] | None
    tile_overlap: int

    def __str__(self) -> str:
        tile = "none" if self.tile is None else f"{self.tile[0]} {self.tile[1]}"
        return f"--window {self.window} --overlap {self.overlap} --tile {tile}"


@dataclass(frozen=True)
class Clip:
    """What is to be cut. count: frames, None where not known; size (h, w) as the network is given it.

    multiple  tiles start at multiples of it and are multiples of it: the token stride
    least     the smallest side of a tile
    """

    count: int | None
    size: tuple[int, int]
    multiple: int
    least: int


def choose(wanted: Wanted, clip: Clip, cost: Cost | None, budget: float) -> tuple[Choice, float | None]:
    """-> windows and tiles, and the memory they are estimated to take, None without a cost.

    Raises UsageError for values that cannot be, PortError with advice where the memory does not suffice.
    """
    found = list(candidates(wanted, clip))
    for choice in found:
        check_windows(choice.window, choice.overlap)
    if isinstance(wanted.tile, tuple):
        check_tile(wanted.tile, wanted.tile_overlap, clip.multiple, clip.least)
    if cost is None:
        return found[0], None
    for choice in found:
        if estimate(cost, choice, clip) <= budget:
            return choice, estimate(cost, choice, clip)
    raise PortError(_advice(wanted, clip, cost, budget, found[0]))


def _advice(wanted: Wanted, clip: Clip, cost: Cost, budget: float, first: Choice) -> str:
    h, w = clip.size
    needed = estimate(cost, first, clip) / GIB
    text = (
        f"{first.window} frames of {w}x{h} at once take about {needed:.1f} GiB of memory, {budget / GIB:.1f} are free."
    )
    fitting = [choice for choice in candidates(Wanted(), clip) if estimate(cost, choice, clip) <= budget]
    if fitting:
        return f"{text} Take {fitting[0]}, or leave these flags out: they are chosen so that it fits."
    smallest = min(candidates(Wanted(), clip), key=lambda choice: estimate(cost, choice, clip))
    least = estimate(cost, smallest, clip) / GIB
    return (
        f"{text} The least is {least:.1f} GiB with {smallest}. End other programs, or name more with --memory to go on."
    )


def estimate(cost: Cost, choice: Choice, clip: Clip) -> float:
    """Peak memory in bytes."""
    frames = choice.window if clip.count is None else min(clip.count, choice.window)
    if choice.tile is None or tile_count(clip.size, choice.tile, choice.tile_overlap, clip.multiple) == 1:
        return cost.peak(frames, clip.size)
    h, w = (min(side, full) + clip.multiple - 1 for side, full in zip(choice.tile, clip.size, strict=True))
    return cost.peak(frames, clip.size, (h, w))


def candidates(wanted: Wanted, clip: Clip) -> Iterator[Choice]:
    """Ways to cut a clip, the best first: whole frames in long windows, then smaller tiles, last short windows."""
    longest = WINDOW
    if clip.count and clip.count <= LONGEST_WHOLE:
        longest = clip.count + clip.count // 20 + 2  # headers are not always exact
    tiles = _tiles(clip) if wanted.tile == "auto" else [wanted.tile]
    for lengths in ((longest, WINDOW, *SHORTER), SHORTEST):
        lengths = [n for n in lengths if n <= longest]
        if wanted.window is not None:
            lengths = [wanted.window]
        for tile in tiles:
            for window in lengths:
                overlap = min(OVERLAP, window // 3) if wanted.overlap is None else wanted.overlap
                if overlap < window or wanted.window is not None:
                    yield Choice(window, overlap, tile, wanted.tile_overlap)


def _tiles(clip: Clip) -> list[tuple[int, int] | None]:
    """Whole frames, then sides halved in turn, the longer one first; no seam but for their edges (`like_whole`)."""
    found, sides = [None], list(clip.size)
    while max(sides) >= 2 * SMALLEST_TILE:
        longer = sides.index(max(sides))
        sides[longer] = (sides[longer] + 1) // 2
        wide = [side + (TILE_OVERLAP if side < full else 0) for side, full in zip(sides, clip.size, strict=True)]
        found.append(_like_whole([max(side, clip.least) for side in wide], clip))
    return found


def _like_whole(sides: Sequence[int], clip: Clip) -> tuple[int, int]:
    h, w = (like_whole(side, full, clip.multiple) for side, full in zip(sides, clip.size, strict=True))
    return h, w


def better_tile(choice: Choice, clip: Clip) -> tuple[int, int] | None:
    """The next larger tile whose flows are more like the whole frame's; None where there is none, or nothing is cut."""
    if choice.tile is None or tile_count(clip.size, choice.tile, choice.tile_overlap, clip.multiple) == 1:
        return None
    better = _like_whole(choice.tile, clip)
    cut = [(side, wide) for side, wide, full in zip(choice.tile, better, clip.size, strict=True) if side < full]
    return better if any(side != wide for side, wide in cut) else None
