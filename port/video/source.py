"""A clip that is read frame by frame."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np

from port.video.clip import NUMBERED
from port.video.colour import Colour

TIME_ERROR = Fraction(3, 2000)  # seconds: Matroska rounds times to thousandths


@dataclass
class Source:
    """Frames in display order, each read when it is asked for.

    frames     (h, w, 3) RGB each, all of one size: uint8, or float32 in [0, 1] where an array of floats is read
    count      frames announced; None where that is not known. A damaged video may hold fewer
    fps        frames per second, exact; None for pictures and arrays, which have none
    names      of pictures, without extension; empty where frames have none
    times      seconds at which the frames read so far are shown, counted from the beginning of the file
    """

    path: Path
    frames: Iterator[np.ndarray]
    count: int | None
    fps: Fraction | None = None
    names: list[str] = field(default_factory=list)
    colour: Colour = field(default_factory=Colour)
    times: list[Fraction] = field(default_factory=list)
    time_base: Fraction | None = None
    is_movie: bool = False

    def name(self, index: int) -> str:
        """Name of a frame, its number where it has none."""
        return self.names[index] if self.names else NUMBERED.format(index)

    def is_even(self) -> bool:
        """Whether the frames read so far begin at 0 and follow each other at the frame rate, as far as times are known."""
        error = max(TIME_ERROR, self.time_base or 0)
        return not self.fps or all(abs(time - i / self.fps) <= error for i, time in enumerate(self.times))

    def has_gaps(self) -> bool:
        """Whether some step between two frames differs from the frame rate by more than half of it."""
        return bool(self.fps) and any(abs((b - a) * self.fps - 1) > 0.5 for a, b in pairwise(self.times))
