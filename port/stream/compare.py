"""Before and after side by side: left enlarged by bicubic interpolation, right the network's result."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from port.errors import UsageError
from port.models.vsr import SCALE
from port.video.clip import VIDEOS_OUT

DIVIDER = 4  # white pixels between the halves; even, as 4:2:0 wants it
PICTURE = ".png"


def check_compare(path: Path, kind: str) -> None:
    """Refuse a comparison that cannot be written: `kind` is that of the result, arrays are none to look at."""
    if path.suffix.lower() not in (PICTURE, *VIDEOS_OUT):
        raise UsageError(f"--compare {path}: give a picture (.png) or a video ({' '.join(VIDEOS_OUT)}).")
    if kind == "array":
        raise UsageError("--compare needs a video or a folder as --output, not .npy.")
    if not path.parent.is_dir():
        raise UsageError(f"--compare {path}: the folder {path.parent} does not exist. Create it first.")


def beside(frame: np.ndarray, result: np.ndarray) -> np.ndarray:
    """frame (h, w, 3) uint8 or float32 in [0, 1], result (4h, 4w, 3) uint8 -> (4h, 8w + DIVIDER, 3) uint8"""
    if frame.dtype != np.uint8:
        frame = np.rint(np.clip(frame, 0, 1) * 255).astype(np.uint8)
    h, w, _ = frame.shape
    plain = np.asarray(Image.fromarray(frame).resize((SCALE * w, SCALE * h), Image.Resampling.BICUBIC))
    return np.concatenate([plain, np.full((SCALE * h, DIVIDER, 3), 255, np.uint8), result], axis=1)


def all_beside(frames: Iterable[np.ndarray], results: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """`beside` frame by frame."""
    return (beside(frame, result) for frame, result in zip(frames, results, strict=False))
