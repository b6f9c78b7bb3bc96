"""A clip in memory, and the limits that keep a hostile or mistaken file from filling it."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from port.errors import PortError

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm")
VIDEOS_IN = (".mp4", ".mov", ".m4v", ".mkv", ".avi", ".webm", ".mpg", ".mpeg", ".ts", ".y4m", ".wmv", ".flv", ".gif")
VIDEOS_OUT = (".mp4", ".mov", ".mkv")  # containers that hold H.264 with any frame rate
ARRAYS = (".npy",)
NUMBERED = "{:08d}"  # name of a frame that has none

MAX_PIXELS = 2**26  # of one frame: 8192 x 8192, twice an 8K picture
MAX_BYTES = 4 * 2**30  # of one clip in memory


@dataclass(frozen=True)
class Clip:
    """Frames in display order.

    frames  (t, h, w, 3) RGB: uint8, or float32 in [0, 1] where an array of floats was read
    fps     frames per second, exact; None for pictures and arrays, which have none
    names   one per frame, unique, without extension
    """

    frames: np.ndarray
    fps: Fraction | None
    names: list[str]

    def as_network_input(self) -> np.ndarray:
        """(t, 3, h, w) float32 RGB in [0, 1]; 8-bit values are divided by 255 in float32, as training data are."""
        frames = self.frames.transpose(0, 3, 1, 2)
        if frames.dtype == np.uint8:
            frames = frames.astype(np.float32) / np.float32(255)
        return np.ascontiguousarray(frames, dtype=np.float32)


def check_size(width: int, height: int, where: object) -> None:
    """Refuse a frame with no pixels or absurdly many. `where` names the file in the message."""
    if width < 1 or height < 1:
        raise PortError(f"{where}: a frame of {width}x{height} pixels holds nothing.")
    if width * height > MAX_PIXELS:
        raise PortError(f"{where}: a frame of {width}x{height} pixels is refused, the limit is {MAX_PIXELS} pixels.")


def check_bytes(count: int, frame_bytes: int, where: object) -> None:
    """Refuse a clip of `count` frames that would need more memory than MAX_BYTES."""
    if count * frame_bytes > MAX_BYTES:
        raise PortError(
            f"{where}: {count} frames need more than {MAX_BYTES / 2**30:.0f} GiB of memory; the network takes a clip "
            "as a whole. Read fewer with --max-frames, or cut the clip."
        )
