"""Between frames and the network: what it is given, what becomes of its output, how far it has come."""

import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from rich.progress import Progress

from port.errors import PortError
from port.metrics.levels import to_uint8
from port.models.ttvsr import TOKEN_STRIDE, least_side
from port.models.vsr import SCALE
from port.parity.probe import Probe
from port.video.clip import Clip

# (1, t, 3, h, w) float32 -> (1, t, 3, 4h, 4w), or its frames (1, 3, 4h, 4w) one by one, telling the probe
Upscale = Callable[[np.ndarray, Probe], np.ndarray | Iterable[np.ndarray]]


def prepare(clip: Clip, token_stride: int = TOKEN_STRIDE) -> np.ndarray:
    """What the network is given. -> (1, t, 3, h, w) float32 RGB in [0, 1], h and w at least 64

    8-bit values are divided by 255 in float32. Sides under 64 are reflected up to it at the right and bottom, as often
    as that takes (a side of one pixel is repeated); every other size stays as it is, multiple of anything or not.
    """
    frames = clip.as_network_input()
    missing = [max(0, least_side(token_stride) - side) for side in frames.shape[2:]]
    if any(missing):
        frames = np.pad(frames, ((0, 0), (0, 0), (0, missing[0]), (0, missing[1])), mode="reflect")
    return frames[None]


def frames_of(output: np.ndarray | Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """What an Upscale gave, frame by frame: (1, 3, 4h, 4w) each."""
    return (output[:, i] for i in range(output.shape[1])) if isinstance(output, np.ndarray) else iter(output)


class Timed:
    """Frames of an Upscale with the seconds that it takes to make them, whatever is done with them in between."""

    def __init__(self, upscale: Upscale, lrs: np.ndarray, probe: Probe):
        start = time.perf_counter()
        self.frames = frames_of(upscale(lrs, probe))
        self.seconds = time.perf_counter() - start

    def __iter__(self) -> Iterator[np.ndarray]:
        return self

    def __next__(self) -> np.ndarray:
        start = time.perf_counter()
        try:
            return next(self.frames)
        finally:
            self.seconds += time.perf_counter() - start


def crop_output(output: np.ndarray, count: int, size: tuple[int, int]) -> np.ndarray:
    """Cut off what `prepare` added. (1, t, 3, 4h', 4w') -> (1, t, 3, 4h, 4w) for `count` frames of `size` (h, w)"""
    h, w = size
    cropped = output[..., : SCALE * h, : SCALE * w]
    if cropped.shape != (1, count, 3, SCALE * h, SCALE * w):
        raise PortError(f"the network gave {output.shape} for {count} frames of {w}x{h}: it does not enlarge by 4.")
    return cropped


def finish(output: np.ndarray) -> np.ndarray:
    """Frames to look at. (1, t, 3, h, w) nominally in [0, 1] -> (t, h, w, 3) uint8, clamped and rounded"""
    return to_uint8(np.ascontiguousarray(output[0].transpose(0, 2, 3, 1)))


class NetworkProgress(Probe):
    """A bar that moves on with every step the network enters. doing: what stands before the step's name; may be changed"""

    def __init__(self, display: Progress, steps: int | None, doing: str = "network"):
        """steps: how many there will be, None where that is not known."""
        self.display, self.doing = display, doing
        self.task = display.add_task(doing, total=steps)

    def step(self, label: str) -> None:
        self.display.update(self.task, advance=1, description=f"{self.doing} {label}")
