"""Feature maps cut into tokens and put together again.

A token grid is (n, c*S*S, h//S, w//S) with channel order (c, ky, kx), S the token stride. Rows and columns left over when
h or w is no multiple of S belong to no token; putting tokens together leaves zeros there.
"""

from functools import lru_cache

import torch
import torch.nn.functional as F

from port.models.tokens import averages


def pixels_to_tokens(x, stride):
    """Patches of S x S pixels, side by side. (n, c, h, w) -> (n, c*S*S, h//S, w//S), in memory a token after the other"""
    rows, columns = x.shape[2] // stride, x.shape[3] // stride
    cut = x[:, :, : rows * stride, : columns * stride].unflatten(3, (columns, stride)).unflatten(2, (rows, stride))
    return cut.permute(0, 2, 4, 1, 3, 5).flatten(3).permute(0, 3, 1, 2)


def tokens_to_pixels(tokens, stride, size):
    """The inverse, zeros in left-over rows and columns. (n, c*S*S, h//S, w//S) -> (n, c, h, w), size = (h, w), channels last"""
    x = tokens.unflatten(1, (-1, stride, stride)).permute(0, 4, 2, 5, 3, 1).flatten(3, 4).flatten(1, 2).permute(0, 3, 1, 2)
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
    across = torch.matmul(x, _averages(w, stride, patch, x).T)
    return pixels_to_tokens(torch.matmul(_averages(h, stride, patch, x), across), stride)


def _averages(side, stride, patch, like):
    """See port/models/tokens.py. -> (side // S * S, side) of the type and on the device of `like`"""
    made = _made.__wrapped__ if torch.compiler.is_compiling() else _made  # what a tracer gets is not to be kept
    return made(side, stride, patch, like.dtype, like.device)


@lru_cache(16)  # copied to a GPU once, not at every keyframe, which would wait for it
def _made(side, stride, patch, dtype, device):
    """`_averages`, kept."""
    with torch.inference_mode(False):  # for training as well
        return torch.as_tensor(averages(side, stride, patch), dtype=dtype, device=device)
