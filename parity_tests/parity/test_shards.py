"""Whole tensors on their way to disk: what was recorded stays, memory is bounded, a full disk is noticed."""

import threading

import numpy as np
import pytest

from port.errors import PortError
from port.parity import shards
from port.parity.shards import Shards
from port.parity.trace import Trace, TraceWriter

SHARD, TENSOR = 4000, 600  # bytes


@pytest.fixture
def slow_disk(monkeypatch):
    """Files are written only once `let` is set; `most` is the largest number of bytes not yet written."""

    class Disk:
        let, most = threading.Event(), 0

    real = shards.write
    monkeypatch.setattr(shards, "SHARD_BYTES", SHARD)
    monkeypatch.setattr(shards, "write", lambda path, tensors: (Disk.let.wait(10), real(path, tensors)))
    return Disk


def array(i):
    return np.full(TENSOR // 4, i, np.float32)


def test_what_was_recorded_stays_though_the_tensor_changes_before_it_is_written(tmp_path, slow_disk):
    """One tensor, written to between its sites as a module that works in place does."""
    writer, shared = TraceWriter(tmp_path, 10**9), array(0)
    for i in range(12):  # two files at most are under way
        shared[:] = i
        writer.add(f"s/{i}", "value", shared, whole=True)
    shared[:] = -1
    slow_disk.let.set()
    writer.finish(None, error=None)
    trace = Trace(tmp_path)
    for i in range(12):
        np.testing.assert_array_equal(trace.whole(f"s/{i}"), array(i))
        assert trace.sites[f"s/{i}"].highest == trace.samples(f"s/{i}")[0] == i


def test_memory_does_not_grow_with_the_trace(tmp_path, slow_disk):
    """A run that is faster than the disk waits for it: two files and a tensor each, never more."""
    held = Shards(tmp_path)
    filled = threading.Thread(target=lambda: [held.add(str(i), array(i)) for i in range(200)])
    filled.start()
    filled.join(0.3)
    assert filled.is_alive(), "200 tensors were taken in though nothing could be written"
    assert SHARD < held.in_memory <= 2 * (SHARD + TENSOR)
    slow_disk.let.set()
    filled.join(10)
    held.close()
    assert len(list(tmp_path.glob("whole-*.safetensors"))) == -(-200 // 7)  # seven tensors make a file


def test_tensors_of_all_kinds_share_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_BYTES", SHARD)
    given = [np.float64(2.5), np.zeros((0, 3), np.float32), np.arange(5, dtype=np.int32), np.array([True, False, True]),
             np.arange(12, dtype=np.float64).reshape(3, 4).T, np.arange(4000, dtype=np.float32)]  # fmt: skip
    writer = TraceWriter(tmp_path, 10**9)
    for i, value in enumerate(given):
        writer.add(f"s/{i}", "value", np.asarray(value), whole=True)
    writer.finish(None, error=None)
    for i, value in enumerate(given):
        read = Trace(tmp_path).whole(f"s/{i}")
        assert read.dtype == value.dtype and read.shape == value.shape
        np.testing.assert_array_equal(read, value)


def test_a_file_that_cannot_be_written_stops_the_run(tmp_path, monkeypatch):
    def full(path, tensors):
        raise PortError("cannot write: no space left on its disk")

    monkeypatch.setattr(shards, "SHARD_BYTES", SHARD)
    monkeypatch.setattr(shards, "write", full)
    writer = TraceWriter(tmp_path, 10**9)
    with pytest.raises(PortError, match="no space left"):
        for i in range(20):
            writer.add(f"s/{i}", "value", array(i), whole=True)
    last = TraceWriter(tmp_path / "last", 10**9)
    last.add("s/a", "value", array(1), whole=True)
    with pytest.raises(PortError, match="no space left"):
        last.finish(None, error=None)
    assert not (tmp_path / "last" / "trace.json").exists()
