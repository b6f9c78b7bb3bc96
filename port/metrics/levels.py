"""From a network's output to the values that are scored: 8-bit levels, luma, borders left out."""

import numpy as np

from port.errors import PortError

# BT.601, studio range: what MATLAB's rgb2ycbcr gives. R, G, B in 0..255 -> Y in 16..235.
LUMA_WEIGHTS = np.array([65.481, 128.553, 24.966]) / 255
LUMA_OFFSET = 16.0


def to_uint8(values: np.ndarray) -> np.ndarray:
    """Clamp to [0, 1], times 255, round half to even. Raises PortError where a value is NaN."""
    if np.isnan(values).any():
        raise PortError(
            f"cannot turn an array {values.shape} into pictures: it holds NaN. Check the weights and the input."
        )
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


def luma(picture: np.ndarray) -> np.ndarray:
    """Y of an RGB picture. (..., 3) in 0..255 -> (...) float64 in 16..235, not rounded"""
    return picture.astype(np.float64) @ LUMA_WEIGHTS + LUMA_OFFSET


def crop_border(picture: np.ndarray, pixels: int) -> np.ndarray:
    """Leave out `pixels` rows and columns on each side. picture (h, w) or (h, w, 3). PortError if nothing is left."""
    if pixels < 0:
        raise PortError(f"the border to leave out cannot be negative, found {pixels}.")
    h, w = picture.shape[:2]
    if 2 * pixels >= min(h, w):
        raise PortError(f"leaving out {pixels} pixels on each side leaves nothing of a {w}x{h} picture.")
    return picture[pixels : h - pixels, pixels : w - pixels]


def check_pair(a: np.ndarray, b: np.ndarray) -> None:
    """Refuse two pictures that cannot be compared. Raises PortError with both shapes and types."""
    if a.shape != b.shape:
        raise PortError(f"cannot compare pictures of different shapes: {a.shape} and {b.shape}.")
    if a.dtype != b.dtype:
        raise PortError(
            f"cannot compare pictures of different types: {a.dtype} and {b.dtype}. Round both to uint8 first."
        )
    if a.ndim not in (2, 3) or not a.size:
        raise PortError(f"a picture to compare must be (h, w) or (h, w, channels) and not empty, found {a.shape}.")
