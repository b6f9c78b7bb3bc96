"""`python -m port degrade`: what it writes, what it keeps, what it refuses."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from parity_tests.data.made_sets import made_clip
from port.cli import main
from port.degrade.blur import blur_down
from port.degrade.imresize import imresize
from port.files import write_text
from port.video.pictures import read_picture, write_picture
from port.video.write import write_clip

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture
def frames(tmp_path):
    """Two clips of two frames of 32x24 each, one a folder deeper than the other, as Vimeo's are."""
    clips = {"a": made_clip(0, 2, (24, 32)), "b/0001": made_clip(1, 2, (24, 32))}
    for name, clip in clips.items():
        (tmp_path / "hr" / name).mkdir(parents=True)
        write_clip(tmp_path / "hr" / name, clip)
    return {f"{name}/{index:08d}.png": frame for name, clip in clips.items() for index, frame in enumerate(clip)}


def degrade(tmp_path, kind="bi", *flags, workers=0):
    command = ["degrade", kind, str(tmp_path / "hr"), str(tmp_path / "lr"), "--workers", str(workers), "--json"]
    return main([*command, *flags])


def written(tmp_path):
    """Pictures below the target by their path."""
    root = tmp_path / "lr"
    return {path.relative_to(root).as_posix(): read_picture(path) for path in sorted(root.rglob("*.png"))}


@pytest.mark.parametrize(("kind", "function", "workers"), [("bi", imresize, 0), ("bd", blur_down, 2)])
def test_the_same_tree_with_its_low_resolution(kind, function, workers, frames, tmp_path, capsys):
    assert degrade(tmp_path, kind, workers=workers) == 0
    made = written(tmp_path)
    assert made.keys() == frames.keys()
    assert all(np.array_equal(made[name], function(frame)) for name, frame in frames.items())
    done = json.loads(capsys.readouterr().out)
    assert (done["frames"], done["made"], done["kept"], done["failed"]) == (4, 4, 0, [])
    assert not list(tmp_path.rglob("*.part*"))


def test_finished_frames_are_kept_and_stale_ones_made_again(frames, tmp_path, capsys):
    assert degrade(tmp_path) == 0
    other_size, broken, old, lost = ((tmp_path / "lr" / name) for name in frames)
    Image.fromarray(np.zeros((6, 7, 3), np.uint8)).save(other_size)
    broken.write_bytes(b"")
    os.utime(old, (1, 1))
    lost.unlink()
    capsys.readouterr()
    assert degrade(tmp_path) == 0
    done = json.loads(capsys.readouterr().out)
    assert (done["made"], done["redone"], done["kept"]) == (1, 3, 0)
    assert all(np.array_equal(picture, imresize(frames[name])) for name, picture in written(tmp_path).items())
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "lr").rglob("*.png")}
    assert degrade(tmp_path) == 0
    assert json.loads(capsys.readouterr().out)["kept"] == 4
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_an_unreadable_frame_is_named_and_stops_no_other(frames, tmp_path, capsys):
    bad = tmp_path / "hr/a/00000001.png"
    bad.write_bytes(bad.read_bytes()[:200])
    assert degrade(tmp_path) == 3
    shown = capsys.readouterr()
    assert str(bad) in shown.err.replace("\n", "") and len(json.loads(shown.out)["failed"]) == 1
    assert len(written(tmp_path)) == 3


def test_a_full_disk_ends_it_and_the_next_run_goes_on(frames, tmp_path, monkeypatch, capsys):
    save, begun = Image.Image.save, []

    def third_fails(image, path, **options):
        begun.append(path)
        if len(begun) == 3:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        save(image, path, **options)

    monkeypatch.setattr(Image.Image, "save", third_fails)
    assert degrade(tmp_path) == 3 and "no space left" in capsys.readouterr().err
    monkeypatch.setattr(Image.Image, "save", save)
    assert len(written(tmp_path)) == 2 and not list((tmp_path / "lr").rglob(".*"))
    assert degrade(tmp_path) == 0
    done = json.loads(capsys.readouterr().out)
    assert (done["made"], done["kept"]) == (2, 2)


