"""Scores of whole clips: per frame, their mean, and refusals."""

import math

import numpy as np
import pytest

from port.errors import PortError, UsageError
from port.metrics.levels import luma
from port.metrics.psnr import psnr
from port.metrics.score import score_clip
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
