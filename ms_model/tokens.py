"""Feature maps cut into tokens and put together again.

A token grid is (n, c*S*S, h//S, w//S) with channel order (c, ky, kx), S the token stride. Rows and columns left over when
h or w is no multiple of S belong to no token; putting tokens together leaves zeros there.
"""

from functools import lru_cache

import mindspore.ops as F
from mindspore import Tensor

from port.models.tokens import averages


def pixels_to_tokens(x, stride):
    """Patches of S x S pixels, side by side. (n, c, h, w) -> (n, c*S*S, h//S, w//S)"""
    rows, columns = x.shape[2] // stride, x.shape[3] // stride
    return F.pixel_unshuffle(x[:, :, : rows * stride, : columns * stride], stride)


def tokens_to_pixels(tokens, stride, size):
    """The inverse, zeros in left-over rows and columns. (n, c*S*S, h//S, w//S) -> (n, c, h, w), size = (h, w)"""
    x = F.pixel_shuffle(tokens, stride)
    if tuple(x.shape[2:]) == tuple(size):
        return x
    return F.pad(x, (0, size[1] - x.shape[3], 0, size[0] - x.shape[2]))


def enlarged_tokens(x, stride, patch):
    """Tokens that see a wider neighbourhood: overlapping patches, averaged down to S x S.

    Patches of patch x patch pixels, stride S, zero padding (patch - S) / 2, laid side by side, adaptive average pooling
    back to h x w, cut into tokens: as two products with matrices, since all of it is an average along rows and along columns.
    (n, c, h, w) -> (n, c*S*S, h//S, w//S)
    """
    h, w = x.shape[2:]
    across = F.matmul(x, _averages(w, stride, patch).astype(x.dtype).T)
    return pixels_to_tokens(F.matmul(_averages(h, stride, patch).astype(x.dtype), across), stride)


@F.constexpr  # numpy's part of it is a constant of compiled parts
def _averages(side, stride, patch):
    """See port/models/tokens.py. -> (side // S * S, side)"""
    return _made(side, stride, patch)


@lru_cache(16)  # copied to an NPU once, not at every keyframe, which would wait for it
def _made(side, stride, patch):
    """`_averages`, kept."""
    return Tensor(averages(side, stride, patch).astype("float32"))
