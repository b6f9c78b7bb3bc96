"""Streamed conversions: any layout, one file or shards, cast or not; killed and gone on with; never a half-written file."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file

from parity_tests.convert.made_files import ported, weight_map, weights, write, write_index
from port.convert import stream, target
from port.convert.header import INDEX, read_tensors
from port.convert.plan import KEEP, make_plan
from port.convert.source import FileSource
from port.convert.stream import check_tied
from port.errors import PortError

CHUNK = 16  # bytes: every tensor takes several


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(stream, "CHUNK", CHUNK)
    monkeypatch.setattr(target, "CHUNK", CHUNK)


def convert(path, out, dtype=KEEP, shard=1 << 30, advance=lambda done: None):
    source = FileSource(path)
    try:
        plan = make_plan(path, source.tensors, weight_map(), dtype)
        check_tied(plan, source)
        return target.write_target(out, plan, source, source.state(), shard, advance)
    finally:
        source.close()


def held(path):
    """All tensors of a file or an index, by the format's own library."""
    if path.name.endswith(INDEX):
        table = json.loads(path.read_text())["weight_map"]
        found = {file: load_file(path.with_name(file)) for file in set(table.values())}
        return {name: found[file][name] for name, file in table.items()}
    return load_file(path)


def same(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape), name
        assert found[name].tobytes() == np.ascontiguousarray(array).tobytes(), name


@pytest.fixture
def file(tmp_path):
    return write(tmp_path / "in.safetensors", weights())


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


# ---------------------------------------------------------------------------------------------- killed


class Stop:
    """`advance` that ends the run at its n-th call, as Ctrl-C does (a kill leaves the same files)."""

    def __init__(self, calls):
        self.left = calls

    def __call__(self, done):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.name.startswith("out")}


def test_stopped_anywhere_the_same_command_goes_on(file, tmp_path):
    out = tmp_path / f"out{INDEX}"
    calls = []
    convert(file, out, shard=150, advance=calls.append)
    undisturbed = files(tmp_path)
    resumed = []
    for n in range(0, len(calls), 3):
        for path in tmp_path.glob("out*"):
            path.unlink()
        with pytest.raises(KeyboardInterrupt):
            convert(file, out, shard=150, advance=Stop(n))
        assert files(tmp_path) == {}  # nothing has its name before all is read back
        resumed.append(convert(file, out, shard=150).resumed)
        assert files(tmp_path) == undisturbed
    assert resumed[0] == 0 and resumed[-1] == len(ported(weights())) and resumed == sorted(resumed)
    assert not list(tmp_path.glob(".*"))


def test_killed_for_real(file, tmp_path):
    """SIGKILL in a process of its own, twice; the third run ends."""
    script = f"""if True:
    import os, signal, sys
    from pathlib import Path
    from parity_tests.convert import test_convert_files as here
    here.stream.CHUNK = here.target.CHUNK = {CHUNK}
    def advance(done, left=[int(sys.argv[1])]):
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
    here.convert(Path({str(file)!r}), Path({str(tmp_path / "out.safetensors")!r}), advance=advance)"""
    for calls in ("25", "12"):
        done = subprocess.run([sys.executable, "-c", script, calls], capture_output=True, text=True)
        assert done.returncode == -signal.SIGKILL, done.stderr
    journal = (tmp_path / ".out.safetensors.part" / target.JOURNAL).read_text().splitlines()
    assert convert(file, tmp_path / "out.safetensors").resumed == len(journal) - 1 >= 3
    same(held(tmp_path / "out.safetensors"), ported(weights()))


def half_way(file, out):
    with pytest.raises(KeyboardInterrupt):
        convert(file, out, advance=Stop(25))
    return out.with_name(f".{out.name}.part")


def test_another_job_does_not_go_on_with_it(file, tmp_path):
    out = tmp_path / "out.safetensors"
    half_way(file, out)
    assert convert(file, out, "float16").resumed == 0
    half_way(file, out)
    given = weights()
    given["qkv"][0, 0] += 1
    write(file, given)
    assert convert(file, out).resumed == 0
    same(held(out), ported(given))


def test_a_journal_cut_in_a_line_or_without_its_file(file, tmp_path):
    out = tmp_path / "out.safetensors"
    journal = half_way(file, out) / target.JOURNAL
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:-1]) + lines[-1][:20])
    assert convert(file, out).resumed == len(lines) - 2
    same(held(out), ported(weights()))
    (half_way(file, out) / out.name).unlink()
    convert(file, out)
    same(held(out), ported(weights()))


def test_what_was_written_and_changed_since_is_noticed(file, tmp_path):
    """A byte turned between a kill and the run after it; the run after that begins anew."""
    out = tmp_path / "out.safetensors"
    draft = half_way(file, out) / out.name
    content = bytearray(draft.read_bytes())
    content[8 + int.from_bytes(content[:8], "little")] ^= 1  # of the first tensor, which is whole
    draft.write_bytes(content)
    names = "|".join(ported(weights()))
    with pytest.raises(PortError, match=rf"not written: read back, tensor '({names})' differs"):
        convert(file, out)
    assert [p.name for p in tmp_path.iterdir()] == ["in.safetensors"]
    assert convert(file, out).resumed == 0


def test_a_disk_that_changes_a_byte_is_noticed(file, tmp_path, monkeypatch):
    honest = target._write_all

    def dishonest(out, part):
        honest(out, memoryview(bytes(part[:-1]) + bytes([part[-1] ^ 1])) if len(part) == 12 else part)

    monkeypatch.setattr(target, "_write_all", dishonest)
    with pytest.raises(PortError, match="not written: read back"):
        convert(file, tmp_path / "out.safetensors")
    assert [p.name for p in tmp_path.iterdir()] == ["in.safetensors"]


# ---------------------------------------------------------------------------------------------- what stands in the way


def test_two_at_once_are_kept_apart(file, tmp_path):
    out = tmp_path / "out.safetensors"
    folder = half_way(file, out)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with open(folder / target.JOURNAL) as journal:
        fcntl.flock(journal, fcntl.LOCK_EX)
        with pytest.raises(PortError, match="another conversion is writing"):
            convert(file, out)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert convert(file, out).resumed > 0


def test_a_full_disk_is_explained_and_nothing_left(file, tmp_path, monkeypatch):
    out, honest, left = tmp_path / "out.safetensors", target._write_all, [9]
    out.write_bytes(b"what stood here before")

    def full(handle, part):
        left[0] -= 1
        if not left[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        honest(handle, part)

    monkeypatch.setattr(target, "_write_all", full)
    with pytest.raises(PortError, match=r"out.safetensors: no space left on its disk .* MB free"):
        convert(file, out)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.safetensors", "out.safetensors"]
    assert out.read_bytes() == b"what stood here before"


@pytest.mark.parametrize(
    ("out", "says"),
    [
        ("gone/out.safetensors", "folder .*gone does not exist"),
        ("taken.safetensors", "it is a folder"),
        ("/sys/out.safetensors", "cannot (write|use) /sys/"),
    ],
)
def test_a_place_that_cannot_be_written_is_explained(out, says, file, tmp_path):
    (tmp_path / "taken.safetensors").mkdir()
    with pytest.raises(PortError, match=says):
        convert(file, tmp_path / out)
