"""PSNR and the rounding before it, against values worked out by hand and against scikit-image."""

import math

import numpy as np
import pytest
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio

from port.errors import PortError
from port.metrics.levels import crop_border, luma, to_uint8
from port.metrics.psnr import psnr, psnr_float

ROUNDING = 1e-10  # dB; both sides compute in float64


def picture(seed, shape=(40, 52, 3)):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_one_level_everywhere_is_48_13_db():
    a = np.full((20, 20, 3), 100, np.uint8)
    assert psnr(a, a + 1) == pytest.approx(20 * math.log10(255), abs=ROUNDING)
    assert f"{psnr(a, a + 1):.4f}" == "48.1308"


def test_differences_do_not_wrap_around():
    a, b = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)
    assert psnr(a, b) == psnr(b, a) == 0


def test_one_mean_over_all_channels_not_a_mean_of_decibels():
    a = np.zeros((8, 8, 3), np.uint8)
    b = a.copy()
    b[..., 0] = 3  # mean square 9 in one channel of three: 3 over all
    assert psnr(a, b) == pytest.approx(10 * math.log10(255**2 / 3), abs=ROUNDING)


def test_identical_is_infinite():
    assert psnr(picture(0), picture(0)) == math.inf
    assert psnr_float(np.ones(3), np.ones(3)) == math.inf


@pytest.mark.parametrize("crop", [0, 5])
def test_agrees_with_scikit_image(crop):
    a, b = picture(1), picture(2)
    expected = peak_signal_noise_ratio(crop_border(a, crop), crop_border(b, crop), data_range=255)
    assert psnr(a, b, crop) == pytest.approx(expected, abs=ROUNDING)


def test_crop_leaves_the_border_out():
    a = picture(3)
    b = a.copy()
    b[:4] ^= 255
    assert psnr(a, b, 4) == math.inf
    assert psnr(a, b, 3) < math.inf


def test_float_psnr_has_peak_one_and_does_not_clamp():
    a = np.array([1.5, 0.0], np.float32)
    b = np.array([1.0, 0.0], np.float32)  # mean square 0.125; clamped it would be 0
    assert psnr_float(a, b) == pytest.approx(-10 * math.log10(0.125), abs=ROUNDING)


def test_luma_is_bt601_studio_range():
    colours = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    assert luma(colours)[0] == pytest.approx([16, 235, 81.481, 144.553, 40.966], abs=1e-9)
    assert luma(picture(4)) == pytest.approx(rgb2ycbcr(picture(4))[..., 0], abs=1e-3)  # its constants have 6 digits


def test_to_uint8_rounds_half_to_even_and_clamps():
    values = np.array([-0.2, 0.5 / 255, 1.5 / 255, 2.5 / 255, 0.5, 1.0, 1.7])
    assert to_uint8(values).tolist() == [0, 0, 2, 2, 128, 255, 255]  # 127.5 -> 128
    assert to_uint8(np.arange(256, dtype=np.float32) / np.float32(255)).tolist() == list(range(256))


def test_errors_say_what_was_found():
    with pytest.raises(PortError, match=r"different shapes: \(40, 52, 3\) and \(40, 51, 3\)"):
        psnr(picture(0), picture(0, (40, 51, 3)))
    with pytest.raises(PortError, match="different types: uint8 and float64"):
        psnr(picture(0), picture(0).astype(float))
    with pytest.raises(PortError, match="leaves nothing of a 52x40 picture"):
        psnr(picture(0), picture(0), crop=20)
    with pytest.raises(PortError, match="cannot be negative"):
        psnr(picture(0), picture(0), crop=-1)
    with pytest.raises(PortError, match="holds NaN"):
        to_uint8(np.array([0.0, np.nan]))
    with pytest.raises(PortError, match=r"outputs of shapes \(2,\) and \(3,\)"):
        psnr_float(np.zeros(2), np.zeros(3))
