"""Gaussian blur and every fourth pixel: the degradation BD, as the official MATLAB script of TTVSR and BasicVSR makes it."""

import math
from functools import lru_cache

import numpy as np

from port.degrade.taps import Taps
from port.errors import PortError

SIGMA = 1.6
SIDE = 2 * math.ceil(3 * SIGMA) + 2  # 12 taps: an even kernel
BEFORE = (SIDE - 1) // 2  # taps before imfilter's origin: element 6 of 12
FIRST, STEP = 1, 4  # sampled rows and columns


def blur_down(picture: np.ndarray) -> np.ndarray:
    """Blur by a 12x12 Gaussian of sigma 1.6 with repeated borders, round to uint8, keep pixels 1, 5, 9, ...

    picture  (h, w) or (h, w, c) uint8, at least 4 pixels each way
    ->       (h // 4, w // 4, ...) uint8
    The even kernel lies half a pixel off its origin, so that output j shows source 4j + 1.5: the grid of BI. Rows and
    columns end two before the last (MATLAB: 2:4:end-2), hence the floor. Rounding is half up, of the blurred picture.
    """
    if picture.dtype != np.uint8 or picture.ndim not in (2, 3):
        raise PortError(f"BD takes a picture (h, w) or (h, w, c) of uint8, found {picture.shape} {picture.dtype}.")
    if min(picture.shape[:2]) < STEP:
        raise PortError(
            f"BD keeps every {STEP}th pixel: a picture of {picture.shape[1]}x{picture.shape[0]} is too small."
        )
    values = picture.astype(np.float64)
    for axis in (0, 1):  # only the sampled rows and columns are ever computed
        values = gaussian_taps(picture.shape[axis]).along(values, axis)
    return np.floor(values + 0.5).astype(np.uint8)


@lru_cache(maxsize=64)
def gaussian_taps(size: int) -> Taps:
    """The taps of the sampled positions along an axis of `size` pixels."""
    offsets = np.arange(SIDE)
    weights = np.exp(-((offsets - (SIDE - 1) / 2) ** 2) / (2 * SIGMA**2))
    weights /= weights.sum()
    centres = np.arange(FIRST, size - 2, STEP)
    indices = np.clip(centres[:, None] - BEFORE + offsets, 0, size - 1)
    return Taps(indices, np.broadcast_to(weights, indices.shape))
