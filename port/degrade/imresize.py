"""MATLAB's `imresize(picture, scale, 'bicubic')`, antialiasing on: the degradation BI."""

import math
from functools import lru_cache

import numpy as np

from port.degrade.taps import Taps
from port.errors import PortError

CUBIC_WIDTH = 4  # the kernel reaches 2 pixels to each side
CUBIC_A = -0.5  # Keys' cubic convolution


def imresize(picture: np.ndarray, scale: float = 1 / 4) -> np.ndarray:
    """Resize by bicubic interpolation; when shrinking, the kernel is stretched by 1/scale against aliasing.

    picture  (h, w) or (h, w, c): uint8, or floating, which is computed in float64 and returned neither clamped nor rounded
    ->       (ceil(h * scale), ceil(w * scale), ...) of the same kind; uint8 goes through 0..1 in float64 and is rounded
             half up once, as MATLAB's im2double, imresize and im2uint8 do (imresize of uint8 itself rounds between the axes)
    Pixel centres are aligned (no align_corners), borders are mirrored with the edge pixel repeated.
    Source: documentation of MATLAB's imresize; Keys 1981. Oracles in parity_tests/degrade/test_imresize.py.
    """
    if scale <= 0:
        raise PortError(f"a picture cannot be resized by {scale}: the scale must be positive.")
    if picture.ndim not in (2, 3) or 0 in picture.shape:
        raise PortError(f"cannot resize an array {picture.shape}: expected a picture (h, w) or (h, w, c).")
    values = picture / 255.0 if picture.dtype == np.uint8 else picture.astype(np.float64)
    for axis in (0, 1):  # equal scales: MATLAB goes along the columns first
        values = cubic_taps(picture.shape[axis], scale).along(values, axis)
    if picture.dtype == np.uint8:
        return np.floor(np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)
    return values.astype(picture.dtype)


@lru_cache(maxsize=64)
def cubic_taps(size: int, scale: float) -> Taps:
    """The taps of one axis of `size` pixels."""
    stretch = min(scale, 1.0)
    width = CUBIC_WIDTH / stretch
    centres = (np.arange(resized(size, scale)) + 0.5) / scale - 0.5  # of output pixels, in source pixels from 0
    first = np.floor(centres - width / 2).astype(int)
    indices = first[:, None] + np.arange(math.ceil(width) + 2)
    weights = cubic((centres[:, None] - indices) * stretch)
    weights /= weights.sum(1, keepdims=True)
    used = (weights != 0).any(0)
    return Taps(mirrored(indices[:, used], size), weights[:, used])


def resized(size: int, scale: float) -> int:
    """Pixels after resizing: rounded up, as MATLAB does."""
    return math.ceil(size * scale)


def cubic(x: np.ndarray) -> np.ndarray:
    """Keys' cubic convolution kernel, zero from 2 on."""
    x = np.abs(x)
    near = (CUBIC_A + 2) * x**3 - (CUBIC_A + 3) * x**2 + 1
    far = CUBIC_A * (x**3 - 5 * x**2 + 8 * x - 4)
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def mirrored(indices: np.ndarray, size: int) -> np.ndarray:
    """Positions outside 0..size-1 reflected at the edge, the edge pixel twice: ... 1 0 | 0 1 ... n-1 | n-1 n-2 ..."""
    folded = indices % (2 * size)
    return np.minimum(folded, 2 * size - 1 - folded)