def test_interrupted_it_leaves_nothing_half_written_and_goes_on(tmp_path, capsys):
    """Sixty frames of some 20 ms each, all the same file; the interrupt comes when the first is done."""
    (tmp_path / "hr").mkdir()
    write_picture(tmp_path / "hr/00.png", made_clip(0, 1, (384, 512))[0], lasting=False)
    for number in range(1, 60):
        os.link(tmp_path / "hr/00.png", tmp_path / f"hr/{number:02d}.png")
    command = [sys.executable, "-m", "port", "degrade", "bi", f"{tmp_path}/hr", f"{tmp_path}/lr", "--workers", "2"]
    process = subprocess.Popen(command, cwd=REPO, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while not list(tmp_path.glob("lr/[0-9]*.png")):
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, "interrupted\n")
    done = len(list(tmp_path.glob("lr/[0-9]*.png")))
    assert 0 < done < 60 and not list(tmp_path.rglob(".*"))
    assert degrade(tmp_path) == 0
    counts = json.loads(capsys.readouterr().out)
    assert (counts["kept"], counts["made"]) == (done, 60 - done)


def test_sizes_that_do_not_divide(frames, tmp_path, capsys):
    Image.fromarray(made_clip(5, 1, (27, 33))[0]).save(tmp_path / "hr/a/00000002.png")
    assert degrade(tmp_path) == 0
    assert written(tmp_path)["a/00000002.png"].shape == (7, 9, 3)
    assert "1 frames are no multiple of 4" in capsys.readouterr().err.replace("\n", " ")


def test_modcrop_cuts_first(frames, tmp_path, capsys):
    picture = made_clip(5, 1, (27, 33))[0]
    Image.fromarray(picture).save(tmp_path / "hr/a/00000002.png")
    assert degrade(tmp_path, "bi", "--modcrop") == 0
    assert np.array_equal(written(tmp_path)["a/00000002.png"], imresize(picture[:24, :32]))
    assert "no multiple" not in capsys.readouterr().err


def test_links_are_followed_and_circles_left(frames, tmp_path):
    (tmp_path / "hr/c").symlink_to(tmp_path / "hr/a", target_is_directory=True)
    (tmp_path / "hr/b/again").symlink_to(tmp_path / "hr", target_is_directory=True)
    (tmp_path / "elsewhere").mkdir()
    write_clip(tmp_path / "elsewhere", made_clip(2, 1, (24, 32)))
    (tmp_path / "hr/240").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert degrade(tmp_path) == 0
    names = {path.parent.relative_to(tmp_path / "lr").as_posix() for path in (tmp_path / "lr").rglob("*.png")}
    assert names == {"240", "a", "b/0001", "c"}


def refused(capsys, code, says):
    shown = capsys.readouterr().err.replace("\n", " ")
    return re.search(says, shown) and code


@pytest.mark.parametrize(
    ("kind", "flags", "code", "says"),
    [
        ("bd", ["--scale", "3"], 2, "BD is defined for x4 only"),
        ("bi", ["--scale", "0.5"], 2, "above 1, found 0.5"),
        ("bi", ["--scale", "nan"], 2, "above 1, found nan"),
        ("bi", ["--scale", "2.5", "--modcrop"], 2, "needs a whole --scale"),
        ("bi", ["--workers", "-1"], 2, "from 0"),
    ],
)
def test_wrong_usage(kind, flags, code, says, frames, tmp_path, capsys):
    assert degrade(tmp_path, kind, *flags) == code and refused(capsys, code, says)
    assert not (tmp_path / "lr").exists()


def test_a_target_of_something_else_is_refused(frames, tmp_path, capsys):
    assert degrade(tmp_path) == 0
    assert degrade(tmp_path, "bd") == 3 and refused(capsys, 3, "holds frames made with .*'bi'.*asked for .*'bd'")
    (tmp_path / "lr/degradation.json").unlink()
    assert degrade(tmp_path) == 3 and refused(capsys, 3, "pictures that this command has not made")
    write_text(tmp_path / "lr/degradation.json", "{")
    assert degrade(tmp_path) == 3 and refused(capsys, 3, "cannot read .*degradation.json")


def test_a_wrong_source_is_refused(frames, tmp_path, capsys):
    assert main(["degrade", "bi", str(tmp_path / "gone"), str(tmp_path / "lr")]) == 3
    assert refused(capsys, 3, "there is no such folder")
    assert main(["degrade", "bi", str(tmp_path), str(tmp_path / "lr")]) == 2 and refused(
        capsys, 2, "lies in the source"
    )
    (tmp_path / "none").mkdir()
    assert main(["degrade", "bi", str(tmp_path / "none"), str(tmp_path / "lr")]) == 3 and refused(
        capsys, 3, "no picture"
    )
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "hr/a/00000000.bmp")
    assert degrade(tmp_path) == 3 and refused(capsys, 3, "differ in their extension only")
