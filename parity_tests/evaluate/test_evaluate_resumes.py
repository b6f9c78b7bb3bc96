"""`evaluate` goes on where it stopped, starts anew where it must, and shares clips out over processes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from parity_tests.evaluate import stand_in
from parity_tests.evaluate.conftest import CLIPS
from parity_tests.processes import gone, within
from port.errors import UsageError
from port.evaluate.shards import _environment
from port.parity.overhead import cores
from port.video.pictures import read_picture, write_picture

REPO = Path(__file__).resolve().parents[2]
FRAMES = ("--max-frames", "2")


def numbers(result):
    """A result without what differs from run to run."""
    return result["mean"], [
        {k: v for k, v in clip.items() if k not in ("seconds", "first")} for clip in result["clips"]
    ]


def state_file(folder):
    (path,) = (folder / ".cache/evaluate").iterdir()
    return path


@pytest.fixture
def broken_off(reds4, evaluate):
    """A run that was interrupted in its third clip."""

    def load(args):
        upscale = stand_in.load(args)

        def interrupted(lrs, probe):
            if len(stand_in.given) == 2:
                raise KeyboardInterrupt
            return upscale(lrs, probe)

        return interrupted

    with pytest.raises(AssertionError, match="130"):  # run_command's exit code for an interruption
        evaluate(*FRAMES, load=load)
    return reds4


def test_an_interrupted_run_goes_on(broken_off, evaluate, tmp_path):
    assert len(state_file(tmp_path).read_text().splitlines()) == 2
    result = evaluate(*FRAMES)
    assert (len(stand_in.given), result["resumed"]) == (2, 2)
    assert numbers(result) == numbers(evaluate(*FRAMES, "--fresh"))
    assert len(stand_in.given) == 4
    evaluate(*FRAMES)
    assert stand_in.given == []


def test_a_line_cut_off_is_not_counted(broken_off, evaluate, tmp_path):
    """As `kill -9` in the middle of a write leaves it."""
    text = state_file(tmp_path).read_text()
    state_file(tmp_path).write_text(text[: len(text) - 40])
    assert evaluate(*FRAMES)["resumed"] == 1
    assert [json.loads(line)["clip"] for line in state_file(tmp_path).read_text().splitlines()] == list(CLIPS)


@pytest.mark.parametrize("flags", [("--channel", "y"), ("--crop", "2"), ("--max-frames", "1"), ("--keyframe-stride", "2"),
                                   ("--token-stride", "8"), ("--device", "cuda"), ("--eager",)])  # fmt: skip
def test_other_conditions_are_another_run(reds4, evaluate, flags):
    evaluate(*FRAMES)
    assert evaluate(*FRAMES, *flags)["resumed"] == 0
    assert evaluate(*FRAMES)["resumed"] == 4


def test_a_part_is_taken_from_the_whole_and_other_weights_are_not(reds4, evaluate, tmp_path):
    whole = evaluate(*FRAMES)
    part = evaluate(*FRAMES, "--clips", "015")
    assert part["resumed"] == 1 and part["clips"] == [whole["clips"][2]]
    stand_in.given.clear()
    words = ["--weights", "other.bin", "--dataset", "reds4", "--root", "REDS", *FRAMES]
    (tmp_path / "other.bin").write_bytes(b"other weights")
    assert stand_in.run(words) == 0 and len(stand_in.given) == 4


@pytest.mark.parametrize("folder", ["trainval_sharp", "trainval_sharp_bicubic/X4"])
def test_a_changed_frame_is_scored_anew(reds4, evaluate, folder):
    before = evaluate(*FRAMES)
    path = reds4 / folder / "011" / "00000001.png"
    write_picture(path, 255 - read_picture(path))
    after = evaluate(*FRAMES)
    assert (len(stand_in.given), after["resumed"]) == (1, 3)
    changed = [a["clip"] for a, b in zip(before["clips"], after["clips"], strict=True) if a["psnr"] != b["psnr"]]
    assert changed == ["011"]


def test_pictures_that_are_wanted_later_are_made_later(reds4, evaluate, tmp_path):
    evaluate(*FRAMES)
    assert evaluate(*FRAMES, "--save", "out")["resumed"] == 0
    (tmp_path / "out/011/00000001.png").unlink()
    assert evaluate(*FRAMES, "--save", "out")["resumed"] == 3
    assert len(list((tmp_path / "out").rglob("*.png"))) == 8
    assert evaluate(*FRAMES, "--save", "elsewhere")["resumed"] == 0


# ------------------------------------------------------------------------------------------------ many processes


def command(folder, *flags, **environment):
    """What starts the command, and its surroundings."""
    words = [
        sys.executable,
        "-m",
        "parity_tests.evaluate.stand_in",
        "--weights",
        folder / "w.bin",
        "--dataset",
        "reds4",
    ]
    words += ["--root", folder / "REDS", "--json", *FRAMES, *flags]
    around = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    return {
        "args": [str(word) for word in words],
        "cwd": folder,
        "env": around | {"PYTHONPATH": str(REPO), **environment},
    }


def in_processes(folder, *flags, **environment):
    return subprocess.run(**command(folder, *flags, **environment), capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("devices", [2, 3])  # three processes take 2, 1 and 1 of four clips
def test_many_processes_give_what_one_gives(reds4, evaluate, tmp_path, devices):
    alone = evaluate(*FRAMES)
    done = in_processes(tmp_path, "--devices", devices, "--state", "state", "--save", "out")
    assert done.returncode == 0, done.stderr
    together = json.loads(done.stdout)
    assert numbers(together) == numbers(alone)
    assert (together["devices"], together["resumed"]) == (devices, 0)
    assert together["environment"]["OMP_NUM_THREADS"] == str(max(1, cores() // devices))
    assert len(list((tmp_path / "out").rglob("*.png"))) == 8
    assert sum(clip["first"] for clip in together["clips"]) == devices  # each process was really given its part


def test_a_process_that_dies_is_told_and_the_rest_is_kept(reds4, evaluate, tmp_path):
    done = in_processes(tmp_path, "--devices", "2", STAND_IN_DIES_AT="1")
    assert done.returncode == 3 and done.stdout == ""
    assert "of 2 was killed by signal 9 before clip 0" in done.stderr and "Traceback" not in done.stderr
    kept = [json.loads(line)["clip"] for line in state_file(tmp_path).read_text().splitlines()]
    assert kept and set(kept) <= {"000", "011"}  # the first clips of the two processes
    again = evaluate(*FRAMES)
    assert again["resumed"] == len(kept)
    assert numbers(again) == numbers(evaluate(*FRAMES, "--fresh"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_processes_end_with_the_one_that_started_them(reds4, evaluate, tmp_path, number):
    """They would take a minute for their clip, and are not even told: the first signal ends Python before any cleaning up."""
    (resting := tmp_path / "resting").mkdir()
    with subprocess.Popen(
        **command(tmp_path, "--devices", "2", STAND_IN_RESTS=str(resting)), stdout=subprocess.PIPE
    ) as parent:
        assert within(60, lambda: len(list(resting.iterdir())) == 2)
        workers = [int(path.name) for path in resting.iterdir()]
        assert parent.pid not in workers and not any(map(gone, workers))
        parent.send_signal(number)
    assert parent.returncode == -number
    assert within(10, lambda: all(map(gone, workers)))


def test_an_error_in_a_process_is_shown(reds4, evaluate, tmp_path):
    path = reds4 / "trainval_sharp/015/00000001.png"
    path.write_bytes(path.read_bytes()[:200])  # the head is whole
    done = in_processes(tmp_path, "--devices", "2")
    assert done.returncode == 3
    assert "015/00000001.png: damaged or no picture" in done.stderr
    assert "process 1 of 2 ended with exit code 3 before clip 015 was scored" in done.stderr


def test_threads_set_outside_are_kept(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert _environment(0, 2, "cpu")["OMP_NUM_THREADS"] == "5"


def test_each_process_sees_a_device_of_its_own(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert [_environment(rank, 2, "cuda")["CUDA_VISIBLE_DEVICES"] for rank in (0, 1)] == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert [_environment(rank, 2, "cuda")["CUDA_VISIBLE_DEVICES"] for rank in (0, 1)] == ["3", "5"]
    assert _environment(1, 2, "ascend")["ASCEND_RT_VISIBLE_DEVICES"] == "1"
    with pytest.raises(UsageError, match=r"CUDA_VISIBLE_DEVICES shows only 2 \(3,5\)"):
        _environment(0, 3, "cuda")
