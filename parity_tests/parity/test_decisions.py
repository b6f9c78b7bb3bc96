"""Margins of discrete choices by hand, and how a choice that differs is judged."""

import numpy as np
import pytest

from port.parity import tolerance
from port.parity.decisions import DecisionCount, decision_bound, judge_decision, rounding_margin, top_gap
from port.parity.measure import Row
from port.parity.trace import Trace, TraceWriter

LIMITS = tolerance.load()


def test_rounding_margin_by_hand():
    flow = np.zeros((1, 2, 3, 4))
    flow[0, 0, 1, 1] = 0.4  # x = 1.4: 0.1 from the tie at 1.5
    flow[0, 1, 1, 2] = -0.7  # y = 0.3: 0.2 from the tie at 0.5
    flow[0, 0, 0, 0] = -5.0  # left of the grid: clamped, 5.5 from the only tie it could meet
    flow[0, 0, 2, 3] = 9.0  # x = 12, right of the grid: the last tie is at 2.5
    margin = rounding_margin(flow)[0]
    assert margin[1, 1] == pytest.approx(0.1)
    assert margin[1, 2] == pytest.approx(0.2)
    assert margin[0, 0] == pytest.approx(0.5)  # in y it sits on 0, half a cell from the tie
    assert margin[2, 3] == pytest.approx(0.5)
    assert margin[0, 1] == pytest.approx(0.5)


def test_margin_predicts_the_flip():
    """A change of the flow smaller than the margin never changes the rounded, clamped position; a larger one can."""
    rng = np.random.default_rng(3)
    flow = rng.uniform(-6, 6, (1, 2, 5, 7))
    margin = rounding_margin(flow)

    def cells(flow):
        y, x = np.meshgrid(np.arange(5), np.arange(7), indexing="ij")
        return np.rint(np.clip(flow[:, 0] + x, 0, 6)), np.rint(np.clip(flow[:, 1] + y, 0, 4))

    for sign in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        step = np.array(sign)[None, :, None, None] * 0.999 * margin[:, None]
        assert all((a == b).all() for a, b in zip(cells(flow), cells(flow + step), strict=True))
    nearest = np.unravel_index(margin.argmin(), margin.shape)
    moved = [cells(flow + d * (margin[nearest] + 1e-9)) for d in (-1, 1)]
    assert any(a[0][nearest] != cells(flow)[0][nearest] or a[1][nearest] != cells(flow)[1][nearest] for a in moved)


def test_top_gap():
    scores = np.array([[[0.9, 0.1], [0.5, 0.4], [0.7, 0.35]]])  # (1, 3 keyframes, 2 tokens)
    np.testing.assert_allclose(top_gap(scores), [[0.2, 0.05]])
    assert np.isinf(top_gap(scores[:, :1])).all()


def judged(tmp_path, scores32, scores64, ours, theirs, same_source=False):
    """The row and count of one arg-max site with these scores and choices."""
    for name, scores, choice in (
        ("reference", scores32, theirs),
        ("float64", scores64, theirs),
        ("port", scores32, ours),
    ):
        writer = TraceWriter(tmp_path / name, 10**9)
        writer.add("bwd.00/corr", "value", scores, whole=True)
        writer.add("bwd.00/argmax", "decision", choice, whole=True)
        writer.finish(None, error=None)
    row, count = Row(0, "bwd.00/argmax", "decision", "LTAM (arg-max)"), DecisionCount("argmax")
    traces = (Trace(tmp_path / name) for name in ("reference", "float64", "port"))
    judge_decision(row, *traces, LIMITS, count, same_source)
    return row, count.as_dict()


@pytest.fixture
def scores():
    """Two keyframes, four tokens: gaps 0.4, 0.2, 1e-7 and 0.1 in float64; float32 errs by at most 1e-6."""
    exact = np.array([[[0.9, 0.5, 0.3 + 1e-7, 0.6], [0.5, 0.7, 0.3, 0.5]]])
    return (exact + 1e-6 * np.array([1, -1, 1, -1])).astype(np.float32), exact


def test_equal_choices_pass(tmp_path, scores):
    choice = np.array([[0, 1, 0, 0]], np.int32)
    row, count = judged(tmp_path, *scores, choice, choice)
    assert row.reason is None and row.identical
    assert (count["total"], count["ambiguous"], count["disagreeing"]) == (4, 1, 0)


def test_a_tie_to_rounding_may_fall_either_way(tmp_path, scores):
    row, count = judged(tmp_path, *scores, np.array([[0, 1, 1, 0]], np.int32), np.array([[0, 1, 0, 0]], np.int32))
    assert row.reason is None and not row.identical
    assert (count["disagreeing"], count["beyond_margin"], count["steps"]) == (1, 0, ["bwd.00"])
    assert count["median_margin"] == pytest.approx(1e-7, rel=1e-3)


def test_on_the_same_values_even_a_tie_may_not_differ(tmp_path):
    """Fed with the reference's scores, a port that takes the last of equal keyframes is wrong, not unlucky."""
    tied = np.zeros((1, 3, 4))
    last, first = np.full((1, 4), 2, np.int32), np.zeros((1, 4), np.int32)
    row, _ = judged(tmp_path, tied.astype(np.float32), tied, last, first, same_source=True)
    assert "4 of 4 choices differ" in row.reason and "made from the same values" in row.reason
    assert judged(tmp_path, tied.astype(np.float32), tied, last, first)[0].reason is None


def test_a_clear_choice_may_not_differ(tmp_path, scores):
    row, count = judged(tmp_path, *scores, np.array([[0, 0, 0, 0]], np.int32), np.array([[0, 1, 0, 0]], np.int32))
    assert "1 of 4 choices differ, with margins up to 0.2, beyond the error bound" in row.reason
    assert count["beyond_margin"] == 1


def test_a_location_differs_if_one_keyframes_map_does(tmp_path):
    flow = np.full((1, 2, 3, 3), 0.2)
    maps = np.zeros((1, 4, 3, 3), np.float32)
    other = maps.copy()
    other[0, 3, 1, 1] = 1
    for name, locations in (("reference", maps), ("float64", maps), ("port", other)):
        writer = TraceWriter(tmp_path / name, 10**9)
        writer.add("fwd.01/token_flow", "value", flow if name == "float64" else flow.astype(np.float32), whole=True)
        writer.add("fwd.01/location", "decision", locations, whole=True)
        writer.finish(None, error=None)
    row, count = Row(0, "fwd.01/location", "decision", "warp_locations"), DecisionCount("location")
    judge_decision(row, *(Trace(tmp_path / name) for name in ("reference", "float64", "port")), LIMITS, count)
    assert (count.total, count.disagreeing, count.unexcused) == (9, 1, 1)
    assert row.reason


def test_the_bound_has_a_floor_where_the_reference_is_exact():
    exact = np.full(5, 2.0)
    assert decision_bound(exact, exact, LIMITS) == pytest.approx(16 * np.finfo(np.float32).eps * 2)
    assert decision_bound(exact + 1e-3, exact, LIMITS) == pytest.approx(1e-2)
