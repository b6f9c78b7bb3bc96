"""BD against a loop written from its description, against scipy, and its half-pixel grid."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from port.degrade.blur import blur_down
from port.degrade.imresize import imresize
from port.errors import PortError


def noise(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def by_hand(picture, row, column):
    """One pixel of the blurred picture: 12x12 products, element 6 of 12 upon the pixel, nearest pixel beyond the border."""
    total = norm = 0.0
    for i in range(1, 13):
        for j in range(1, 13):
            weight = math.exp(-((i - 6.5) ** 2 + (j - 6.5) ** 2) / (2 * 1.6 * 1.6))
            y = min(max(row + i - 6, 0), picture.shape[0] - 1)
            x = min(max(column + j - 6, 0), picture.shape[1] - 1)
            total, norm = total + weight * int(picture[y, x]), norm + weight
    return math.floor(total / norm + 0.5)


@pytest.mark.parametrize("size", [(16, 12), (4, 4), (13, 18), (15, 17)], ids=str)
def test_equals_the_loop(size):
    """Rows and columns 2:4:end-2 counted from 1: 17, 18 and 19 pixels give 4 as 16 do."""
    picture = noise(size)
    rows, columns = (range(2, n - 2 + 1, 4) for n in size)
    expected = [[by_hand(picture, row - 1, column - 1) for column in columns] for row in rows]
    assert np.array_equal(blur_down(picture), expected)
    assert np.shape(expected) == (size[0] // 4, size[1] // 4)


@pytest.mark.parametrize("seed", range(3))
def test_equals_scipy(seed):
    """The 2-d kernel over the whole picture, rounded, then sampled: the order of the MATLAB script."""
    ndimage = pytest.importorskip("scipy.ndimage")
    picture = noise((64, 96), seed)
    taps = np.exp(-((np.arange(12) - 5.5) ** 2) / (2 * 1.6**2))
    kernel = np.outer(taps, taps) / taps.sum() ** 2
    blurred = ndimage.correlate(picture.astype(float), kernel, mode="nearest", origin=-1)
    assert np.array_equal(blur_down(picture), np.floor(blurred + 0.5)[1::4, 1::4])


def test_colours_are_alike_and_apart():
    picture = noise((32, 24, 3))
    assert np.array_equal(blur_down(picture), np.stack([blur_down(picture[..., k]) for k in range(3)], -1))


def test_sample_shows_the_middle_of_its_block():
    """On a slope, output j is the value at 4j + 1.5, as BI has it. A kernel one off would be 2 levels away."""
    slope = np.repeat(np.arange(0, 240, 2, dtype=np.uint8)[None], 40, 0)
    middle = 2 * (4 * np.arange(30) + 1.5)
    assert np.array_equal(blur_down(slope)[5, 2:-2], middle[2:-2])
    assert np.array_equal(imresize(slope)[5, 2:-2], middle[2:-2])


@settings(max_examples=20, deadline=None)
@given(st.integers(4, 40), st.integers(4, 40), st.integers(0, 255))
def test_a_constant_stays(h, w, level):
    made = blur_down(np.full((h, w, 3), level, np.uint8))
    assert made.shape == (h // 4, w // 4, 3) and np.all(made == level)


@pytest.mark.parametrize("picture", [np.zeros((8, 8)), np.zeros((8,), np.uint8), np.zeros((3, 8), np.uint8)], ids=str)
def test_nonsense_is_refused(picture):
    with pytest.raises(PortError, match="BD"):
        blur_down(picture)
