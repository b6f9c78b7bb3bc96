"""Peak signal-to-noise ratio."""

import math

import numpy as np

from port.errors import PortError
from port.metrics.levels import check_pair, crop_border

PEAK = 255.0


def psnr(a: np.ndarray, b: np.ndarray, crop: int = 0) -> float:
    """PSNR of two pictures in dB, peak 255, one mean over all pixels and channels; math.inf if they are identical.

    a, b  (h, w, 3) uint8 RGB, or (h, w) float luma in 0..255
    crop  pixels left out on each side
    """
    check_pair(a, b)
    return _decibels(_mean_square(crop_border(a, crop), crop_border(b, crop)), PEAK)


def psnr_float(a: np.ndarray, b: np.ndarray) -> float:
    """PSNR in dB with peak 1 of two network outputs as they are, neither clamped nor rounded.

    a, b  any shape, the same for both, values nominally in [0, 1]
    ->    math.inf if they are identical; JSON has no infinity, so reports must write that case themselves
    """
    if a.shape != b.shape or not a.size:
        raise PortError(f"cannot compare outputs of shapes {a.shape} and {b.shape}: they must be equal and not empty.")
    return _decibels(_mean_square(a, b), 1.0)


def _mean_square(a: np.ndarray, b: np.ndarray) -> float:
    difference = a.astype(np.float64) - b.astype(np.float64)
    return float(np.mean(np.square(difference, out=difference)))


def _decibels(mean_square: float, peak: float) -> float:
    return math.inf if mean_square == 0 else 20 * math.log10(peak / math.sqrt(mean_square))
