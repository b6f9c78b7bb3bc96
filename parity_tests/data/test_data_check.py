"""`python -m port data check` finds each kind of damage; `data regroup` links and leaves alone what is not its own."""

import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from parity_tests.data.made_sets import make_benchmark, make_reds, make_vimeo90k, write_pair
from port.cli import main
from port.data.sets import open_set
from port.video.pictures import read_picture

SMALL = (16, 24)


@pytest.fixture
def reds(tmp_path):
    return make_reds(tmp_path / "REDS", frames=4, size=SMALL)


def check(capsys, name, root, *flags):
    """-> exit code, and (clip, kind, text) of the problems"""
    code = main(["data", "check", name, str(root), "--json", "--workers", "0", *flags])
    found = json.loads(capsys.readouterr().out)
    assert (code == 1) == bool(found["problems"])
    return code, [(each["clip"], each["kind"], each["text"]) for each in found["problems"]]


def test_a_sound_set_has_no_problem(reds, capsys):
    assert check(capsys, "reds", reds, "--subset", "--workers", "2") == (0, [])
    assert main(["data", "check", "reds4", str(reds), "--subset", "--workers", "0"]) == 0
    assert "4 clips, 32 files read" in capsys.readouterr().out


def test_what_the_published_set_has_more(reds, capsys):
    """Without --subset: 100 frames a clip, and all clips."""
    code, problems = check(capsys, "reds4", reds)
    assert code == 1 and len(problems) == 8
    assert problems[0][:2] == ("000", "missing") and "low resolution: 4 of 100 frames" in problems[0][2]
    _, problems = check(capsys, "reds", reds)
    assert problems[0] == ("", "missing", "264 of 266 clips: 003, 004, 005, 006, 007 and 259 more")


def test_a_whole_set_passes_without_subset(tmp_path, capsys):
    """Four clips of 100 frames, all links to the same two pictures."""
    low, high = tmp_path / "low.png", tmp_path / "high.png"
    for path, size in ((low, 4), (high, 16)):
        Image.fromarray(np.zeros((size, size, 3), np.uint8)).save(path)
    for side, picture in (("sharp_bicubic", low), ("GT", high)):
        for clip in ("000", "011", "015", "020"):
            (tmp_path / side / clip).mkdir(parents=True)
            for index in range(100):
                os.link(picture, tmp_path / side / clip / f"{index:08d}.png")
    assert check(capsys, "reds4", tmp_path) == (0, [])


def damage_gap(gt, lq):
    for side in (gt, lq):
        (side / "00000001.png").unlink()


def damage_one_side(gt, lq):
    (gt / "00000003.png").unlink()


def damage_cut_short(gt, lq):
    path = lq / "00000002.png"
    path.write_bytes(path.read_bytes()[:-30])


def damage_text(gt, lq):
    (gt / "00000000.png").write_text("no picture")


def damage_one_size(gt, lq):
    Image.fromarray(np.zeros((16, 20, 3), np.uint8)).save(gt / "00000002.png")


def damage_all_sizes(gt, lq):
    for path in gt.iterdir():
        Image.fromarray(np.zeros((16, 28, 3), np.uint8)).save(path)


def damage_folder(gt, lq):
    shutil.rmtree(gt)


def damage_empty(gt, lq):
    for path in lq.iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (damage_gap, [("missing", "low resolution: frame 1 not in"), ("missing", "truth: frame 1 not in")]),
        (damage_one_side, [("unpaired", "4 frames of low resolution, 3 of the truth; the truth lacks 00000003")]),
        (damage_cut_short, [("unreadable", "011/00000002.png: damaged or no picture")]),
        (damage_text, [("unreadable", "011/00000000.png: damaged or no picture")]),
        (damage_one_size, [("size", "truth: 00000002.png is 20x16; the others are 24x16")]),
        (damage_all_sizes, [("size", "truth is 28x16, 4 times the low resolution 6x4 is 24x16")]),
        (damage_folder, [("missing", "there is no folder")]),
        (damage_empty, [("missing", "low resolution: any frame not in"), ("unpaired", "0 frames of low resolution")]),
    ],
)
def test_damage_is_found_and_named(damage, expected, reds, capsys):
    damage(reds / "trainval_sharp/011", reds / "trainval_sharp_bicubic/X4/011")
    code, problems = check(capsys, "reds4", reds, "--subset")
    assert code == 1 and [(clip, kind) for clip, kind, _ in problems] == [("011", kind) for kind, _ in expected]
    assert all(part in text for (_, _, text), (_, part) in zip(problems, expected, strict=True))


def test_fast_sees_sizes_but_no_damage_further_down(reds, capsys):
    gt, lq = reds / "trainval_sharp/011", reds / "trainval_sharp_bicubic/X4/011"
    damage_cut_short(gt, lq)
    assert check(capsys, "reds4", reds, "--subset", "--fast") == (0, [])
    damage_one_size(gt, lq)
    assert [kind for _, kind, _ in check(capsys, "reds4", reds, "--subset", "--fast")[1]] == ["size"]


