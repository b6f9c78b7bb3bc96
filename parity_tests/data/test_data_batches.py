"""Batches: a pure function of seed and number, paired crops, the choices of the recipe, the same whatever the ranks."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from parity_tests.data.made_sets import make_benchmark, make_reds, make_vimeo90k
from port.data.augment import REDS, VIMEO90K, Cut, Recipe, draw, frame_order, mirrored, patch
from port.data.batches import Batches
from port.data.clips import ClipPair
from port.data.sets import open_set
from port.degrade.imresize import imresize
from port.errors import PortError, UsageError
from port.video.pictures import read_picture

TINY = Recipe(frames=3, crop=8)
PLAIN = Recipe(frames=3, crop=8, reverse=0, hflip=0, vflip=0, transpose=0)


@pytest.fixture(scope="module")
def reds(tmp_path_factory):
    """Three clips of 5 frames, 32x24 in low resolution."""
    return open_set("reds", make_reds(tmp_path_factory.mktemp("reds"), ("001", "002", "003"), 5))


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def numbered_clip(count):
    """A clip of which nothing is read."""
    return ClipPair("c", tuple(range(count)), tuple(range(count)))


# --------------------------------------------------------------------------------------- what a batch is a function of


def test_shape_type_and_range(reds):
    lq, gt = Batches(reds, TINY).batch(0)
    assert lq.shape == (2, 3, 3, 8, 8) and gt.shape == (2, 3, 3, 32, 32)
    assert lq.dtype == gt.dtype == np.float32 and lq.flags.c_contiguous and gt.flags.c_contiguous
    assert gt.min() >= 0 and gt.max() <= 1 and gt.max() > 0.5
    assert same((lq, gt), [side.astype(np.float32) / np.float32(255) for side in Batches(reds, TINY).stored_batch(0)])


def test_a_batch_depends_on_nothing_before_it(reds):
    """What resuming rests on: batch 5 of a fresh object is batch 5 of one that made 0 to 4 before."""
    used = Batches(reds, TINY, seed=3)
    for i in range(5):
        used.batch(i)
    fresh = Batches(reds, TINY, seed=3)
    assert same(used.batch(5), fresh.batch(5)) and same(used.batch(5), used.batch(5))
    assert not same(used.batch(5), used.batch(4))
    one = reds[:1]  # the seed chooses not only the clips, but what is cut out as well
    assert not any(same(*(Batches(one, TINY, seed).sample(k) for seed in (3, 4))) for k in range(3))


def test_numpys_own_state_plays_no_part(reds):
    np.random.seed(1)
    a = Batches(reds, TINY).batch(1)
    np.random.seed(2)
    assert same(a, Batches(reds, TINY).batch(1))


@pytest.mark.parametrize(("ranks", "size"), [(2, 2), (4, 1)])
def test_ranks_share_the_batch_of_one_process(ranks, size, reds):
    whole = Batches(reds, TINY, seed=9, batch_size=ranks * size).batch(3)
    parts = [Batches(reds, TINY, 9, size, ranks, rank).batch(3) for rank in range(ranks)]
    assert same(whole, [np.concatenate(sides) for sides in zip(*parts, strict=True)])


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 1000))
def test_ranks_cover_every_sample_once(ranks, size, i):
    clips = [numbered_clip(3)]
    shares = [Batches(clips, TINY, 0, size, ranks, rank).indices(i) for rank in range(ranks)]
    assert [k for share in shares for k in share] == list(range(i * ranks * size, (i + 1) * ranks * size))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(0, 2**31), st.integers(0, 50))
def test_every_clip_once_in_an_epoch(count, seed, epoch):
    clips = [ClipPair(str(k), (0,) * 3, (0,) * 3) for k in range(count)]
    batches = Batches(clips, TINY, seed)
    names = [batches.clip_of(epoch * count + k).name for k in range(count)]
    assert sorted(names, key=int) == [clip.name for clip in clips]


def test_epochs_are_shuffled_anew():
    batches = Batches([ClipPair(str(k), (0,) * 3, (0,) * 3) for k in range(20)], TINY)
    first, second = ([batches.clip_of(20 * epoch + k).name for k in range(20)] for epoch in (0, 1))
    assert first != second and first != [str(k) for k in range(20)]


# ------------------------------------------------------------------------------------------------- what is cut out


def found_in(sample, clip):
    """(first frame, top, left) of an unturned sample, found by searching the clip."""
    frames = np.stack([read_picture(path) for path in clip.lq])
    wanted = sample.transpose(0, 2, 3, 1)
    t, h, w = len(wanted), *wanted.shape[1:3]
    for start in range(len(frames) - t + 1):
        for top in range(frames.shape[1] - h + 1):
            for left in range(frames.shape[2] - w + 1):
                if np.array_equal(frames[start : start + t, top : top + h, left : left + w], wanted):
                    return start, top, left
    return None


def test_a_sample_is_a_window_of_its_clip_and_the_truth_lies_over_it(reds):
    """Searched for in the files, not computed from the choices: neighbours in time, and 4x the corner in the truth."""
    batches, places = Batches(reds, PLAIN), set()
    for k in range(12):
        lq, gt = batches.sample(k)
        clip = batches.clip_of(k)
        start, top, left = found_in(lq, clip)
        truth = np.stack([read_picture(path) for path in clip.gt[start : start + 3]])
        expected = truth[:, 4 * top : 4 * top + 32, 4 * left : 4 * left + 32].transpose(0, 3, 1, 2)
        assert np.array_equal(gt, expected)
        places.add((start, top, left))
    assert len(places) > 8 and {start for start, _, _ in places} == {0, 1, 2}


@pytest.mark.parametrize("name", ["reverse", "hflip", "vflip", "transpose"])
def test_each_choice_does_what_it_says(name, reds):
    """With probability 1 against 0: both sides turned alike, and nothing else moved."""
    turn = {
        "reverse": lambda x: x[::-1],
        "hflip": lambda x: x[..., ::-1],
        "vflip": lambda x: x[..., ::-1, :],
        "transpose": lambda x: x.swapaxes(-1, -2),
    }[name]
    turned = Recipe(**{**vars(PLAIN), name: 1.0})
    for k in range(3):
        plain = Batches(reds, PLAIN).sample(k)
        assert same(map(turn, plain), Batches(reds, turned).sample(k))
        assert not same(plain, Batches(reds, turned).sample(k))


def test_all_choices_keep_the_truth_over_the_low_resolution(reds):
    """Whatever is turned: the truth made small is the sample, but for the border that a patch does not see."""
    batches = Batches(reds, TINY)
    for k in range(8):
        lq, gt = batches.sample(k)
        for low, high in zip(lq, gt, strict=True):
            small = np.moveaxis(imresize(np.moveaxis(high, 0, -1)), -1, 0)
            assert np.array_equal(small[:, 2:-2, 2:-2], low[:, 2:-2, 2:-2])


def test_the_choices_come_as_often_as_they_should():
    """2000 draws of the REDS recipe: each choice is fair to 5 standard deviations, and they are independent in pairs."""
    cuts = [draw(np.random.default_rng((0, 1, k)), REDS, 100, (180, 320)) for k in range(2000)]
    flags = np.array([(cut.backwards, cut.hflip, cut.vflip, cut.transpose) for cut in cuts], float)
    assert np.all(np.abs(flags.mean(0) - 0.5) < 5 * 0.5 / 2000**0.5)
    assert np.all(np.abs(np.corrcoef(flags.T) - np.eye(4)) < 5 / 2000**0.5)
    for name, last in (("start", 50), ("top", 116), ("left", 256)):
        values = [getattr(cut, name) for cut in cuts]
        assert min(values) >= 0 and max(values) <= last and max(values) > 0.97 * last and min(values) < 0.03 * last + 1
    assert set(Counter(cut.start for cut in cuts)) == set(range(51)), "both ends of the clip are used"


def test_a_probability_of_zero_shifts_no_later_choice():
    never = Recipe(**{**vars(REDS), "reverse": 0.0, "hflip": 0.0})
    for k in range(20):
        a, b = (draw(np.random.default_rng(k), recipe, 100, (180, 320)) for recipe in (REDS, never))
        assert (a.start, a.top, a.left, a.vflip, a.transpose) == (b.start, b.top, b.left, b.vflip, b.transpose)


def test_order_of_turning():
    """Mirror, then swap rows and columns: the corner that was top left ends bottom left."""
    frame = np.arange(16).reshape(4, 4, 1)
    cut = Cut(0, False, 0, 0, hflip=True, vflip=False, transpose=True)
    assert (
        patch(frame, cut, Recipe(frames=1, crop=4), 1)[..., 0].tolist()
        == np.arange(16).reshape(4, 4)[:, ::-1].T.tolist()
    )
    assert patch(frame, cut, Recipe(frames=1, crop=4), 1)[3, 0, 0] == 0


# ------------------------------------------------------------------------------------------------------ the recipes


def test_recipes_are_those_of_the_reference():
    assert Recipe(50, 64, 0.5, 0.5, 0.5, 0.5, 0, 4) == REDS and REDS.length == 50
    assert Recipe(7, 64, 0.0, 0.5, 0.5, 0.5, 2, 4) == VIMEO90K and VIMEO90K.length == 28


def test_septuplets_are_mirrored_twice_and_never_run_backwards(tmp_path):
    pairs = open_set("vimeo90k", make_vimeo90k(tmp_path))
    recipe = Recipe(**{**vars(VIMEO90K), "crop": 8})
    for k in range(4):
        lq, gt = Batches(pairs, recipe).sample(k)
        assert lq.shape == (28, 3, 8, 8) and gt.shape == (28, 3, 32, 32)
        plain = Batches(pairs, Recipe(**{**vars(recipe), "mirror": 0})).sample(k)
        order = [*range(7), *range(6, -1, -1)] * 2
        assert same((lq, gt), [side[order] for side in plain])
    assert not any(draw(np.random.default_rng(k), VIMEO90K, 7, (64, 112)).backwards for k in range(100))


def test_mirroring():
    assert mirrored([1, 2, 3], 0) == [1, 2, 3] and mirrored([1, 2], 2) == [1, 2, 2, 1, 1, 2, 2, 1]


def test_backwards_takes_the_same_frames():
    cut = draw(np.random.default_rng(0), REDS, 100, (180, 320))
    forth, back = (frame_order(Cut(**{**vars(cut), "backwards": flag}), REDS) for flag in (False, True))
    assert list(forth) == list(back)[::-1] and len(forth) == 50


def test_only_the_frames_of_the_window_are_read(reds, monkeypatch):
    from port.data import batches as module

    seen = []
    monkeypatch.setattr(module, "read_picture", lambda path: seen.append(path) or read_picture(path))
    Batches(reds, TINY).sample(0)
    assert len(seen) == 6


# ----------------------------------------------------------------------------------------------- what is said in trouble


def test_an_unreadable_frame_is_named(tmp_path):
    pairs = open_set("reds", make_reds(tmp_path, ("001",), 3))
    pairs[0].gt[1].write_bytes(b"")
    with pytest.raises(PortError, match=r"trainval_sharp/001/00000001\.png: damaged or no picture"):
        Batches(pairs, TINY).batch(0)


def test_a_frame_of_another_size_is_named(tmp_path):
    pairs = open_set("reds", make_reds(tmp_path, ("001",), 3))
    Image.fromarray(np.zeros((96, 124, 3), np.uint8)).save(pairs[0].gt[2])
    with pytest.raises(PortError, match=r"001/00000002\.png is 124x96, expected 128x96"):
        Batches(pairs, TINY).batch(0)


def test_what_cannot_be_trained_on(reds, tmp_path):
    with pytest.raises(PortError, match="clip 001 has 5 frames, a sample takes 50"):
        Batches(reds, REDS)
    with pytest.raises(PortError, match="32x24: no patch of 64x64"):
        Batches(reds, Recipe(frames=3)).batch(0)
    with pytest.raises(PortError, match="0 frames of truth"):
        Batches(open_set("folder", make_benchmark(tmp_path) / "BD"), TINY)
    with pytest.raises(PortError, match="no clip"):
        Batches([], TINY)
    for wrong in ({"batch_size": 0}, {"ranks": 0}, {"rank": 1}, {"rank": -1}, {"seed": -1}):
        with pytest.raises(UsageError, match="batches need"):
            Batches(reds, TINY, **wrong)


@pytest.mark.parametrize(
    "wrong", [{"frames": 0}, {"crop": 0}, {"hflip": 1.5}, {"reverse": float("nan")}, {"mirror": -1}]
)
def test_a_recipe_without_sense(wrong):
    with pytest.raises(UsageError, match=f"recipe: {next(iter(wrong))} cannot be"):
        Recipe(**wrong)


def test_the_sequence_of_a_seed_stays_what_it_is():
    """Guards the sequence across versions of numpy and of this code: a resumed training must go on with the same samples."""
    chosen = [draw(np.random.default_rng((0, 1, k)), REDS, 100, (180, 320)) for k in (0, 1, 400_000)]
    assert chosen == [
        Cut(start=26, backwards=False, top=104, left=16, hflip=False, vflip=False, transpose=True),
        Cut(start=34, backwards=True, top=99, left=123, hflip=True, vflip=False, transpose=True),
        Cut(start=22, backwards=False, top=26, left=61, hflip=True, vflip=True, transpose=True),
    ]
    batches = Batches([ClipPair(str(k), (0,) * 3, (0,) * 3) for k in range(8)], TINY)
    assert "".join(batches.clip_of(k).name for k in range(8)) == "24365017"
