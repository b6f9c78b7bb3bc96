"""Tiles in space: every pixel once, on the token grid, and no seam where the overlap is wide enough."""

import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from parity_tests.stream.standin import RADIUS, Calls, enlarge, infer
from port.errors import UsageError
from port.models.vsr import FLOW_MULTIPLE
from port.stream.tiles import in_tiles, like_whole, spans, weights
from port.video.pictures import read_picture
from port.video.write import write_clip
from torch_ref.spynet import MULTIPLE, SPyNet

ROUNDING = 4e-7  # of sums of products of values up to 1 with two weights that add up to 1, each rounded to float32


@given(side=st.integers(16, 200), tile=st.integers(4, 12), overlap=st.integers(0, 6), multiple=st.sampled_from([4, 8]))
def test_spans_cover_a_side_on_the_grid(side, tile, overlap, multiple):
    tile, overlap = tile * multiple, min(overlap, tile // 2) * multiple
    found = spans(side, tile, overlap, multiple)
    total = np.zeros(4 * side)
    for span in found:
        assert span.start % multiple == 0
        assert len(found) == 1 or tile <= span.end - span.start < tile + multiple
        total[4 * span.start : 4 * span.end] += weights(span)
    assert (found[0].start, found[-1].end) == (0, side)
    assert np.abs(total - 1).max() < 1e-6
    for before, after in pairwise(found):
        assert before.end - after.start >= overlap


@pytest.mark.parametrize("tile", [None, (16, 16)])
def test_frames_behind_those_to_be_kept_are_not_asked_for(tile):
    """A network that enlarges them one by one has done half of the work for nothing otherwise."""
    made = []

    def upscale(frames):
        for frame in enlarge(frames).swapaxes(0, 1):
            made.append(len(made))
            yield frame

    frames = np.random.default_rng(0).random((1, 7, 3, 16, 28), np.float32)
    found = in_tiles(upscale, frames, slice(2, 5), tile, 8, 4)
    assert found.shape[1] == 3 and len(made) == 5 * (1 if tile is None else 3)


@given(side=st.integers(150, 200), overlap=st.sampled_from([8, 16, 32]))
def test_the_outer_quarter_of_an_overlap_counts_nothing(side, overlap):
    for span in spans(side, 64, overlap, 4)[1:]:
        assert not weights(span)[: overlap // 4 * 4].any()


@pytest.mark.parametrize(
    ("side", "whole", "multiple", "expected"),
    [
        (96, 320, 4, 96),
        (97, 320, 4, 128),
        (104, 1280, 4, 128),
        (64, 180, 4, 88),  # 180 is stretched to 192, by 1.067; 88 to 96, by 1.09; 60 would be too short
        (150, 300, 4, 152),  # 300 to 320 as 150 to 160; on the token grid
        (572, 1080, 4, 572),  # 1080 to 1088, by 1.007; 572 to 576, by 1.007
        (72, 320, 12, 96),
        (97, 320, 12, 132),
    ],
)
def test_a_tile_is_resized_as_the_whole_is(side, whole, multiple, expected):
    assert like_whole(side, whole, multiple) == expected


@pytest.fixture(scope="module")
def flows():
    """Flows, of some 0.15 pixels, of made weights on noise of 256x64: a function of how many columns are given."""
    rng = np.random.default_rng(0)
    net = SPyNet()
    for name, value in net.named_parameters():
        gain = 0 if name.endswith("bias") else (0.5 / value[0].numel()) ** 0.5
        value.data = torch.from_numpy(rng.normal(0, gain, value.shape).astype(np.float32))
    first, second = torch.from_numpy(rng.random((2, 1, 3, 64, 256), dtype=np.float32))

    def flow(side):
        with torch.no_grad():
            return net(first[..., :side], second[..., :side])[..., :64]

    return flow


def test_the_flow_network_resizes_to_what_the_planner_takes():
    assert MULTIPLE == FLOW_MULTIPLE


def test_flows_of_such_tiles_are_nearer_to_those_of_the_whole(flows):
    off = {side: float((flows(side) - flows(256)).square().mean().sqrt()) for side in (128, 136, 140, 152)}
    assert 1.5 * off[128] < min(off[136], off[140], off[152])  # the wider ones see more of the frame, and are stretched


@pytest.fixture(scope="module")
def frames():
    return np.random.default_rng(0).random((1, 3, 3, 130, 173), dtype=np.float32)


@pytest.mark.parametrize(("tile", "overlap"), [((64, 64), 4 * RADIUS), ((96, 68), 16), ((132, 64), 32)])
def test_wide_overlaps_leave_no_seam(frames, tile, overlap):
    tiled = in_tiles(enlarge, frames, slice(1, 3), tile, overlap, 4)
    assert np.abs(tiled - enlarge(frames)[:, 1:3]).max() < ROUNDING


def test_narrow_overlaps_do(frames):
    error = np.abs(in_tiles(enlarge, frames, slice(0, 3), (132, 64), 4, 4) - enlarge(frames))
    assert error.max() > 1e-3
    assert (
        np.flatnonzero(error.max(axis=(0, 1, 2, 3)) > ROUNDING).min() >= 4 * 60
    )  # columns of the first seam, not before


def test_a_frame_that_fits_is_not_touched(frames):
    def once(lrs):
        return lrs.repeat(4, axis=3).repeat(4, axis=4)

    assert np.array_equal(in_tiles(once, frames, slice(0, 3), (132, 176), 0, 4), once(frames))


def test_tiles_through_the_command(tmp_path, capfd):
    picture = np.random.default_rng(1).integers(0, 256, (4, 70, 150, 3), np.uint8)
    write_clip(tmp_path / "in", picture)
    calls = Calls()
    assert infer(tmp_path / "in", tmp_path / "whole", "--tile", "none") == 0
    capfd.readouterr()
    flags = ["--tile", 68, 96, "--tile-overlap", 16, "--json"]
    assert infer(tmp_path / "in", tmp_path / "tiled", *flags, load=calls.load) == 0
    # 150 columns: 0-95 and 52-149; 70 rows are one tile of 68 and what is left over
    assert calls == [(1, 4, 3, 70, 96), (1, 4, 3, 70, 98)]
    result = json.loads(capfd.readouterr().out)
    assert (result["tile"], result["tile_overlap"]) == ([68, 96], 16)
    for name in ("00000000.png", "00000003.png"):
        a, b = (read_picture(tmp_path / folder / name).astype(int) for folder in ("whole", "tiled"))
        assert np.abs(a - b).max() <= 1  # a half rounded up or down


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--tile", 66, 64], "the height must be a multiple of 4"),
        (["--tile", 64, 60], "at least 64, found 60"),
        (["--tile", 64, 64, "--tile-overlap", 36], "at most half a tile, found 36"),
        (["--tile", 64, 64, "--tile-overlap", 6], "multiple of 4"),
    ],
)
def test_wrong_tiles_are_refused(tmp_path, flags, message):
    write_clip(tmp_path / "in", np.zeros((1, 80, 80, 3), np.uint8))
    with pytest.raises(UsageError, match=message):
        infer(tmp_path / "in", tmp_path / "out", *flags)
    assert not (tmp_path / "out").exists()
