"""MATLAB's imresize against rational arithmetic, PyTorch, Pillow, and the low resolution that Vid4 is distributed with."""

from fractions import Fraction
from math import ceil, floor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from port.degrade.imresize import imresize
from port.errors import PortError
from port.video.movies import open_movie

VID4 = Path(__file__).resolve().parents[3] / "shared" / "data" / "vid4"
FLOAT64 = 1e-13  # a few hundred additions and multiplications of values up to 1
FLOAT32 = 5e-7  # Pillow computes in float32


def noise(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


# ------------------------------------------------------------------------------------- the definition, in whole numbers


def keys(x):
    """Cubic convolution with a = -1/2, from its two polynomials."""
    x = abs(x)
    if x <= 1:
        return Fraction(3, 2) * x**3 - Fraction(5, 2) * x**2 + 1
    return -Fraction(1, 2) * x**3 + Fraction(5, 2) * x**2 - 4 * x + 2 if x < 2 else Fraction(0)


def exact_line(values, scale):
    """One line, every weight and sum a fraction. Source pixel n covers n-1/2 .. n+1/2; reflected at its outer edges."""
    size, stretch = len(values), min(scale, Fraction(1))
    line = []
    for j in range(ceil(size * scale)):
        centre = (j + Fraction(1, 2)) / scale - Fraction(1, 2)
        reach = 2 / stretch
        around = range(floor(centre - reach), ceil(centre + reach) + 1)
        weights = {n: keys((centre - n) * stretch) for n in around}
        inside = {n: (n if n < size else 2 * size - 1 - n) if n >= 0 else -1 - n for n in around}
        line.append(sum(weights[n] * values[inside[n]] for n in around) / sum(weights.values()))
    return line


def exact(picture, scale):
    """(h, w) whole numbers -> lists of fractions"""
    columns = [exact_line([int(v) for v in column], scale) for column in picture.T]
    return [exact_line(row, scale) for row in zip(*columns, strict=True)]


@pytest.mark.parametrize("size", [(16, 24), (13, 10), (17, 15)], ids=str)
@pytest.mark.parametrize("scale", [Fraction(1, 4), Fraction(1, 2), Fraction(2)], ids=str)
def test_equals_the_definition(size, scale):
    """Sizes that are no multiple of 4 too: rounded up, and the scale stays what it was."""
    picture = noise(size)
    truth = exact(picture, scale)
    made = imresize(picture / 255, float(scale))
    assert made.shape == (ceil(size[0] * scale), ceil(size[1] * scale)) == (len(truth), len(truth[0]))
    assert np.abs(made - np.array(truth, float) / 255).max() < FLOAT64
    levels = [[min(max(floor(value + Fraction(1, 2)), 0), 255) for value in row] for row in truth]
    ties = sum((value - Fraction(1, 2)).denominator == 1 for row in truth for value in row)
    assert not ties and np.array_equal(imresize(picture, float(scale)), levels)


def test_black_and_white_are_clamped():
    """Beside an edge the kernel overshoots; a wrap-around of uint8 would show there."""
    picture = np.repeat(np.uint8([[0] * 20 + [255] * 20]), 8, 0)
    made = imresize(picture)
    assert made.min() == 0 and made.max() == 255 and np.all(np.diff(made[0].astype(int)) >= 0)
    unclamped = imresize(picture / 255.0)
    assert unclamped.min() < -0.01 and unclamped.max() > 1.01


# ------------------------------------------------------------------------------------------------- other implementations


@pytest.mark.parametrize("size", [(128, 160), (32, 48)], ids=str)
def test_equals_torch_after_mirrored_padding(size):
    """torch's antialiased bicubic cuts its kernel off at the border; 16 mirrored pixels around take the border away."""
    torch = pytest.importorskip("torch")
    picture = noise((*size, 3))
    padded = np.pad(picture, ((16, 16), (16, 16), (0, 0)), "symmetric") / 255
    batch = torch.from_numpy(padded).permute(2, 0, 1)[None]
    half = torch.nn.functional.interpolate(
        batch, scale_factor=0.25, mode="bicubic", antialias=True, align_corners=False
    )
    theirs = half[0].permute(1, 2, 0).numpy()[4:-4, 4:-4]
    assert np.abs(imresize(picture / 255) - theirs).max() < FLOAT64
    assert np.array_equal(imresize(picture), np.floor(np.clip(theirs, 0, 1) * 255 + 0.5))


@pytest.mark.parametrize(("scale", "border"), [(1 / 4, 2), (1 / 2, 2), (3 / 4, 3), (2, 4)])
def test_equals_pillow_inside(scale, border):
    """Pillow in float32, where its kernel lies inside the picture; the result's size must be the scale exactly."""
    picture = noise((64, 96)).astype(np.float32) / 255
    h, w = (round(n * scale) for n in picture.shape)
    theirs = np.asarray(Image.fromarray(picture, "F").resize((w, h), Image.Resampling.BICUBIC))
    inside = np.s_[border:-border, border:-border]
    assert np.abs(imresize(picture.astype(float), scale) - theirs)[inside].max() < FLOAT32


@pytest.mark.shared
@pytest.mark.skipif(not VID4.is_dir(), reason=f"Vid4 is not there: put its videos into {VID4}")
@pytest.mark.parametrize("clip", ["calendar", "city", "foliage", "walk"])
def test_makes_the_low_resolution_of_vid4(clip):
    """Every pixel of the distributed BI frames. (All 171 frames, 11,994,048 values: 0 differ.)"""
    truth, low = (open_movie(VID4 / f"{side}_{clip}.mkv", 2).frames for side in ("GT", "LQ"))
    assert sum(int((imresize(t) != given).sum()) for t, given in zip(truth, low, strict=True)) == 0


# ------------------------------------------------------------------------------------------------------------ properties


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 255), st.sampled_from([1 / 4, 1 / 3, 0.37, 1.5, 3]))
def test_a_constant_stays(h, w, level, scale):
    made = imresize(np.full((h, w, 3), level, np.uint8), scale)
    assert made.shape == (ceil(h * scale), ceil(w * scale), 3) and np.all(made == level)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 33), st.integers(1, 33), st.integers(0, 2**32 - 1))
def test_turning_and_mirroring_change_nothing_else(h, w, seed):
    """Holds where the grid fits symmetrically, that is for multiples of 4. Pixel 4x4 blocks never swap places."""
    picture = noise((4 * h, 4 * w), seed) / 255
    made = imresize(picture)
    assert np.abs(imresize(picture[::-1]) - made[::-1]).max() < FLOAT64
    assert np.abs(imresize(picture.T) - made.T).max() < FLOAT64


def test_scale_one_is_the_picture():
    picture = noise((9, 7, 3))
    assert np.array_equal(imresize(picture, 1), picture)


@pytest.mark.parametrize(("shape", "scale", "says"), [((4, 4), 0, "positive"), ((4,), 0.5, "expected a picture")])
def test_nonsense_is_refused(shape, scale, says):
    with pytest.raises(PortError, match=says):
        imresize(np.zeros(shape), scale)
