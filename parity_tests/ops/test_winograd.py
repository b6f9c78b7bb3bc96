"""The faster 3x3 convolution of both columns against float64 and against each framework's own, forward, backward, compiled."""

import mindspore
import numpy as np
import pytest
import torch

from parity_tests.native import why_missing
from parity_tests.ops.both import AGREEMENT, COLUMNS, rms
from port.errors import PortError
from port.native import build
from port.native.build import library
from port.processor import flags
from torch_ref.winograd import operator

MISSING = why_missing("winograd")
pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

# n, in, out, h, w: whole and broken strips, odd sizes, channels that do not fill a group, less than a tile
SHAPES = [(1, 64, 64, 18, 50), (2, 5, 7, 17, 99), (1, 128, 64, 6, 8), (1, 3, 64, 9, 113), (3, 64, 3, 5, 3), (1, 9, 10, 3, 241)]


def made(shape, seed=3):
    """x, kernels, bias of unit gain."""
    n, c_in, c_out, h, w = shape
    rng = np.random.default_rng(seed)
    arrays = rng.standard_normal((n, c_in, h, w)), rng.standard_normal((c_out, c_in, 3, 3)), rng.standard_normal(c_out)
    return [(a * (c_in * 9) ** -0.5 if a.ndim == 4 and a.shape[2:] == (3, 3) else a).astype(np.float32) for a in arrays]


def exact(x, kernels, bias):
    return torch.nn.functional.conv2d(*(torch.from_numpy(a).double() for a in (x, kernels, bias)), padding=1).numpy()


def both(side, kernels, bias):
    """The framework's own convolution and the fast one, the same weights."""
    found = []
    for fast in (False, True):
        conv = side.module("blocks").conv3x3(kernels.shape[1], kernels.shape[0])
        own = list(side.weights(conv))
        side.fill(conv, dict(zip(own, (kernels, bias), strict=True)))
        if fast:
            assert side.module("winograd").fast_convolutions(conv) == 1
        assert (conv.winograd is not None) is fast
        found.append(conv)
    return found


def run(side, conv, x, compiled=False):
    if side.name == "torch":
        with torch.no_grad():
            return side.array(conv(side.tensor(x)))
    return side.array((mindspore.jit(conv.construct) if compiled else conv)(side.tensor(x)))


