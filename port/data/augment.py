"""The random choices of one training sample, and what they do to its frames."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from port.errors import UsageError


@dataclass(frozen=True)
class Recipe:
    """How training samples are cut out of clips; the defaults are those of REDS. Source: configuration of TTVSR.

    frames     of a sample, neighbours in time (interval 1), at a random start
    crop       width and height of the patch in low resolution; `scale` times that in the truth
    reverse    probability that time runs backwards
    hflip      probability of mirroring left-right, then
    vflip      of mirroring top-bottom, then
    transpose  of swapping rows and columns
    mirror     how often the sequence is doubled by its mirror image in the end: 7 frames twice mirrored are 28
    """

    frames: int = 50
    crop: int = 64
    reverse: float = 0.5
    hflip: float = 0.5
    vflip: float = 0.5
    transpose: float = 0.5
    mirror: int = 0
    scale: int = 4

    def __post_init__(self):
        wrong = [name for name in ("frames", "crop", "scale") if getattr(self, name) < 1]
        wrong += [name for name in ("reverse", "hflip", "vflip", "transpose") if not 0 <= getattr(self, name) <= 1]
        wrong += ["mirror"] * (self.mirror < 0)
        if wrong:
            raise UsageError(
                f"recipe: {wrong[0]} cannot be {getattr(self, wrong[0])}. Sizes start at 1, probabilities lie in 0..1."
            )

    @property
    def length(self) -> int:
        """Frames of a sample that the network sees."""
        return self.frames * 2**self.mirror


REDS = Recipe()
VIMEO90K = Recipe(frames=7, reverse=0.0, mirror=2)


@dataclass(frozen=True)
class Cut:
    """The choices of one sample: first frame, corner of the patch in low resolution, and what is turned."""

    start: int
    backwards: bool
    top: int
    left: int
    hflip: bool
    vflip: bool
    transpose: bool


def draw(rng: np.random.Generator, recipe: Recipe, count: int, size: tuple[int, int]) -> Cut:
    """Choose; always the same number of draws in the same order, so that probabilities do not shift what follows.

    count  frames of the clip
    size   (height, width) of its low resolution
    """
    start = rng.integers(count - recipe.frames + 1)
    backwards, hflip, vflip, transpose = rng.random(4) < (recipe.reverse, recipe.hflip, recipe.vflip, recipe.transpose)
    top, left = (rng.integers(n - recipe.crop + 1) for n in size)
    return Cut(int(start), bool(backwards), int(top), int(left), bool(hflip), bool(vflip), bool(transpose))


def frame_order(cut: Cut, recipe: Recipe) -> range:
    """Which frames of the clip are needed, in their order in the sample, before it is mirrored."""
    order = range(cut.start, cut.start + recipe.frames)
    return order[::-1] if cut.backwards else order


def patch(frame: np.ndarray, cut: Cut, recipe: Recipe, scale: int) -> np.ndarray:
    """The patch of one frame (h, w, 3), turned as chosen. scale 1 for low resolution, recipe.scale for the truth"""
    side, top, left = recipe.crop * scale, cut.top * scale, cut.left * scale
    cropped = frame[top : top + side, left : left + side]
    cropped = cropped[:, ::-1] if cut.hflip else cropped
    cropped = cropped[::-1] if cut.vflip else cropped
    return cropped.swapaxes(0, 1) if cut.transpose else cropped


def mirrored(frames: Sequence[np.ndarray], times: int) -> list[np.ndarray]:
    """0..6 -> 0..6 6..0, as often as said."""
    frames = list(frames)
    for _ in range(times):
        frames = frames + frames[::-1]
    return frames
