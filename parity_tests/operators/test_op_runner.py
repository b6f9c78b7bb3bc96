"""The runners of both columns on operators with known answers: right and wrong counterparts, a crash, a hang."""

import numpy as np
import pytest

from port.ops import measure as measuring
from port.ops.judge import compare, judge_operator
from port.ops.measure import Found, measure
from port.ops.rows import Row, changed
from port.ops.table import make
from port.parity import tolerance
from port.parity.measure import EPS32

FIRST = "port/base/float32/forward"
X = {"inputs": {"x": "wide(3, 4, 5)"}}
WHOLE = {"inputs": {"n": [1, 2, 3]}}
# name in the test -> entry. The wrong ones stand where a right one could.
PLANTED = {
    "right": {"torch": "torch.abs(x)", "port": "ops.abs(x)", "edges": ["nan", "empty"], "method": True, **X},
    "crash": {"torch": "torch.neg(n)", "port": "__import__('os').abort()", "instead": "ops.neg(n)", **WHOLE},
    "hang": {"torch": "torch.sum(n)", "port": "__import__('time').sleep(99)", **WHOLE},
    "wrong": {"torch": "torch.sign(x)", "port": "ops.neg(x)", "instead": "ops.sign(x)", "default": "a wrong one", **X},
    "a little wrong": {"torch": "torch.sqrt(x * x)", "port": "ops.sqrt(x * x) * 1.00001", **X},
    "gradient": {"torch": "torch.square(x)", "port": "ops.stop_gradient(x) * x", **X},
    "shape": {"torch": "torch.mean(x, 0)", "port": "ops.mean(x, 0, True)", **X},
    "type": {"torch": "torch.argmin(x, 1)", "port": "ops.argmin(x, 1)", "backward": False, **X},
    "absent": {"torch": "torch.exp(x)", "port": "ops.no_such_function(x)", "instead": "ops.exp(x)", **X},
    "layer": {
        "torch": "nn.Linear(4, 2)(x)", "port": "nn.Dense(4, 2)(x)",
        "inputs": {"x": "normal(3, 4)", "weight": "normal(2, 4)", "bias": [1.0, 2.0]},
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """name in the test -> its row; all in one run, in which two jobs end their process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "LONGEST", 8.0)
        table = [make("planted", {"name": f"torch.abs{i}", **entry}) for i, entry in enumerate(PLANTED.values())]
        _, reference, port = measure(table, tmp_path_factory.mktemp("ops"))
    judged = [judge_operator(own, found, tolerance.load()) for own, found in zip(reference, port, strict=True)]
    return {name: Row(op, outcomes) for name, op, outcomes in zip(PLANTED, table, judged, strict=True)}


def test_a_right_counterpart_is_the_same_in_every_way(planted):
    row = planted["right"]
    assert row.verdict in ("same", "same within rounding") and row.status == "same" and not list(row.cares())
    asked = {f"port/base/{dtype}/{way}" for dtype in ("float32", "float16") for way in ("forward", "backward")}
    asked |= {"port/base/float32/compiled", "port/base/float32/compiled backward", "method/base/float32/forward"}
    assert asked | {"port/nan/float32/forward", "port/empty/float32/forward"} <= row.outcomes.keys()
    assert all(row.outcomes[key].agrees for key in asked)


def test_a_wrong_counterpart_is_seen_and_its_mending_too(planted):
    row = planted["wrong"]
    assert (row.verdict, row.status) == ("different default", "care")
    assert row.outcomes[FIRST].what == "different" and "PyTorch" in row.outcomes[FIRST].detail
    assert row.outcomes[FIRST].largest > 1 and row.instead() == "ops.sign(x)"


def test_a_counterpart_that_is_wrong_by_a_hundred_thousandth_is_seen(planted):
    """Far below a tolerance that anyone would set by hand, well above rounding."""
    row = planted["a little wrong"]
    assert row.verdict == "different result" and row.outcomes[FIRST].ratio > 8


def test_a_gradient_that_is_wrong_alone_is_seen(planted):
    row = planted["gradient"]
    assert row.outcomes[FIRST].agrees and row.verdict == "same with care"
    assert row.aspect("backward").what == "different" and row.aspect("compiled").what == "different"


def test_shape_type_and_absence_are_told_apart(planted):
    assert planted["shape"].outcomes[FIRST].what == "shape"
    assert planted["type"].outcomes[FIRST].detail == "int32 where PyTorch gives int64"
    assert planted["absent"].verdict == "not there" and planted["absent"].instead() == "ops.exp(x)"


def test_a_layer_is_filled_with_the_same_parameters(planted):
    assert planted["layer"].outcomes[FIRST].agrees and planted["layer"].aspect("backward").agrees


def test_a_crash_and_a_hang_end_neither_the_run_nor_the_operator(planted):
    row = planted["crash"]
    assert row.verdict == "crash" and "SIGABRT" in row.outcomes[FIRST].detail
    assert row.outcomes["instead/base/float32/forward"].what == "same"  # the same operator, after the crash
    assert planted["hang"].verdict == "crash" and "no end after 8 s" in planted["hang"].outcomes[FIRST].detail
    assert planted["wrong"].outcomes  # the operator after both


def found(*arrays):
    return Found("tensor", tuple(np.asarray(array) for array in arrays))


@pytest.mark.parametrize(
    "own, port, what",
    [
        ([1.0, np.nan], [1.0, np.nan], "same"),
        ([1.0, np.nan], [1.0, 2.0], "different"),
        ([1.0, 2.0], [np.nan, 2.0], "different"),
        ([np.inf, 1.0], [-np.inf, 1.0], "different"),
        ([np.inf, 1.0], [np.inf, 1.0 + EPS32], "rounding"),
        ([100.0, 1.0], [100.0, 1.0 + 100 * EPS32], "rounding"),  # within four units of the rms
        ([1.0, 1.0], [1.0, 1.0 + 100 * EPS32], "different"),
        ([0.0, 1.0], [0.0, 0.0], "different"),
        ([], [], "same"),
    ],
)
def test_judgement_by_hand(own, port, what):
    a, b = (np.array(values, np.float32) for values in (own, port))
    assert compare(found(a), found(b), found(a.astype(np.float64)), tolerance.load(), EPS32).what == what


def test_a_changed_outcome_is_named(planted):
    right, wrong = planted["right"], planted["wrong"]
    other = Row(right.operator, {**right.outcomes, FIRST: wrong.outcomes[FIRST]})
    assert changed(right, right) == {} and changed(right, other) == {FIRST: ("agrees", "different")}
