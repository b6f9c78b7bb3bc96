"""SSIM against hand-worked values, a loop that follows the definition, and scikit-image."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import structural_similarity

from port.errors import PortError
from port.metrics.levels import luma
from port.metrics.ssim import C1, C2, ssim

ROUNDING = 1e-10  # float64 throughout; E[x^2] - E[x]^2 loses about 5 of its 16 digits
SETTINGS = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}


def pair(seed, shape=(45, 38, 3), noise=30):
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 256, shape, dtype=np.uint8)
    b = np.clip(a.astype(int) + rng.integers(-noise, noise + 1, shape), 0, 255).astype(np.uint8)
    return a, b


def by_definition(a, b):
    """One window after the other, weights and moments spelt out."""
    offsets = np.arange(-5, 6)
    weights = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * 1.5**2))
    weights /= weights.sum()
    values = []
    for y in range(a.shape[0] - 10):
        for x in range(a.shape[1] - 10):
            p, q = a[y : y + 11, x : x + 11].astype(float), b[y : y + 11, x : x + 11].astype(float)
            mean_p, mean_q = (weights * p).sum(), (weights * q).sum()
            var_p, var_q = (weights * (p - mean_p) ** 2).sum(), (weights * (q - mean_q) ** 2).sum()
            covariance = (weights * (p - mean_p) * (q - mean_q)).sum()
            top = (2 * mean_p * mean_q + C1) * (2 * covariance + C2)
            values.append(top / ((mean_p**2 + mean_q**2 + C1) * (var_p + var_q + C2)))
    return np.mean(values)


def test_identical_is_one():
    a, _ = pair(0)
    assert ssim(a, a) == pytest.approx(1, abs=ROUNDING)


def test_flat_pictures_leave_only_the_luminance_term():
    a, b = np.full((16, 16, 3), 100, np.uint8), np.full((16, 16, 3), 110, np.uint8)
    expected = (2 * 100 * 110 + 6.5025) / (100**2 + 110**2 + 6.5025)  # C1 = 2.55^2
    assert ssim(a, b) == pytest.approx(expected, abs=ROUNDING)


def test_follows_the_definition():
    a, b = pair(1, (20, 17))
    assert ssim(a, b) == pytest.approx(by_definition(a, b), abs=ROUNDING)


@pytest.mark.parametrize("shape", [(45, 38, 3), (11, 60, 3), (64, 64, 3)])
def test_colour_agrees_with_scikit_image(shape):
    a, b = pair(2, shape)
    assert ssim(a, b) == pytest.approx(structural_similarity(a, b, channel_axis=2, **SETTINGS), abs=ROUNDING)


def test_luma_with_crop_agrees_with_scikit_image():
    a, b = (luma(x) for x in pair(3))
    expected = structural_similarity(a[5:-5, 5:-5], b[5:-5, 5:-5], **SETTINGS)
    assert ssim(a, b, crop=5) == pytest.approx(expected, abs=ROUNDING)
    assert abs(ssim(a, b) - expected) > 1e-6  # the crop is really applied


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(11, 30), st.integers(11, 30))
def test_symmetric_bounded_and_the_same_transposed(seed, h, w):
    a, b = pair(seed, (h, w))
    value = ssim(a, b)
    assert -1 <= value <= 1
    assert value == pytest.approx(ssim(b, a), abs=ROUNDING)
    assert value == pytest.approx(ssim(a.T, b.T), abs=ROUNDING)


def test_too_small_for_the_window():
    a, b = pair(4, (10, 40, 3))
    with pytest.raises(PortError, match="at least 11x11 pixels for its window, found 40x10"):
        ssim(a, b)
    a, b = pair(4, (20, 40, 3))
    with pytest.raises(PortError, match="found 30x10 after cropping"):
        ssim(a, b, crop=5)


def test_a_720p_frame_takes_about_a_second_at_most():
    a, b = pair(5, (720, 1280, 3))
    start = time.perf_counter()
    ssim(a, b)
    assert time.perf_counter() - start < 5  # measured 0.25 s; a loaded machine gets room