def test_septuplets(tmp_path, capsys):
    root = make_vimeo90k(tmp_path, size=SMALL)
    assert check(capsys, "vimeo90k_t", root, "--subset") == (0, [])
    (root / "sequences_BD/00002/0001/im4.png").unlink()
    _, problems = check(capsys, "vimeo90k_t", root)
    assert problems[0] == ("", "missing", "the list names 1 clips, the published one 7824")
    assert problems[1][:2] == ("00002/0001", "missing") and "low resolution: im4.png not in" in problems[1][2]
    assert len(problems) == 2


def test_a_clip_on_one_side_only(tmp_path, capsys):
    root = make_benchmark(tmp_path, size=SMALL)
    shutil.rmtree(root / "BD/city")
    _, problems = check(capsys, "vid4", root, "--subset")
    assert [(clip, kind) for clip, kind, _ in problems] == [("city", "missing")]


def test_the_table_and_a_wrong_root(reds, capsys):
    damage_one_side(reds / "trainval_sharp/011", None)
    assert main(["data", "check", "reds4", str(reds), "--subset", "--workers", "0"]) == 1
    shown = capsys.readouterr().out
    assert "011" in shown and "unpaired" in shown and "1 problem." in shown
    assert main(["data", "check", "reds4", str(reds.parent), "--json"]) == 3
    shown = capsys.readouterr()
    assert not shown.out and f"{reds} holds" in shown.err.replace("\n", " ")


# ----------------------------------------------------------------------------------------------------------- regroup


@pytest.fixture
def unpacked(tmp_path):
    """REDS as its zips unpack, with three training and two validation clips."""
    root = tmp_path / "zips"
    for kind, clips in (("train", ("000", "001", "002")), ("val", ("000", "029"))):
        gt, lq = root / kind / f"{kind}_sharp", root / kind / f"{kind}_sharp_bicubic" / "X4"
        for clip in clips:
            write_pair(gt / clip, lq / clip, len(kind) * 100 + int(clip), ["0", "1"], SMALL)
    return root


def regroup(capsys, *arguments):
    code = main(["data", "regroup", *map(str, arguments), "--json"])
    return code, json.loads(capsys.readouterr().out or "{}")


def test_validation_clips_among_the_training_clips(unpacked, capsys):
    assert regroup(capsys, unpacked) == (0, {"linked": 4, "copied": 0, "kept": 0})
    pairs = {pair.name: pair for pair in open_set("reds", unpacked)}
    assert list(pairs) == ["001", "002", "240", "269"]
    original = unpacked / "val/val_sharp/029/1.png"
    assert np.array_equal(read_picture(pairs["269"].gt[1]), read_picture(original)) and pairs["269"].gt[1].samefile(
        original
    )
    link = unpacked / "train/train_sharp/269"
    assert os.readlink(link) == "../../val/val_sharp/029"
    assert regroup(capsys, unpacked) == (0, {"linked": 0, "copied": 0, "kept": 4})


def test_all_clips_in_a_folder_of_their_own(unpacked, tmp_path, capsys):
    assert regroup(capsys, unpacked, tmp_path / "REDS") == (0, {"linked": 10, "copied": 0, "kept": 0})
    assert [pair.name for pair in open_set("reds", tmp_path / "REDS", "all")] == ["000", "001", "002", "240", "269"]
    assert not (unpacked / "train/train_sharp/240").exists()
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for folder in ("zips", "REDS"):
        (tmp_path / folder).rename(moved / folder)
    assert len(open_set("reds", moved / "REDS", "all")) == 5, "links are relative: they survive a move of both"


def test_copies(unpacked, tmp_path, capsys):
    assert regroup(capsys, unpacked, tmp_path / "REDS", "--copy") == (0, {"linked": 0, "copied": 10, "kept": 0})
    copied = tmp_path / "REDS/trainval_sharp/240"
    assert (
        not copied.is_symlink()
        and (copied / "1.png").read_bytes() == (unpacked / "val/val_sharp/000/1.png").read_bytes()
    )
    assert regroup(capsys, unpacked, tmp_path / "REDS")[1]["kept"] == 10
    assert not list((tmp_path / "REDS").rglob(".*"))


@pytest.mark.parametrize("kind", ["folder", "dead link", "file"])
def test_a_collision_changes_nothing(kind, unpacked, capsys):
    place = unpacked / "train/train_sharp_bicubic/X4/269"
    {"folder": place.mkdir, "dead link": lambda: place.symlink_to("gone"), "file": place.touch}[kind]()
    before = sorted(unpacked.rglob("*"))
    assert main(["data", "regroup", str(unpacked)]) == 3
    assert "269 is there already" in capsys.readouterr().err.replace("\n", " ")
    assert sorted(unpacked.rglob("*")) == before


def test_nothing_to_regroup(tmp_path, capsys):
    (tmp_path / "train").mkdir()
    assert main(["data", "regroup", str(tmp_path)]) == 3
    assert "Looked for train/train_sharp with val/val_sharp" in capsys.readouterr().err.replace("\n", " ")
