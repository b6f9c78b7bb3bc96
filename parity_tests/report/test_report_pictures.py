"""Pictures checked against the numbers they show."""

import io

import numpy as np
import pytest
from PIL import Image

from port.report import pictures
from port.report.pictures import amplification, amplified, choose_frames, difference_of, make_strips, viewable


def decode(picture) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture.jpeg)).convert("RGB")).astype(int)


def by_kind(strip) -> dict:
    return {picture.kind: picture for picture in strip.pictures}


def clip(value: float = 0.5, frames: int = 3) -> dict:
    reference = np.full((frames, 3, 32, 48), value, np.float32)
    return {
        "input": np.full((frames, 3, 8, 12), value, np.float32),
        "reference": reference,
        "port": reference.copy(),
        "truth": None,
    }


@pytest.mark.parametrize(
    ("size", "factor"), [(1.0, 1), (0.2, 10), (0.02, 100), (9e-4, 1000), (1e-6, 10**6), (2e-7, 10**7)]
)
def test_factor_brings_the_difference_near_one(size, factor):
    assert amplification(np.full((2, 4, 4), size)) == factor
    assert 0.3 < size * factor < 3.2


def test_factor_looks_at_what_differs_only():
    sparse = np.zeros((1, 100, 100))
    sparse[0, 3, 4] = 1e-3
    assert amplification(sparse) == 1000
    outlier = np.full((1, 100, 100), 1e-6)
    outlier[0, 0, 0] = 0.9  # one pixel in ten thousand must not hide all others
    assert amplification(outlier) == 10**6


@pytest.mark.parametrize("size", [0.0, np.nan, np.inf, 5.0])
def test_factor_is_at_least_one(size):
    assert amplification(np.full((1, 2, 2), size)) == 1


def test_factor_has_an_end():
    assert amplification(np.full((1, 2, 2), 1e-320)) == 10**12


def test_amplified_pixels_are_the_difference_times_the_factor():
    difference = np.array([[0, 1e-3], [4e-3, 2e-2], [np.nan, np.inf]])
    shown = amplified(difference, 100)
    assert shown[..., 0].tolist() == [[0, 26], [102, 255], [255, 255]]  # 0.1 * 255 = 25.5, rounded to even
    assert (shown[:2, :, 0] == shown[:2, :, 1]).all() and (shown[:2, :, 0] == shown[:2, :, 2]).all()
    assert shown[2].tolist() == [[255, 0, 255], [255, 0, 255]]


def test_difference_takes_the_worst_channel():
    a, b = np.zeros((1, 3, 2, 2), np.float32), np.zeros((1, 3, 2, 2), np.float32)
    b[0, :, 1, 0] = (0.125, -0.5, 0.25)
    assert difference_of(a, b).tolist() == [[[0, 0], [0.5, 0]]]
    assert difference_of(a, b[:, :, :1]) is None and difference_of(a, None) is None


def test_written_difference_shows_place_and_size():
    frames = clip()
    frames["port"][2, 1, 8:16, 16:32] += np.float32(0.0008)
    strips = make_strips(frames)
    assert [strip.frame for strip in strips] == [1, 2]
    shown = by_kind(strips[1])["difference"]
    assert shown.title == "|reference \u2212 port| x 1\u202f000"
    pixels = decode(shown)
    assert abs(pixels[12, 24] - 0.8 * 255).max() <= 6  # JPEG is not exact
    assert pixels[2, 2].max() <= 6 and pixels[28, 44].max() <= 6
    assert by_kind(strips[0])["difference"].title == shown.title  # one factor for both frames, so that they compare
    assert "identical" in strips[0].remark and "0.0008" in strips[1].remark and "0.001 or more" in strips[1].remark


def test_frames_are_shown_as_they_are():
    frames = clip()
    frames["reference"][1, 0], frames["reference"][1, 2] = -0.5, 1.5  # outside the range: clamped
    frames["truth"] = np.full((3, 32, 48, 3), 77, np.uint8)
    frames["input"][1, :, :4] = 0.25
    shown = by_kind(make_strips(frames)[0])
    assert list(shown) == ["input", "reference", "port", "difference", "truth"]
    assert abs(decode(shown["reference"])[10, 10] - [0, 128, 255]).max() <= 4
    assert abs(decode(shown["truth"]) - 77).max() <= 2
    enlarged = decode(shown["input"])
    assert enlarged.shape == (32, 48, 3) and abs(enlarged[14] - 64).max() <= 3 and abs(enlarged[17] - 128).max() <= 3


def test_values_that_are_no_numbers_are_magenta():
    frame = np.zeros((3, 1, 3), np.float32)
    frame[0, 0, 0], frame[1, 0, 1] = np.nan, -np.inf
    assert viewable(frame)[0].tolist() == [[255, 0, 255], [255, 0, 255], [0, 0, 0]]


def test_choice_of_frames():
    difference = np.zeros((7, 2, 2))
    assert list(choose_frames(7, difference)) == [3] and list(choose_frames(7, None)) == [3]
    difference[5, 0, 0], difference[1, 1, 1] = 1e-9, 1e-8
    assert list(choose_frames(7, difference)) == [1, 3]
    difference[6, 0, 1] = np.nan
    assert list(choose_frames(7, difference)) == [3, 6]
    difference[3] = np.nan
    assert choose_frames(7, difference) == {3: "middle of the clip and where the outputs differ most"}


def test_large_frames_are_reduced_without_losing_a_wrong_pixel(monkeypatch):
    monkeypatch.setattr(pictures, "WIDEST", 20)
    frames = clip()
    frames["port"][1, :, 13, 29] = 1.5  # one pixel of 1536
    strip = make_strips(frames)[0]
    shown = by_kind(strip)
    assert {(picture.width, picture.height) for picture in strip.pictures} == {(16, 11)} and "1/3" in strip.remark
    pixels = decode(shown["difference"]).max(axis=2)
    assert np.unravel_index(pixels.argmax(), pixels.shape) == (13 // 3, 29 // 3) and pixels.max() > 200


def test_no_frames():
    assert make_strips({"input": None, "reference": None, "port": None, "truth": None}) == []
