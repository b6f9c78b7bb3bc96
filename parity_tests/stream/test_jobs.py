"""Jobs that break off and go on: killed, refused, damaged, out of space. Windows of 6 frames with 4 shared move on by 2."""

import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from parity_tests.stream.standin import Calls, infer
from port.errors import INTERRUPTED, PortError, UsageError
from port.stream.arguments import infer_arguments
from port.stream.job import Job
from port.stream.pieces import read_piece, write_piece
from port.stream.run import ways_of
from port.video.read import read_clip
from port.video.write import write_clip

REPO = Path(__file__).resolve().parents[2]
WINDOWS = ("--window", "6", "--overlap", "4")
FRAMES = 20
ALL_WINDOWS = 8  # starts 0, 2, ... 14


def noise(count=FRAMES, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 64, 66, 3), np.uint8)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A video, and the bytes of what an undisturbed run makes of it."""
    folder = tmp_path_factory.mktemp("job")
    write_clip(folder / "in.mp4", noise(), Fraction(25))
    infer(folder / "in.mp4", folder / "whole.mp4", *WINDOWS)
    return folder / "in.mp4", (folder / "whole.mp4").read_bytes()


def pieces(folder):
    return sorted(path.name for path in folder.glob("[0-9]*.of-*"))


def start(clip, out, pause):
    """The command in a process of its own."""
    words = [sys.executable, "-m", "parity_tests.stream.standin", str(pause), clip, out, *WINDOWS, "--quiet"]
    environment = os.environ | {"PYTHONPATH": str(REPO)}
    return subprocess.Popen([str(w) for w in words], cwd=REPO, env=environment, stdout=subprocess.DEVNULL)


def test_killed_and_given_again_it_ends_as_if_undisturbed(clip, tmp_path, capfd):
    source, whole = clip
    work = tmp_path / "out.mp4.work"
    process = start(source, tmp_path / "out.mp4", 0.2)
    while len(pieces(work)) < 2:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = len(pieces(work))
    assert 2 <= kept < ALL_WINDOWS and not (tmp_path / "out.mp4").exists()
    calls = Calls()
    assert infer(source, tmp_path / "out.mp4", *WINDOWS, "--json", load=calls.load) == 0
    assert json.loads(capfd.readouterr().out)["resumed"] == kept
    assert len(calls) == ALL_WINDOWS - kept
    assert (tmp_path / "out.mp4").read_bytes() == whole
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


class Stop(Exception):
    """Breaks a run off after some windows."""


def few_windows(error, after=3):
    """A network that raises `error` after some windows."""

    class Few(Calls):
        def append(self, shape):
            super().append(shape)
            if len(self) > after:
                raise error

    return Few().load


def broken_off(source, out, *flags, after=3):
    """A run that ends with `Stop` after some windows."""
    with pytest.raises(Stop):
        infer(source, out, *WINDOWS, *flags, load=few_windows(Stop, after))


def test_all_kinds_of_output_go_on(clip, tmp_path):
    source, _ = clip
    for name in ("out", "out.npy"):
        infer(source, tmp_path / f"whole-{name}", *WINDOWS)
        broken_off(source, tmp_path / name)
        assert len(pieces(tmp_path / f"{name}.work")) == 3 and not (tmp_path / name).exists()
        calls = Calls()
        infer(source, tmp_path / name, *WINDOWS, load=calls.load)
        assert len(calls) == ALL_WINDOWS - 3
    assert np.array_equal(np.load(tmp_path / "out.npy"), np.load(tmp_path / "whole-out.npy"))
    assert np.array_equal(read_clip(tmp_path / "out").frames, read_clip(tmp_path / "whole-out").frames)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "out.npy", "whole-out", "whole-out.npy"]


def test_ctrl_c_says_what_is_kept(clip, tmp_path, capfd):
    assert infer(clip[0], tmp_path / "out.mp4", *WINDOWS, load=few_windows(KeyboardInterrupt)) == INTERRUPTED
    assert "3 finished windows are kept in" in capfd.readouterr().err.replace("\n", " ")


def test_another_job_is_refused_and_begun_anew_on_request(clip, tmp_path):
    source, _ = clip
    out = tmp_path / "out.npy"
    broken_off(source, out)
    with pytest.raises(
        UsageError, match=r"3 finished windows of another job: --keyframe-stride was 3, is 2\. Give what"
    ):
        infer(source, out, *WINDOWS, "--keyframe-stride", 2)
    with pytest.raises(UsageError, match="--window was 6, is 5"):
        infer(source, out, "--window", 5, "--overlap", 4)
    other = tmp_path / "other.mp4"
    write_clip(other, noise(seed=1), Fraction(25))
    with pytest.raises(UsageError, match="the input's sha256 was "):
        infer(other, out, *WINDOWS)
    calls = Calls()
    assert infer(source, out, *WINDOWS, "--keyframe-stride", 2, "--overwrite", load=calls.load) == 0
    assert len(calls) == ALL_WINDOWS


def test_windows_chosen_once_stay(clip, tmp_path):
    """What `auto` took does not change when the memory at hand does, or pieces would not fit."""
    job = Job(tmp_path / "out.mp4", "video", {"a": 1})
    job.begin({"window": 6, "overlap": 4, "tile": None, "tile_overlap": 32})
    job.lock.close()
    assert Job(tmp_path / "out.mp4", "video", {"a": 1}).choice["window"] == 6


def test_two_at_once_are_refused(tmp_path):
    job = Job(tmp_path / "out.mp4", "video", {})
    job.begin({})
    with pytest.raises(PortError, match="another process is at work in"):
        Job(tmp_path / "out.mp4", "video", {})
    job.remove()
    assert not list(tmp_path.iterdir())


def test_an_output_that_exists_is_refused(clip, tmp_path):
    source, whole = clip
    out = tmp_path / "out.mp4"
    out.write_bytes(b"dear")
    with pytest.raises(UsageError, match="exists already"):
        infer(source, out)
    assert out.read_bytes() == b"dear"
    assert infer(source, out, *WINDOWS, "--overwrite") == 0
    assert out.read_bytes() == whole
    (tmp_path / "empty").mkdir()
    assert infer(source, tmp_path / "empty", "--max-frames", 1) == 0
    with pytest.raises(UsageError, match="exists already"):
        infer(source, tmp_path / "empty", "--max-frames", 1)


def test_damage_in_the_middle_keeps_what_came_before(tmp_path):
    source = tmp_path / "in.mp4"
    write_clip(source, noise(), Fraction(25))
    with av.open(str(source)) as container:
        sizes = sorted((packet.pts, packet.pos, packet.size) for packet in container.demux(video=0) if packet.size)
    _, at, size = sizes[14]
    data = bytearray(source.read_bytes())
    data[at + size // 2 : at + size // 2 + 40] = bytes(x ^ 0x5A for x in data[at + size // 2 : at + size // 2 + 40])
    source.write_bytes(data)
    with pytest.raises(
        PortError, match=r"--max-frames \d+\.\s.*finished windows are kept in .*out\.mp4\.work"
    ) as caught:
        infer(source, tmp_path / "out.mp4", *WINDOWS)
    readable = int(str(caught.value).split("--max-frames ")[1].split()[0].rstrip("."))
    kept = len(pieces(tmp_path / "out.mp4.work"))
    assert 8 <= readable <= 14 and kept >= 1
    calls = Calls()
    assert infer(source, tmp_path / "out.mp4", *WINDOWS, "--max-frames", readable, load=calls.load) == 0
    assert len(read_clip(tmp_path / "out.mp4").frames) == readable
    assert len(calls) == (readable - 6 + 1) // 2 + 1 - kept  # none of the pieces was made twice


def test_a_full_disk_keeps_what_is_finished(clip, tmp_path, monkeypatch):
    source, _ = clip
    save, left = np.save, [3]

    def short(draft, values, **options):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        save(draft, values, **options)

    monkeypatch.setattr(np, "save", short)
    with pytest.raises(PortError, match=r"no space left on its disk[\s\S]*3 finished windows are kept"):
        infer(source, tmp_path / "out.npy", *WINDOWS)
    left[0] = 99
    assert infer(source, tmp_path / "out.npy", *WINDOWS) == 0
    assert not (tmp_path / "out.npy.work").exists()


def test_nothing_is_left_where_nothing_was_finished(clip, tmp_path):
    broken_off(clip[0], tmp_path / "out.mp4", after=0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("shape", [(3, 256, 264, 3), (1, 5, 7, 3), (2, 1, 1, 3)])
def test_pieces_are_lossless(tmp_path, shape):
    frames = np.random.default_rng(2).integers(0, 256, shape, np.uint8)
    write_piece(tmp_path / "x.mkv", frames)
    assert np.array_equal(np.stack(list(read_piece(tmp_path / "x.mkv", shape[0]))), frames)
    with pytest.raises(PortError, match=f"holds {shape[0]} frames, expected 9"):
        list(read_piece(tmp_path / "x.mkv", 9))


@pytest.mark.parametrize(
    ("framework", "words", "taken"),
    [
        ("torch", ["--eager"], "keep_memory,channels_last"),
        ("torch", ["--fast", "channels_last"], "keep_memory,channels_last"),
        ("mindspore", [], "compiled"),
        ("mindspore", ["--fast", "compiled"], "compiled"),
        ("mindspore", ["--fast", "winograd,together"], "winograd,together,compiled"),
        ("mindspore", ["--eager"], ""),
    ],
)
def test_a_job_is_known_by_what_computes_its_frames(framework, words, taken):
    """Compiled, MindSpore may round otherwise; PyTorch's column takes no notice of --eager."""
    args = infer_arguments("infer", ("cpu",), ["--weights", "w", "--input", "i", "--output", "o", *words])
    assert ",".join(ways_of(SimpleNamespace(args=args, framework=framework))) == taken
