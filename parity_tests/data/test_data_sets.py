"""Data sets by name: which frames are found, and what is said where they are not."""

import re
from pathlib import Path

import pytest

from parity_tests.data.made_sets import make_benchmark, make_reds, make_vimeo90k
from port.data.clips import Frames, unpaired
from port.data.sets import SETS, open_set, set_facts
from port.errors import PortError, UsageError

SMALL = (16, 24)


def names(pairs):
    return [pair.name for pair in pairs]


@pytest.fixture(scope="module")
def reds(tmp_path_factory):
    return make_reds(tmp_path_factory.mktemp("sets") / "REDS", frames=2, size=SMALL)


@pytest.mark.parametrize("layout", [0, 1], ids=["seed page", "official repository"])
def test_reds_in_both_layouts(layout, tmp_path, capsys):
    root = make_reds(tmp_path, frames=2, size=SMALL, layout=layout)
    assert names(open_set("reds", root)) == ["001", "002"]
    assert names(open_set("reds", root, "all")) == ["000", "001", "002", "011", "015", "020"]
    four = open_set("reds4", root)
    assert names(four) == ["000", "011", "015", "020"] == names(open_set("reds", root, "test"))
    folders = ("trainval_sharp_bicubic/X4", "trainval_sharp"), ("train/train_sharp_bicubic/X4", "train/train_sharp")
    lq, gt = folders[layout]
    assert tuple(four[1].lq) == (root / lq / "011/00000000.png", root / lq / "011/00000001.png")
    assert tuple(four[1].gt) == (root / gt / "011/00000000.png", root / gt / "011/00000001.png")
    assert "2 of 266 clips" in capsys.readouterr().err


def test_training_clips_are_all_but_four():
    from port.data.reds import REDS4, TRAINING

    assert (
        len(TRAINING) == 266 and not {*REDS4} & {*TRAINING} and {*REDS4, *TRAINING} == {f"{i:03d}" for i in range(270)}
    )
    assert set_facts("reds").clips == 266


def test_strangers_are_no_clips(tmp_path):
    root = make_reds(tmp_path, ("001",), 1, SMALL)
    for odd in (".hidden", "1", "0001", "270", "notes"):
        (root / "trainval_sharp" / odd).mkdir()
    assert names(open_set("reds", root)) == ["001"]


def test_vimeo90k_by_its_lists(tmp_path):
    root = make_vimeo90k(tmp_path, size=SMALL)
    assert names(open_set("vimeo90k", root)) == ["00001/0001", "00001/0002"]
    assert names(open_set("vimeo90k", root, "all")) == ["00001/0001", "00001/0002", "00002/0001"]
    (pair,) = open_set("vimeo90k_t", root)
    assert tuple(pair.lq) == tuple(root / f"sequences_BD/00002/0001/im{k}.png" for k in range(1, 8))
    assert tuple(pair.gt) == tuple(root / f"sequences/00002/0001/im{k}.png" for k in range(1, 8))
    with pytest.raises(
        PortError, match=r"vimeo90k_t \(BI\).*sequences_BI with sequences.*Found sequences, sequences_BD"
    ):
        open_set("vimeo90k_t", root, degradation="BI")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("00001/0001\n../../etc/0001\n", "sep_trainlist.txt, line 2: expected a septuplet"),
        ("00001/0001\n\n00001/0001\n", "a septuplet twice"),
        ("\n", "names no septuplet"),
        ("00001/0001 7 (256,448,3)\n", "line 1"),
    ],
)
def test_a_wrong_list_is_refused(text, says, tmp_path):
    root = make_vimeo90k(tmp_path, size=SMALL)
    (root / "sep_trainlist.txt").write_text(text)
    with pytest.raises(PortError, match=says):
        open_set("vimeo90k", root)


def test_a_missing_list_is_named(tmp_path):
    root = make_vimeo90k(tmp_path, size=SMALL)
    (root / "sep_testlist.txt").unlink()
    with pytest.raises(PortError, match=r"sep_testlist\.txt is neither in"):
        open_set("vimeo90k_t", root)


@pytest.mark.parametrize(
    ("gt", "lq", "asked"), [("HR", "BD", None), ("GT", "BDx4", "BD"), ("GT", "BIx4", "BI"), ("GT", "LQ", "bi")]
)
def test_vid4_and_udm10_by_all_their_names(gt, lq, asked, tmp_path, capsys):
    root = make_benchmark(tmp_path, size=SMALL, gt=gt, lq=lq)
    for name in ("vid4", "udm10"):
        pairs = open_set(name, root, degradation=asked)
        assert names(pairs) == ["calendar", "city"]
        assert tuple(pairs[0].lq) == tuple(root / lq / f"calendar/frame_{k:04d}.png" for k in (2, 3, 4))
        assert tuple(pairs[0].gt) == tuple(root / gt / f"calendar/frame_{k:04d}.png" for k in (2, 3, 4))
    assert ("taken for BI" in capsys.readouterr().err) == (lq == "LQ")


def test_low_resolution_of_another_degradation_is_not_taken(tmp_path):
    root = make_benchmark(tmp_path, size=SMALL, gt="GT", lq="BIx4")
    with pytest.raises(
        PortError, match=r"vid4 \(BD\).*Looked for BD or BDx4 or LQ or LR, with HR or GT. Found BIx4, GT"
    ):
        open_set("vid4", root)


