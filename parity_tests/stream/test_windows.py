"""Windows in time: every frame once, equal lengths, and nothing of the seams to be seen where the overlap is wide enough."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity_tests.stream.standin import RADIUS, enlarge, infer
from port.errors import UsageError
from port.stream.windows import cut, plan

SIZES = st.integers(1, 12).flatmap(lambda window: st.tuples(st.just(window), st.integers(0, window - 1)))


@given(count=st.integers(1, 60), sizes=SIZES)
def test_every_frame_is_kept_once(count, sizes):
    window, overlap = sizes
    places = plan(count, window, overlap)
    kept = [i for place in places for i in range(place.keep_from, place.keep_to)]
    assert kept == list(range(count))
    assert all(place.end - place.start == min(window, count) for place in places)
    for before, after in pairwise(places):
        shared = before.end - after.start
        assert shared >= overlap and before.start < after.start
        assert before.keep_to - after.start == shared // 2  # they part in the middle


@given(count=st.integers(0, 60), sizes=SIZES)
def test_frames_arrive_as_planned_and_are_not_hoarded(count, sizes):
    window, overlap = sizes
    asked = 0

    def frames():
        nonlocal asked
        for asked in range(1, count + 1):
            yield asked - 1

    for place, held in cut(frames(), window, overlap):
        assert held == list(range(place.start, place.end))
        assert asked <= place.start + 2 * window - overlap
    assert asked == count


@pytest.mark.parametrize(("window", "overlap"), [(0, 0), (4, 4), (4, 5), (4, -1)])
def test_windows_that_do_not_move_are_refused(window, overlap):
    with pytest.raises(UsageError, match="--overlap must be at least 0 and smaller than --window"):
        plan(10, window, overlap)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """13 frames of noise, 64x66, and what the network makes of the whole."""
    folder = tmp_path_factory.mktemp("clip")
    frames = np.random.default_rng(0).random((13, 3, 64, 66), dtype=np.float32)
    np.save(folder / "in.npy", frames)
    return folder, enlarge(frames[None])[0]


@pytest.mark.parametrize(("window", "overlap"), [(13, 0), (6, 2 * RADIUS), (5, 4), (9, 5)])
def test_wide_overlaps_give_the_whole_to_the_bit(clip, tmp_path, window, overlap):
    folder, whole = clip
    assert infer(folder / "in.npy", tmp_path / "out.npy", "--window", window, "--overlap", overlap) == 0
    assert np.array_equal(np.load(tmp_path / "out.npy"), whole)
    assert [path.name for path in tmp_path.iterdir()] == ["out.npy"]


def test_narrow_overlaps_do_not(clip, tmp_path):
    """The stand-in can tell: frames at the seam differ, and only those."""
    folder, whole = clip
    infer(folder / "in.npy", tmp_path / "out.npy", "--window", 8, "--overlap", 2)
    same = [bool(np.array_equal(a, b)) for a, b in zip(np.load(tmp_path / "out.npy"), whole, strict=True)]
    # windows 0-7 and 5-12 share three frames and part before frame 6, which stands too near to the start of the second
    assert same == [True] * 6 + [False] + [True] * 6
