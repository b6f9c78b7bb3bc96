"""MindSpore's faster 3x3 convolution against float64 and against MindSpore's own, forward, backward and compiled."""

import mindspore
import numpy as np
import pytest
import torch

from ms_model import blocks, winograd

pytestmark = pytest.mark.skipif(winograd.library() is None, reason="no C compiler with OpenMP on this machine")

# n, in, out, h, w: whole and broken strips, odd sizes, channels that do not fill a group, less than a tile
SHAPES = [(1, 64, 64, 18, 50), (2, 5, 7, 17, 99), (1, 128, 64, 6, 8), (1, 3, 64, 9, 113), (3, 64, 3, 5, 3)]


def made(shape, seed=3):
    """x, kernels, bias of unit gain."""
    n, c_in, c_out, h, w = shape
    rng = np.random.default_rng(seed)
    arrays = rng.standard_normal((n, c_in, h, w)), rng.standard_normal((c_out, c_in, 3, 3)), rng.standard_normal(c_out)
    return [(a * (c_in * 9) ** -0.5 if a.ndim == 4 and a.shape[2:] == (3, 3) else a).astype(np.float32) for a in arrays]


def exact(x, kernels, bias):
    return torch.nn.functional.conv2d(*(torch.from_numpy(a).double() for a in (x, kernels, bias)), padding=1).numpy()


def both(kernels, bias):
    """MindSpore's own convolution and the fast one, the same weights."""
    found = []
    for fast in (False, True):
        conv = blocks.conv3x3(kernels.shape[1], kernels.shape[0])
        conv.weight.set_data(mindspore.Tensor(kernels))
        conv.bias.set_data(mindspore.Tensor(bias))
        assert winograd.fast_convolutions(conv) == 1 if fast else conv.winograd is None
        found.append(conv)
    return found


def rms(array):
    return float(np.sqrt(np.mean(np.square(array))))


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
@pytest.mark.parametrize("offset", [0, 30], ids=["centred", "far from zero"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_error_against_float64(shape, offset, compiled):
    """At most twice that of MindSpore's own."""
    x, kernels, bias = made(shape)
    x += np.float32(offset)
    own, fast = both(kernels, bias)
    run = mindspore.jit(fast.construct) if compiled else fast
    truth = exact(x, kernels, bias)
    wrong, own_wrong = (rms(f(mindspore.Tensor(x)).asnumpy() - truth) for f in (run, own))
    assert wrong <= 2 * own_wrong


@pytest.mark.parametrize("shape", [(1, 1, 1, 1, 1), (3, 64, 3, 5, 1)], ids=str)
def test_less_than_a_tile(shape):
    """Only the middle of the kernels meets a pixel; the rest cancels, to the rounding of sums that hold all of it."""
    x, kernels, bias = made(shape)
    wrong = both(kernels, bias)[1](mindspore.Tensor(x)).asnumpy() - exact(x, kernels, bias)
    sums = np.abs(x).max() * np.abs(kernels).sum(axis=(1, 2, 3)).max()
    assert np.abs(wrong).max() <= np.finfo(np.float32).eps * sums


def test_gradients_agree():
    x, kernels, bias = made((2, 16, 12, 9, 21))
    found = []
    for conv in both(kernels, bias):
        weigh = mindspore.Tensor(np.random.default_rng(1).standard_normal((2, 12, 9, 21)).astype(np.float32))
        value = mindspore.grad(lambda x, conv=conv, weigh=weigh: (conv(x) * weigh).sum(), 0, conv.trainable_params())
        by_x, by_weights = value(mindspore.Tensor(x))
        found.append([by_x.asnumpy(), *(g.asnumpy() for g in by_weights)])
    assert len(found[0]) == 3
    for own, fast in zip(*found, strict=True):
        assert np.abs(own - fast).max() <= 2e-5 * rms(own)  # the agreement of two kernels, see both.py


def test_only_float32_is_changed():
    net = blocks.ResidualTrunk(3, 8, 2)
    names = [parameter.name for parameter in net.get_parameters()]
    net.main[0].to_float(mindspore.float32)
    net.main[0].weight.set_dtype(mindspore.float16)
    assert winograd.fast_convolutions(net) == 4
    assert [parameter.name for parameter in net.get_parameters()] == names
