"""Which pixels the enlarged tokens of TTVSR average: a linear map along each side of a frame, the same for both columns."""

from functools import cache

import numpy as np


@cache
def averages(side: int, stride: int, patch: int) -> np.ndarray:
    """What the chain of unfold, fold and adaptive pooling does along one side of a frame, as a matrix.

    side    pixels of the frame along this side
    stride  S, pixels from token to token
    patch   pixels that a token sees, centred on its own S, zeros beyond the frame
    -> (side // S * S, side) float64, shared: not to be written. Row i holds the weights of the pixels whose average is pixel
       i of the tokens laid side by side.

    The patches, laid side by side, are side * patch // S long; pixel i is the average from i * that / side, rounded down,
    to (i + 1) * that / side, rounded up. Where side is no multiple of S, some of these windows reach into the next patch.
    """
    laid, tokens = side * patch // stride, side // stride
    matrix = np.zeros((tokens * stride, side))
    for i in range(len(matrix)):
        first, last = i * laid // side, -(-(i + 1) * laid // side)
        for place in range(first, last):
            token, within = divmod(place, patch)
            pixel = token * stride + within - (patch - stride) // 2
            if token < tokens and 0 <= pixel < side:
                matrix[i, pixel] += 1 / (last - first)
    return matrix
