"""Streamed conversions that are killed, and gone on with; full disks, two at once; never a half-written file."""

import errno
import fcntl
import os
import signal
import subprocess
import sys

import pytest

from parity_tests.convert.made_files import ported, weights, write
from parity_tests.convert.streamed import CHUNK, convert, held, same
from port.convert import target
from port.convert.header import INDEX
from port.errors import PortError

pytestmark = pytest.mark.usefixtures("small_chunks")


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
    from parity_tests.convert import streamed
    from port.convert import stream, target
    stream.CHUNK = target.CHUNK = {CHUNK}
    def advance(done, left=[int(sys.argv[1])]):
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
    streamed.convert(Path({str(file)!r}), Path({str(tmp_path / "out.safetensors")!r}), advance=advance)"""
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
