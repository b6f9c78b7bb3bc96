"""Feature maps cut into tokens and put together again.

A token grid is (n, c*S*S, h//S, w//S) with channel order (c, ky, kx), S the token stride. Rows and columns left over when
h or w is no multiple of S belong to no token; putting tokens together leaves zeros there.
"""

import mindspore
import mindspore.ops as F
from mindspore import Tensor


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
    back to h x w, cut into tokens. (n, c, h, w) -> (n, c*S*S, h//S, w//S)
    """
    h, w = x.shape[2:]
    patches = F.unfold(x, patch, stride=stride, padding=(patch - stride) // 2)  # (n, c*patch*patch, tokens)
    laid_out = Tensor((h * patch // stride, w * patch // stride), mindspore.int32)  # fold takes a tensor only
    enlarged = F.fold(patches, laid_out, patch, stride=patch)
    return pixels_to_tokens(F.adaptive_avg_pool2d(enlarged, (h, w)), stride)
