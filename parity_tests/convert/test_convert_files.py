"""Streamed conversions: any layout, one file or shards, cast or not; what does not fit is refused and leaves nothing."""

import json

import numpy as np
import pytest

from parity_tests.convert.made_files import ported, weights, write, write_index
from parity_tests.convert.streamed import convert, held, same
from port.convert.header import INDEX, read_tensors
from port.convert.plan import KEEP
from port.errors import PortError

pytestmark = pytest.mark.usefixtures("small_chunks")


@pytest.fixture
def sharded(tmp_path):
    """The same in three files; what is joined lies in two of them."""
    given, names = weights(), (("qkv", "a"), ("out", "b", "conv"), ("lstm", "tied", "tied2", "count", "bare"))
    return write_index(tmp_path / f"in{INDEX}", {f"in-{i}.safetensors": {n: given[n] for n in some} for i, some in
                                                 enumerate(names)})  # fmt: skip


@pytest.mark.parametrize("given", ["file", "sharded"])
@pytest.mark.parametrize(("out", "shard"), [("out.safetensors", 1), (f"out{INDEX}", 150), (f"out{INDEX}", 1 << 30)])
def test_every_layout_there_and_back(given, out, shard, request, tmp_path):
    path, there, back = request.getfixturevalue(given), tmp_path / out, tmp_path / "back.safetensors"
    assert (len(convert(path, there, shard=shard).files) > 3) == (shard == 150)
    same(held(there), ported(weights()))
    convert(there, back)
    same(held(back), weights() | {"count": np.array(0, np.int64)})  # a counter that the port does without
    assert not list(tmp_path.glob(".*"))


def test_what_is_written_follows_the_order_of_the_source(sharded, tmp_path):
    """A disk reads on; shard after shard is opened once."""
    convert(sharded, tmp_path / "out.safetensors")
    assert list(read_tensors(tmp_path / "out.safetensors")) == [
        "q", "k", "v", "joined", "out_t", "conv4", "gates", "one", "scalar"
    ]  # fmt: skip


def test_shards_are_no_larger_than_asked_unless_one_tensor_is(file, tmp_path):
    convert(file, tmp_path / f"out{INDEX}", shard=150)
    sizes = [[one.nbytes for one in read_tensors(path).values()] for path in sorted(tmp_path.glob("out-*"))]
    assert all(sum(some) <= 150 or len(some) == 1 for some in sizes)
    total = json.loads((tmp_path / f"out{INDEX}").read_text())["metadata"]["total_size"]
    assert total == sum(array.nbytes for array in ported(weights()).values()) == sum(map(sum, sizes))


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_a_cast_is_that_of_numpy(dtype, file, tmp_path):
    convert(file, tmp_path / "out.safetensors", dtype)
    same(held(tmp_path / "out.safetensors"), {name: array.astype(dtype) for name, array in ported(weights()).items()})


def test_whole_numbers_are_never_cast(tmp_path):
    given = weights()
    given["a"], given["b"] = given["a"].astype(np.int64), given["b"].astype(np.int64)
    convert(write(tmp_path / "in.safetensors", given), tmp_path / "out.safetensors", "float16")
    found = held(tmp_path / "out.safetensors")
    assert found["joined"].dtype == np.int64 and found["q"].dtype == np.float16


def test_a_value_too_large_for_the_cast_is_refused(tmp_path):
    given = weights()
    given["lstm"][7, 2] = 65520  # halfway from the largest float16 to the next power of two: becomes infinite
    path = write(tmp_path / "in.safetensors", given)
    with pytest.raises(PortError, match="'gates': 1 values are too large for float16"):
        convert(path, tmp_path / "out.safetensors", "float16")
    assert [p.name for p in tmp_path.iterdir()] == ["in.safetensors"]
    given["lstm"][7, 2] = 65519
    convert(write(path, given), tmp_path / "out.safetensors", "float16")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [KEEP, "float16"])
def test_a_value_that_is_not_finite_is_refused(value, dtype, tmp_path):
    given = weights()
    given["qkv"][11, 4] = value  # the last of all
    with pytest.raises(PortError, match=r"'v' holds NaN or infinite values, the first at \(3, 4\)"):
        convert(write(tmp_path / "in.safetensors", given), tmp_path / "out.safetensors", dtype)
    assert [p.name for p in tmp_path.iterdir()] == ["in.safetensors"]


def test_tied_tensors_that_differ_are_refused(tmp_path):
    given = weights()
    given["tied2"][6] += 1  # the last of all bytes
    with pytest.raises(PortError, match="'tied' and 'tied2' are one tensor in the reference"):
        convert(write(tmp_path / "in.safetensors", given), tmp_path / "out.safetensors")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"qkv": None}, "lacks 1 of the reference's 8 tensors, such as 'qkv'"),
        ({"extra": np.ones(2, np.float32)}, "the map lacks 1 of its tensors, such as 'extra'"),
        ({"out": np.ones((4, 6), np.float32)}, r"'out' has the shape \(4, 6\), in the map \(6, 4\)"),
        ({"a": np.ones((2, 3), np.float16)}, "'a', 'b' become one tensor and have different element types"),
    ],
)
def test_a_file_that_the_map_does_not_fit_is_refused(changes, says, tmp_path):
    given = {name: array for name, array in (weights() | changes).items() if array is not None}
    with pytest.raises(PortError, match=says):
        convert(write(tmp_path / "in.safetensors", given), tmp_path / "out.safetensors")
