"""How much memory a window of a tile takes: measured once per framework."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import psutil

from port.models.speed import TOGETHER
from port.models.ttvsr import most_features_kept
from port.models.vsr import OFFICIAL_CHANNELS, SCALE, bands

GIB = 2**30
OUTPUT_BYTES = 3 * SCALE**2 * 4  # per pixel and frame of a blended window
INPUT_BYTES = 3 * 3  # per pixel and frame: read ahead and stacked, 8 bits each
NUMBER_BYTES = 4  # float32
TOGETHER_BYTES = 600  # per pixel and frame: features and tokens of the second direction, see docs/speed-modes.md
POOLED = 220_000  # pixels of all frames together: a pool of memory grows with them until it has arrays enough of every size
MARGIN = 0.9  # of the memory at hand that a job may plan with

Size = tuple[int, int]  # height and width in pixels


@dataclass(frozen=True)
class Cost:
    """Peak of resident memory of the official network (64 channels, float32) on a CPU, fitted to the runs in docs/video.md.

    base       bytes of the framework, its libraries and the weights
    per_frame  bytes per pixel of a tile and frame of a window, features of the frames not counted
    per_pixel  bytes per pixel of a tile, whatever the number of frames
    per_band   bytes per pixel of what is enlarged at once: a band of the tile, see `bands`
    pooled     bytes per pixel and frame of the first POOLED pixels of a window
    together   whether both directions run as one batch: tokens of both, and the features of all frames
    """

    base: float
    per_frame: float
    per_pixel: float
    per_band: float
    pooled: float = 0.0
    together: bool = False

    def peak(self, frames: int, whole: Size, tile: Size | None = None) -> float:
        """Bytes for windows of `frames` frames of the size `whole`, through the network as a whole or in tiles of a size."""
        stored = frames * whole[0] * whole[1]
        total = self.base + stored * (INPUT_BYTES if tile is None else INPUT_BYTES + OUTPUT_BYTES)
        height, width = tile or whole
        pixels = height * width
        if self.together:
            features = frames * pixels * OFFICIAL_CHANNELS * NUMBER_BYTES + frames * pixels * TOGETHER_BYTES
        else:
            features = most_features_kept(frames * pixels, OFFICIAL_CHANNELS) * NUMBER_BYTES
        top, bottom, *_ = bands(height, width)[0]
        transient = pixels * self.per_pixel + (bottom - top) * width * self.per_band
        pool = min(frames * pixels, POOLED) * self.pooled
        return total + features + frames * pixels * self.per_frame + transient + pool


# Measured on TTVSR. BasicVSR, which keeps fewer features of a frame, takes less and is planned with the same: 1.5 GiB for 41
# frames of 180x144 in PyTorch, where 1.7 are estimated.
COSTS = {
    "torch": Cost(0.43e9, 610, 5_070, 14_300),
    "mindspore": Cost(1.10e9, 610, 7_030, 14_250, 1_210),
}


def cost_of(framework: str, device: str, ways: Sequence[str]) -> Cost | None:
    """What a job will take. ways: of --fast, the usual included; None where nothing is known, as of a device of its own"""
    cost = COSTS.get(framework) if device == "cpu" else None
    return cost and replace(cost, together=TOGETHER in ways)


def available() -> float:
    """Bytes that a job may plan with: most of what can be had now without swapping."""
    return MARGIN * psutil.virtual_memory().available
