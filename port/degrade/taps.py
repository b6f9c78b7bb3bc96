"""Sums of weighted neighbours along one axis of a picture, in a fixed order: the core of both degradations."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Taps:
    """Which source pixels each output pixel is made of.

    indices  (out, taps) positions along the axis, from 0, inside the picture
    weights  (out, taps) float64, each row sums to 1
    """

    indices: np.ndarray
    weights: np.ndarray

    def along(self, picture: np.ndarray, axis: int) -> np.ndarray:
        """Apply to axis 0 or 1 of (h, w, ...) float64. Tap by tap, so that the sum's order never depends on a library."""
        shape = [1] * picture.ndim
        shape[axis] = -1
        total = 0.0
        for index, weight in zip(self.indices.T, self.weights.T, strict=True):
            total = total + np.take(picture, index, axis) * weight.reshape(shape)
        return total