def test_any_folder(tmp_path):
    root = make_benchmark(tmp_path, size=SMALL)
    assert names(open_set("folder", root / "BD", gt=root / "HR")) == ["calendar", "city"]
    (alone, _) = open_set("folder", root / "BD")
    assert len(alone.lq) == 3 and tuple(alone.gt) == ()
    (one,) = open_set("folder", root / "BD/city", gt=root / "HR/city")
    assert one.name == "city" and one.gt[2] == root / "HR/city/frame_0004.png"


# ------------------------------------------------------------------------------------------------- what is not there


def test_a_root_nearby_is_named(reds):
    says = f"Looked for trainval_sharp_bicubic/X4 with .*{re.escape(str(reds))} holds .* with trainval_sharp: name that"
    for wrong in (reds.parent, reds / "trainval_sharp", reds / "trainval_sharp/000"):
        with pytest.raises(PortError, match=says):
            open_set("reds", wrong)


def test_the_missing_half_is_named(tmp_path):
    (tmp_path / "trainval_sharp/000").mkdir(parents=True)
    with pytest.raises(PortError, match="trainval_sharp is there, trainval_sharp_bicubic/X4 is missing: add it"):
        open_set("reds", tmp_path)


def test_an_incomplete_clip_is_an_error(tmp_path):
    root = make_reds(tmp_path, frames=3, size=SMALL)
    (root / "trainval_sharp/011/00000001.png").unlink()
    with pytest.raises(
        PortError, match="clip 011: 3 frames of low resolution, 2 of the truth; the truth lacks 00000001"
    ):
        open_set("reds4", root)
    for path in (root / "trainval_sharp/011").iterdir():
        path.unlink()
    (root / "trainval_sharp/011").rmdir()
    with pytest.raises(PortError, match=r"clip 011: there is no folder .*trainval_sharp/011"):
        open_set("reds4", root)


def test_a_clip_on_one_side_only_is_an_error(tmp_path):
    root = make_benchmark(tmp_path, size=SMALL)
    (root / "HR/walk").mkdir()
    with pytest.raises(PortError, match=r"clip walk: there is no folder .*BD/walk"):
        open_set("vid4", root)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("redz", "."), r"no data set 'redz' \(nearest: reds\)"),
        (("reds4", ".", "train"), "reds4 has no split 'train'; it has: test"),
        (("reds", ".", "val"), "reds has no split 'val'; it has: train, test, all"),
        (("reds", ".", None, "BD"), "reds has no degradation 'BD'; it has BI"),
        (("vid4", ".", None, "XY"), "vid4 has no degradation 'XY'; it has BI and BD"),
        (("vid4", ".", None, None, "gt"), "vid4 finds its ground truth by itself"),
    ],
)
def test_what_a_set_does_not_have(given, says):
    with pytest.raises(UsageError, match=says):
        open_set(*given)


@pytest.mark.parametrize("name", SETS)
def test_a_root_that_is_not_there(name, tmp_path):
    with pytest.raises(PortError, match="there is no such folder"):
        open_set(name, tmp_path / "gone")


def test_empty_folders(tmp_path):
    with pytest.raises(PortError, match="neither frames nor folders of frames"):
        open_set("folder", tmp_path)
    (tmp_path / "HR/city/deeper").mkdir(parents=True)
    with pytest.raises(PortError, match="none of these holds frames"):
        open_set("folder", tmp_path / "HR")


# ---------------------------------------------------------------------------------------------------------- pairing


def paths(*stems):
    return [Path(f"{stem}.png") for stem in stems]


@pytest.mark.parametrize(
    ("lq", "gt", "difference"),
    [
        (("000", "001"), ("000", "001"), None),
        (("frame_0002", "frame_0003"), ("000", "001"), None),
        (("000", "002"), ("000", "001"), "low resolution lacks 001; the truth lacks 002"),
        (("000", "001", "002"), ("000", "001"), "3 frames of low resolution, 2 of the truth; the truth lacks 002"),
        (("a", "b"), ("a", "c"), "low resolution lacks c"),
        (("a", "b"), ("c", "d"), "2 frames of low resolution, 2 of the truth"),
        (("000",), (), "1 frames of low resolution, 0 of the truth"),
    ],
)
def test_frames_belong_together(lq, gt, difference):
    found = unpaired(paths(*lq), paths(*gt))
    assert found is None if difference is None else difference in found


def test_frames_are_a_sequence_of_paths():
    frames = Frames("/a/b", ("1.png", "2.png", "3.png"))
    assert list(frames) == [Path("/a/b/1.png"), Path("/a/b/2.png"), Path("/a/b/3.png")]
    assert frames[-1] == Path("/a/b/3.png") and frames[1:] == (Path("/a/b/2.png"), Path("/a/b/3.png"))
    assert list(frames[::-1]) == list(reversed(frames)) and len(frames) == 3


def test_facts_of_the_protocols():
    """RGB on REDS4, Y elsewhere, crop 0, BD but for REDS: docs of the reference."""
    assert (set_facts("reds4").channel, set_facts("reds4").degradation, set_facts("reds4").frames) == ("rgb", "BI", 100)
    for name in ("vid4", "udm10", "vimeo90k_t"):
        assert (set_facts(name).channel, set_facts(name).degradation, set_facts(name).crop) == ("y", "BD", 0)
    assert set_facts("vimeo90k_t").scored == "centre" and set_facts("vimeo90k_t").clips == 7824
