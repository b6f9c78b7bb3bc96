"""Structural similarity (Wang et al., 2004) with the settings of the super-resolution literature."""

import numpy as np

from port.errors import PortError
from port.metrics.levels import check_pair, crop_border

WINDOW, SIGMA = 11, 1.5
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def ssim(a: np.ndarray, b: np.ndarray, crop: int = 0) -> float:
    """Mean SSIM of two pictures, peak 255; of colour pictures the mean over the channels.

    11x11 Gaussian window of sigma 1.5, only positions where it lies wholly inside (5 pixels less on each side),
    population moments (divided by the sum of the weights, not by n - 1).

    a, b  (h, w, 3) uint8 RGB, or (h, w) float luma in 0..255; at least 11 pixels each way after cropping
    crop  pixels left out on each side, before the window is applied
    """
    check_pair(a, b)
    a, b = crop_border(a, crop), crop_border(b, crop)
    if min(a.shape[:2]) < WINDOW:
        raise PortError(
            f"SSIM needs at least {WINDOW}x{WINDOW} pixels for its window, found {a.shape[1]}x{a.shape[0]}"
            f"{' after cropping' if crop else ''}."
        )
    if a.ndim == 2:
        return _ssim_channel(a, b)
    return float(np.mean([_ssim_channel(a[..., k], b[..., k]) for k in range(a.shape[2])]))


def _ssim_channel(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)
    mean_a, mean_b = _blur(a), _blur(b)
    mean_ab, mean_squares = mean_a * mean_b, mean_a**2 + mean_b**2
    covariance = _blur(a * b) - mean_ab
    variances = _blur(a * a + b * b) - mean_squares  # only their sum is needed
    numerator = (2 * mean_ab + C1) * (2 * covariance + C2)
    return float(np.mean(numerator / ((mean_squares + C1) * (variances + C2))))


def _blur(plane: np.ndarray) -> np.ndarray:
    """Gaussian window over each position where it fits. (h, w) -> (h - 10, w - 10)"""
    return _blur_rows(_blur_rows(plane).T).T


def _blur_rows(plane: np.ndarray) -> np.ndarray:
    """One convolution over all rows laid end to end, the fastest numpy has; windows across two rows are dropped."""
    h, w = plane.shape
    blurred = np.convolve(plane.ravel(), _KERNEL, "full")[: h * w]
    return blurred.reshape(h, w)[:, WINDOW - 1 :]


def _gaussian() -> np.ndarray:
    weights = np.exp(-((np.arange(WINDOW) - WINDOW // 2) ** 2) / (2 * SIGMA**2))
    return weights / weights.sum()


_KERNEL = _gaussian()
