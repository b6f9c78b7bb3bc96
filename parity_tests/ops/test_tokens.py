"""Tokens: cut, put together, and the enlarged ones, against loops written from the specification."""

import mindspore
import numpy as np
import pytest
import torch

from ms_model import tokens as ms_tokens
from parity_tests.ops.both import AGREEMENT, worst
from parity_tests.ops.by_hand import cut_by_hand, enlarged_by_hand, lay_patches
from torch_ref import tokens as torch_tokens

S = 4
SIZES = [(64, 64), (64, 70), (66, 75)]


def test_tokens_hold_channel_then_row_then_column(side):
    """Two channels of 8x8, counted through: the token at row 1, column 0."""
    x = np.arange(128, dtype=np.float32).reshape(1, 2, 8, 8)
    out = side.array(side.module("tokens").pixels_to_tokens(side.tensor(x), S))
    assert out.shape == (1, 32, 2, 2)
    first = [32, 33, 34, 35, 40, 41, 42, 43, 48, 49, 50, 51, 56, 57, 58, 59]
    assert out[0, :, 1, 0].tolist() == first + [value + 64 for value in first]


@pytest.mark.parametrize("size", SIZES)
def test_tokens_cut_from_every_size(side, size, seeded):
    x = seeded.standard_normal((2, 3, *size)).astype(np.float32)
    out = side.array(side.module("tokens").pixels_to_tokens(side.tensor(x), S))
    assert np.array_equal(out, cut_by_hand(x))


@pytest.mark.parametrize("size", SIZES)
def test_putting_together_undoes_cutting_and_leaves_zeros_beyond(side, size, seeded):
    tokens = side.module("tokens")
    x = seeded.standard_normal((2, 3, *size)).astype(np.float32)
    back = side.array(tokens.tokens_to_pixels(tokens.pixels_to_tokens(side.tensor(x), S), S, size))
    h, w = (size[0] // S * S, size[1] // S * S)
    expected = np.zeros_like(x)
    expected[:, :, :h, :w] = x[:, :, :h, :w]
    assert np.array_equal(back, expected)


# float32 sums of at most 9 numbers (windows of up to 3 x 3), unit scale: a few eps = 6e-7 at most, 2e-6 with room
POOLED = 2e-6


@pytest.mark.parametrize("patch", [6, 8])
@pytest.mark.parametrize("size", SIZES)
def test_enlarged_tokens_are_those_of_the_specification(side, size, patch, seeded):
    x = seeded.standard_normal((2, 2, *size)).astype(np.float32)
    out = side.array(side.module("tokens").enlarged_tokens(side.tensor(x), S, patch))
    assert worst(enlarged_by_hand(x, S, patch), out) <= POOLED


def test_enlarged_tokens_with_a_wider_stride(side, seeded):
    """Token stride 8: patches of 12 and 16, padded by 2 and 4."""
    x = seeded.standard_normal((1, 2, 64, 75)).astype(np.float32)
    for patch in (12, 16):
        out = side.array(side.module("tokens").enlarged_tokens(side.tensor(x), 8, patch))
        assert worst(enlarged_by_hand(x, 8, patch), out) <= POOLED


@pytest.mark.parametrize("patch", [6, 8])
@pytest.mark.parametrize("size", SIZES)
def test_enlarged_tokens_agree_between_the_columns(size, patch, seeded):
    x = seeded.standard_normal((1, 16, *size)).astype(np.float32)
    reference = torch_tokens.enlarged_tokens(torch.from_numpy(x), S, patch).numpy()
    found = ms_tokens.enlarged_tokens(mindspore.Tensor(x), S, patch).asnumpy()
    assert worst(reference, found) <= AGREEMENT


def bilinear_for_pooling(x, patch):
    """The mistake of the earlier port: resizing has other weights than averaging."""
    laid_out = torch.from_numpy(lay_patches(x, S, patch))
    resized = torch.nn.functional.interpolate(laid_out, size=x.shape[2:], mode="bilinear", align_corners=False)
    return cut_by_hand(resized.numpy())


def no_padding(x, patch):
    """Patches that start at the pixel instead of around it."""
    return enlarged_by_hand(np.roll(x, -((patch - S) // 2), axis=(2, 3)), S, patch)


def fold_by_reshape(x, patch):
    """Channel order (ky, kx, c) instead of (c, ky, kx)."""
    right = enlarged_by_hand(x, S, patch)
    return right.reshape(x.shape[0], x.shape[1], S * S, *right.shape[2:]).swapaxes(1, 2).reshape(right.shape)


# At 64x64 a 2x map resized bilinearly is the mean of 2x2, exactly what pooling gives: nothing to see with patch 8 there.
@pytest.mark.parametrize(
    "broken, patch", [(bilinear_for_pooling, 6), (no_padding, 6), (no_padding, 8), (fold_by_reshape, 8)]
)
def test_the_specification_in_loops_sees_mistakes(broken, patch, seeded):
    x = seeded.standard_normal((1, 2, 64, 64)).astype(np.float32)
    assert worst(enlarged_by_hand(x, S, patch), broken(x, patch)) > 0.5


def test_the_constant_of_a_trace_is_not_kept():
    """What an exporter computes with stands for values and has none; the run after it needs real ones."""

    class Enlarged(torch.nn.Module):
        def forward(self, x):
            return torch_tokens.enlarged_tokens(x, S, 2 * S)

    torch_tokens._made.cache_clear()
    x = torch.rand(1, 2, 24, 20)
    exported = torch.export.export(Enlarged(), (x,)).module()
    assert torch.equal(exported(x), Enlarged()(x))


def test_the_constant_serves_training_after_inference():
    """Kept by a run without gradients, used by one with them."""
    torch_tokens._made.cache_clear()
    x = torch.rand(1, 2, 24, 20)
    with torch.inference_mode():
        torch_tokens.enlarged_tokens(x, S, 2 * S)
    x.requires_grad_()
    torch_tokens.enlarged_tokens(x, S, 2 * S).sum().backward()
    assert x.grad.abs().sum() > 0
