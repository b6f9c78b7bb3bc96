"""How much memory a window of a tile takes: measured once per framework."""

from dataclasses import dataclass

import psutil

from port.models.vsr import SCALE

GIB = 2**30
OUTPUT_BYTES = 3 * SCALE**2 * 4  # per pixel and frame of a blended window
INPUT_BYTES = 3 * 3  # per pixel and frame: read ahead and stacked, 8 bits each
MARGIN = 0.9  # of the memory at hand that a job may plan with


@dataclass(frozen=True)
class Cost:
    """Peak of resident memory of the official network (64 channels, float32) on a CPU, fitted to the runs in docs/video.md.

    base       bytes of the framework, its libraries and the weights
    per_frame  bytes per pixel of a tile and frame of a window
    per_pixel  bytes per pixel of a tile, whatever the number of frames
    """

    base: float
    per_frame: float
    per_pixel: float

    def peak(self, frames: int, whole: int, tile: int | None = None) -> float:
        """Bytes for windows of `frames` frames of `whole` pixels each, through the network as a whole or in tiles of `tile`."""
        total = self.base + frames * whole * INPUT_BYTES
        if tile is None:
            return total + whole * (frames * self.per_frame + self.per_pixel)
        return total + frames * whole * OUTPUT_BYTES + tile * (frames * self.per_frame + self.per_pixel)


# Measured on TTVSR. BasicVSR, which keeps fewer features of a frame, takes less and is planned with the same: 1.5 GiB for 41
# frames of 180x144 in PyTorch, where 2.1 are estimated.
COSTS = {
    "torch": Cost(0.45e9, 1300, 18_200),
    "mindspore": Cost(1.09e9, 1510, 25_800),
}


def available() -> float:
    """Bytes that a job may plan with: most of what can be had now without swapping."""
    return MARGIN * psutil.virtual_memory().available
