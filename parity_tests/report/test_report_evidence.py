"""The elements that err most, the slice around them, and its picture."""

import io

import numpy as np
import pytest
from PIL import Image

from parity_tests.report.made_pair import made_arrays
from port.diagnose.evidence import Evidence
from port.parity import tolerance
from port.report.charts import DARK, LIGHT
from port.report.evidence import Slice, show_evidence
from port.report.heatmap import MOST, draw_heatmap, reduced

LIMITS = tolerance.load()


def shown(reference, port, truth=None):
    return show_evidence(
        Evidence("forward", "output", "forward/a:out", reference=reference, port=port, truth=truth), LIMITS
    )


def test_worst_element_comes_first_with_all_three_values():
    truth, reference, port = made_arrays()
    found = shown(reference, port, truth)
    first = found.elements[0]
    assert (first.index, first.reference, first.port, first.truth) == ("[1, 2, 3, 5]", "-4", "-8", "-4")
    assert first.error == "4" and first.own == "0"
    errors = [float(one.error) for one in found.elements]
    assert errors == sorted(errors, reverse=True) and len(errors) == 6
    assert found.shape == "[2, 3, 8, 8]"
    assert found.share.startswith(f"{(reference < 0).sum()} of {reference.size} elements err by more than")
    assert found.slice.index == "1, 2" and found.slice.worst == (3, 5)
    assert np.array_equal(found.slice.error, np.abs(port[1, 2].astype(np.float64) - truth[1, 2]))


def test_error_is_taken_against_float64_and_not_against_the_reference():
    truth = np.zeros(4)
    reference, port = np.float32([0.5, 0, 0, 0]), np.float32([0.5, 0, 0.25, 0])
    assert [one.index for one in shown(reference, port, truth).elements] == ["[0]", "[2]"]
    without = shown(reference, port)
    assert [one.index for one in without.elements] == ["[2]"] and without.elements[0].truth is None
    assert without.share == "1 of 4 elements differ" and without.slice is None


def test_what_is_not_finite_stands_first():
    reference = np.ones((3, 4), np.float32)
    port = reference.copy()
    port[0, 1], port[2, 3] = 9.0, np.nan
    found = shown(reference, port, reference.astype(np.float64))
    assert [one.index for one in found.elements] == ["[2, 3]", "[0, 1]"] and found.elements[0].error == "inf"
    assert found.slice.worst == (2, 3) and draw_heatmap(found.slice, LIGHT)[:4] == b"\x89PNG"
    same = shown(np.float32([np.nan, np.inf]), np.float32([np.nan, np.inf]), np.array([np.nan, np.inf]))
    assert same.elements == []


@pytest.mark.parametrize(
    ("reference", "port", "says"),
    [
        (np.ones((2, 3)), np.ones((3, 2)), "shape [3, 2] in the port, [2, 3] in the reference"),
        (np.ones(2), None, "the port has no value here"),
        (None, np.ones(2), "the reference has no value here"),
        (np.ones((0, 2)), np.ones((0, 2)), "empty"),
    ],
)
def test_values_that_do_not_fit_are_explained(reference, port, says):
    found = shown(reference, port)
    assert says in found.missing and found.elements == [] and found.slice is None


def test_single_numbers_choices_and_complex_values():
    assert shown(np.float64(1), np.float64(2), np.float64(1)).elements[0].index == ""
    assert shown(np.array([1, 2]), np.array([1, 3])).elements[0].port == "3"
    assert shown(np.array([True, False]), np.array([True, True])).elements[0].index == "[1]"
    assert shown(np.array([1 + 1j]), np.array([1 + 2j])).elements[0].error == "1"
    assert show_evidence(None, LIMITS) is None


def test_a_large_slice_is_reduced_without_losing_its_largest_error():
    error = np.zeros((3 * MOST - 1, 5))
    error[700, 3] = 2.0
    cells, steps = reduced(error)
    assert steps == (3, 1) and cells.shape == (MOST, 5) and cells[700 // 3, 3] == 2.0 and cells.sum() == 2.0


def test_the_picture_shows_where_the_error_is():
    error = np.zeros((4, 4))
    error[0, 3] = 1.0
    light, dark = (picture(draw_heatmap(Slice(error, "", (0, 3)), theme)) for theme in (LIGHT, DARK))
    assert light[0, 0].min() > 240 and dark[0, 0].max() < 60
    yellow = np.argwhere(abs(light - (253, 231, 37)).max(axis=2) < 16)
    purple = np.argwhere(abs(light - (68, 1, 84)).max(axis=2) < 16)
    assert len(purple) > 10 * len(yellow) / 2 > 1000
    assert yellow[:, 0].mean() < purple[:, 0].mean()  # in the first row, which is drawn on top


def picture(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