@pytest.mark.parametrize("offset", [0, 30], ids=["centred", "far from zero"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_error_against_float64(side, shape, offset):
    """At most twice that of the framework's own. Compiled it is the same function (in PyTorch it is not compiled)."""
    x, kernels, bias = made(shape)
    x += np.float32(offset)
    own, fast = both(side, kernels, bias)
    truth, found = exact(x, kernels, bias), run(side, fast, x)
    assert rms(found - truth) <= 2 * rms(run(side, own, x) - truth)
    if side.name == "mindspore":
        assert np.array_equal(run(side, fast, x, compiled=True), found)


@pytest.mark.parametrize("shape", [(1, 1, 1, 1, 1), (3, 64, 3, 5, 1)], ids=str)
def test_less_than_a_tile(side, shape):
    """Only the middle of the kernels meets a pixel; the rest cancels, to the rounding of sums that hold all of it."""
    x, kernels, bias = made(shape)
    wrong = run(side, both(side, kernels, bias)[1], x) - exact(x, kernels, bias)
    sums = np.abs(x).max() * np.abs(kernels).sum(axis=(1, 2, 3)).max()
    assert np.abs(wrong).max() <= np.finfo(np.float32).eps * sums


def test_both_columns_give_the_same_bits():
    """They call the same function."""
    x, kernels, bias = made((2, 5, 7, 17, 99))
    one, other = (run(side(), both(side(), kernels, bias)[1], x) for side in COLUMNS.values())
    assert np.array_equal(one, other)


@pytest.mark.parametrize("without", ["avx512f", "avx"])
def test_shorter_vectors_agree(without, monkeypatch):
    """What machines without AVX-512, or without AVX at all, run, on one with it: the same products, in other groups."""
    if without not in flags():
        pytest.skip(f"this processor has no {without}: the other tests run the shorter vectors")
    monkeypatch.setattr(build, "COMPILE", (*build.COMPILE, f"-mno-{without}"))
    short = build.library.__wrapped__("winograd")
    assert short != library("winograd")
    for shape in SHAPES:
        x, kernels, bias = made(shape)
        given = [torch.from_numpy(array) for array in (x, kernels, bias)]
        wrong, other = (operator(path)(*given).numpy() - exact(x, kernels, bias) for path in (short, library("winograd")))
        assert rms(wrong) <= 1.5 * rms(other)


def test_what_does_not_lie_in_order_is_read_in_order(side):
    """A transposed view, as PyTorch makes; MindSpore's are copied by the framework."""
    x, kernels, bias = made((1, 5, 7, 9, 12))
    conv = both(side, kernels, bias)[1]
    turned = side.tensor(np.ascontiguousarray(x.transpose(0, 1, 3, 2))).swapaxes(2, 3)
    with torch.no_grad():
        assert np.array_equal(side.array(conv(turned)), run(side, conv, x))


def test_gradients_agree(side):
    x, kernels, bias = made((2, 16, 12, 9, 21))
    weigh = side.tensor(np.random.default_rng(1).standard_normal((2, 12, 9, 21)).astype(np.float32))
    found = [
        side.gradients(lambda x, conv=conv: (conv(x) * weigh).sum(), [x], conv)[1:] for conv in both(side, kernels, bias)
    ]
    own, fast = ([*inputs, *weights.values()] for inputs, weights in found)
    assert len(own) == len(fast) == 3
    for one, other in zip(own, fast, strict=True):
        assert np.abs(one - other).max() <= AGREEMENT * rms(one)


def test_only_float32_is_changed(side):
    net = side.module("blocks").ResidualTrunk(3, 8, 2)
    names = list(side.weights(net))
    if side.name == "torch":
        net.main[0].half()
    else:
        net.main[0].to_float(mindspore.float32)
        net.main[0].weight.set_dtype(mindspore.float16)
    assert side.module("winograd").fast_convolutions(net) == 4
    assert list(side.weights(net)) == names


@pytest.mark.parametrize(
    ("compiler", "says"),
    [
        ("no-such-compiler -O1", "no C compiler 'no-such-compiler -O1'"),
        ("cc -fno-such-flag", "ended with 1 and said: .*no-such-flag"),
        ("false", "false ended with 1 and said: nothing"),
    ],
)
def test_what_cannot_be_compiled_says_why(compiler, says, monkeypatch, tmp_path):
    monkeypatch.setenv("CC", compiler)
    monkeypatch.setattr(build, "COMPILED", tmp_path)
    with pytest.raises(PortError, match=f"winograd.c cannot be compiled and loaded: .*{says}.*--fast winograd"):
        build.library.__wrapped__("winograd")
    assert not list(tmp_path.iterdir())


def test_a_library_that_cannot_be_loaded_says_why(monkeypatch, tmp_path):
    """Made for another machine, or kept where nothing may be executed: no traceback from ctypes."""
    compiler = tmp_path / "cc-of-another-machine"
    compiler.write_text('#!/bin/sh\nwhile [ $# -gt 1 ] && [ "$1" != -o ]; do shift; done\n[ "$1" != -o ] || echo none > "$2"\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", str(compiler))
    monkeypatch.setattr(build, "COMPILED", tmp_path / "native")
    monkeypatch.setattr(build, "library", build.library.__wrapped__)
    with pytest.raises(PortError, match=r"cannot be compiled and loaded: .*(ELF|too short).*--fast winograd"):
        build.build_for(("together", "winograd"))
    assert not list((tmp_path / "native").iterdir())  # the next try begins anew
    build.build_for(("together",))


def test_another_compiler_makes_another_library(monkeypatch, tmp_path):
    """The flags of the compiler's own name count, and a name of several words is one command."""
    monkeypatch.setattr(build, "COMPILED", tmp_path)
    made = set()
    for compiler in ("cc", "cc -w"):
        monkeypatch.setenv("CC", compiler)
        made.add(build.library.__wrapped__("winograd"))
    assert len(made) == 2 and set(tmp_path.iterdir()) == made


def test_a_bias_that_is_not_as_expected_goes_pytorchs_way():
    """Of another length, or with a gradient that only it wants."""
    x, kernels, bias = (torch.from_numpy(array) for array in made((1, 5, 7, 9, 12)))
    convolve = operator(library("winograd"))
    with pytest.raises(RuntimeError, match="bias"):
        convolve(x, kernels, bias[:3])
    convolve(x, kernels, bias.requires_grad_()).sum().backward()
    assert torch.equal(bias.grad, torch.full((7,), 9.0 * 12))


def test_what_is_not_float32_goes_pytorchs_way():
    """A pointer has no type: the function would read doubles as floats, and channels that are not there."""
    side = COLUMNS["torch_ref"]()
    x, kernels, bias = made((1, 5, 7, 9, 12))
    own, fast = both(side, kernels, bias)
    with torch.no_grad():
        with pytest.raises(RuntimeError, match="channels"):
            fast(side.tensor(x[:, :4]))
        double = side.tensor(x.astype(np.float64))
        assert torch.equal(fast.double()(double), own.double()(double))
