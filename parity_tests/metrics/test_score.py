"""Scores of whole clips: per frame, their mean, and refusals."""

import json
import math

import numpy as np
import pytest

from port.errors import PortError, UsageError
from port.metrics.levels import luma
from port.metrics.psnr import psnr
from port.metrics.score import ClipScore, mean_of_clips, score_clip
from port.metrics.ssim import ssim


@pytest.fixture
def clips():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 200, (3, 24, 26, 3), dtype=np.uint8)
    return truth + rng.integers(1, 20, truth.shape, dtype=np.uint8), truth


def test_every_frame_is_scored_and_averaged(clips):
    frames, truth = clips
    score = score_clip(frames, truth)
    assert score.psnr == [psnr(a, b) for a, b in zip(frames, truth, strict=True)]
    assert score.ssim == [ssim(a, b) for a, b in zip(frames, truth, strict=True)]
    assert score.mean_psnr == pytest.approx(sum(score.psnr) / 3)
    assert score.mean_ssim == pytest.approx(sum(score.ssim) / 3)
    assert len(set(score.psnr)) == 3


def test_on_luma_with_crop(clips):
    frames, truth = clips
    score = score_clip(frames, truth, on="y", crop=2)
    assert score.psnr[1] == psnr(luma(frames[1]), luma(truth[1]), 2)
    assert score.ssim[1] == ssim(luma(frames[1]), luma(truth[1]), 2)
    assert score.psnr[1] != score_clip(frames, truth, crop=2).psnr[1]


def test_ssim_can_be_left_out_and_identical_frames_are_infinite(clips):
    score = score_clip(clips[1], clips[1], with_ssim=False)
    assert score.mean_ssim is None
    assert score.mean_psnr == math.inf


def test_refusals(clips):
    frames, truth = clips
    with pytest.raises(PortError, match="cannot score 3 frames against 2"):
        score_clip(frames, truth[:2])
    with pytest.raises(PortError, match="cannot score 0 frames against 0"):
        score_clip([], [])
    with pytest.raises(PortError, match="frame 0 is 26x24, the true one 25x24"):
        score_clip(frames, truth[:, :, :25])
    with pytest.raises(PortError, match=r"true frame 0 must be \(h, w, 3\) uint8 RGB, found \(24, 26, 3\) float64"):
        score_clip(frames, truth / 255)
    with pytest.raises(UsageError, match="'rgb' or 'y', found 'yuv'"):
        score_clip(frames, truth, on="yuv")


def test_every_score_says_what_it_was_taken_of(clips):
    score = score_clip(*clips, on="y", crop=2)
    assert (score.channel, score.crop, score.frames) == ("y", 2, 3)
    data = json.loads(json.dumps(score.as_data(), allow_nan=False))
    assert {name: data[name] for name in ("channel", "crop", "frames")} == {"channel": "y", "crop": 2, "frames": 3}
    assert ClipScore.from_data(data) == score


def test_no_difference_at_all_goes_through_json(clips):
    frames, truth = clips
    score = score_clip([truth[0], frames[1]], truth[:2])
    data = json.loads(json.dumps(score.as_data(), allow_nan=False))
    assert data["psnr"] is None and data["psnr_of_frames"][0] is None
    assert data["psnr_of_frames"][1] == score.psnr[1]
    assert ClipScore.from_data(data) == score
    assert mean_of_clips([score])["psnr"] is None


def test_clips_count_the_same_however_long_they_are():
    """By hand: (20 + 30) / 2 for the first, 40 for the second; over all frames alike it would be 30."""
    mean = mean_of_clips([ClipScore([20.0, 30.0], [0.5, 0.7], "y", 4), ClipScore([40.0], [0.9], "y", 4)])
    assert mean == {"channel": "y", "crop": 4, "clips": 2, "frames": 3, "psnr": 32.5, "ssim": pytest.approx(0.75)}
    assert mean_of_clips([ClipScore([1.0]), ClipScore([2.0], [0.5])])["ssim"] is None


@pytest.mark.parametrize(
    "scores",
    [
        [],
        [ClipScore([1.0], [1.0]), ClipScore()],
        [ClipScore([1.0], [1.0], "rgb"), ClipScore([1.0], [1.0], "y")],
        [ClipScore([1.0], [1.0], "y", 0), ClipScore([1.0], [1.0], "y", 4)],
    ],
    ids=["none", "no frames", "channels", "crops"],
)
def test_what_cannot_be_averaged(scores):
    with pytest.raises(PortError, match="cannot average"):
        mean_of_clips(scores)
