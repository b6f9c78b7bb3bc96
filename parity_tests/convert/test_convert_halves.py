"""Casts to and from bfloat16 and float16: the same bits as PyTorch's, for every kind of value."""

import numpy as np
import pytest

from parity_tests.convert.made_files import weight_map, weights, write
from port.convert.plan import make_plan
from port.convert.source import FileSource
from port.convert.stream import array_of
from port.weights.halves import BF16, FLOATS, cast, name_of, narrow, overflowed, widen

ALL_16 = np.arange(1 << 16, dtype=np.uint16)


def edge_values():
    """float32: around every value of 16 bits the ties and their neighbours, subnormals, infinities, many a NaN."""
    bits = np.arange(0, 1 << 32, 0x8000, dtype=np.int64)  # every bfloat16 and every tie between two
    near = np.concatenate([(bits + d) & 0xFFFFFFFF for d in (-1, 0, 1)]).astype(np.uint32).view(np.float32)
    halves = ALL_16.view(np.float16).astype(np.float32)
    halves = halves[np.isfinite(halves)]
    ties = np.concatenate([(halves[:-1] + halves[1:]) / 2, halves])
    around = np.concatenate([np.nextafter(ties, np.float32(s * np.inf)) for s in (1, -1)])
    return np.concatenate([near, ties, around, np.float32([65504, 65519.996, 65520, 3.4e38, 1e-45, -0.0])])


def torch_cast(array, wanted):
    import torch

    kinds = {name: getattr(torch, name) for name in FLOATS}
    own = name_of(array.dtype)
    given = (
        torch.from_numpy(array.view(np.int16).copy()).view(torch.bfloat16)
        if own == "bfloat16"
        else torch.from_numpy(array)
    )
    made = given.to(kinds[wanted])
    return made.view(torch.int16).numpy().view(np.uint16).view(BF16) if wanted == "bfloat16" else made.numpy()


def plain(array):
    return widen(array) if array.dtype == BF16 else array


def same(ours, theirs):
    """Bit for bit; of NaN only that it is one, its payload differs among processors."""
    assert ours.dtype == theirs.dtype
    size = f"u{ours.dtype.itemsize}"
    nan = np.isnan(plain(theirs))
    wrong = (ours.view(size) != theirs.view(size)) & ~nan
    assert not wrong.any() and (np.isnan(plain(ours)) == nan).all()
    return nan


@pytest.mark.parametrize("wanted", ["bfloat16", "float16"])
def test_float32_is_rounded_as_pytorch_does(wanted):
    given = edge_values()
    assert len(given) > 400_000
    with np.errstate(all="ignore"):
        theirs = torch_cast(given, wanted)
        nan = same(cast(given, wanted), theirs)
    assert nan.any() and np.isinf(plain(theirs)).any()
    lost = np.isfinite(given) & ~np.isfinite(plain(theirs))
    assert overflowed(given, cast(given, wanted)) == lost.sum() > 0


@pytest.mark.parametrize("own", ["bfloat16", "float16"])
@pytest.mark.parametrize("wanted", FLOATS)
def test_every_value_of_16_bits(own, wanted):
    given = ALL_16.view(BF16 if own == "bfloat16" else np.float16)
    nan = same(cast(given, wanted), torch_cast(given, wanted))
    assert 0 < nan.sum() < 3000


@pytest.mark.parametrize("wanted", ["bfloat16", "float16", "float32"])
def test_float64_goes_by_way_of_float32_as_in_pytorch(wanted):
    """Rounded twice: 1 + 2^-8 + 2^-40 is nearer to the upper bfloat16, but in float32 it is a tie."""
    random = np.random.default_rng(0)
    given = np.concatenate([random.standard_normal(20_000) * 10.0 ** random.integers(-46, 39, 20_000),
                            [1 + 2**-8 + 2**-40, 1 + 2**-11 + 2**-40, 1e300, np.nan, -np.inf, 5e-324]])  # fmt: skip
    same(cast(given, wanted), torch_cast(given, wanted))


def test_known_bits():
    """Without PyTorch: ties to even, the smallest values, the last that is finite."""
    known = {1.0: 0x3F80, 1 + 2**-8: 0x3F80, 1 + 3 * 2**-8: 0x3F82, 1 + 2**-8 + 2**-20: 0x3F81, 1e-45: 0x0000,
             9.2e-41: 0x0001, -0.0: 0x8000, 3.3895e38: 0x7F7F, 3.4e38: 0x7F80, -np.inf: 0xFF80}  # fmt: skip
    given = np.array(list(known), np.float32)
    assert narrow(given).view("<u2").tolist() == list(known.values())
    assert np.isnan(widen(narrow(np.array([0x7F800001, 0xFFFFFFFF], np.uint32).view(np.float32)))).all()


@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (2, 3, 1)])
def test_shapes_are_kept(shape):
    given = np.full(shape, 1.5, np.float32)
    there = narrow(given)
    assert there.shape == shape and widen(there).shape == shape and np.array_equal(widen(there), given)


@pytest.mark.parametrize(
    ("bits", "finite"), [(0x7F7F, True), (0x7F80, False), (0xFF80, False), (0x7FC1, False), (1, True)]
)
def test_bfloat16_is_looked_through_for_what_is_not_finite(bits, finite, tmp_path):
    from port.errors import PortError

    given = weights()
    given["out"] = given["out"].astype(np.float16)
    given["out"].view(np.uint16)[5, 3] = bits
    path = write(tmp_path / "in.safetensors", given)
    path.write_bytes(path.read_bytes().replace(b' "F16"', b'"BF16"'))  # as long as before
    source = FileSource(path)
    plan = make_plan(path, source.tensors, weight_map(), "keep")
    (output,) = [output for output in plan.outputs if output.name == "out_t"]
    if finite:
        assert array_of(output, source).view("<u2").tolist() == given["out"].T.copy().view(np.uint16).tolist()
    else:
        with pytest.raises(PortError, match=r"'out_t' holds NaN or infinite values, the first at \(3, 5\)"):
            array_of(output, source)
    source.close()
