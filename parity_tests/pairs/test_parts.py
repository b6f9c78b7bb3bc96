"""The parts that a verification of a pair is made of, without frameworks: matching, nesting, ratios, blame."""

from collections import namedtuple

import numpy as np
import pytest

from port.errors import PortError, UsageError
from port.parity import tolerance
from port.parity.nested import walk
from port.parity.pair import load_pair
from port.parity.pair_compare import blame, weight_difference
from port.parity.ratio import error_ratios
from port.weights.layouts import fitted
from port.weights.propose import Parameter, propose

LIMITS = tolerance.load()
CALLED = frozenset({"body", "body.conv", "head"})


def parameters(names):
    return [Parameter(name, (i + 2,)) for i, name in enumerate(names)]


def test_names_match_by_table_equality_and_layer():
    reference = ["a.weight", "n.weight", "n.bias", "n.running_mean", "e.weight", "odd.0.w", "n.num_batches_tracked"]
    port = ["a.weight", "n.gamma", "n.beta", "n.moving_mean", "e.embedding_table", "other.0"]
    found = propose(parameters(reference), parameters(port), {"odd.{}.w": "other.{}"}).map()
    assert [(entry.torch[0], entry.port[0]) for entry in found.entries] == list(zip(reference, port, strict=False))
    assert [entry.strategy for entry in found.entries] == ["names"] * 5 + ["table"]
    assert list(found.left_out) == reference[6:]


@pytest.mark.parametrize(
    ("reference", "port", "says"),
    [
        (["a.weight", "b.weight"], ["a.weight"], "'b.weight'"),
        (["a.weight"], ["a.weight", "b.weight"], "of the port without a partner, the first 'b.weight'"),
        (["a.weight"], ["a.gamma", "a.weight"], "'a.weight'"),
    ],
)
def test_names_left_over_are_refused(reference, port, says):
    with pytest.raises(PortError, match=says):
        propose([Parameter(name, (3,)) for name in reference], [Parameter(name, (3,)) for name in port], {})


def test_only_axes_of_length_one_come_and_go():
    array = np.arange(24.0).reshape(2, 4, 3)
    assert fitted("w", array, (2, 4, 1, 3)).shape == (2, 4, 1, 3)
    for shape in ((4, 2, 3), (2, 3, 1, 4), (2, 12)):
        with pytest.raises(PortError, match="shape"):
            fitted("w", array, shape)


def test_walk_names_leaves_and_keeps_classes():
    point = namedtuple("Point", "x y")
    value = {"a": (1, [2, 3]), "p": point(4, 5)}
    seen = {}
    result = walk(value, "out", lambda name, leaf: seen.setdefault(name, leaf) * 10)
    assert seen == {"out.a.0": 1, "out.a.1.0": 2, "out.a.1.1": 3, "out.p.x": 4, "out.p.y": 5}
    assert result == {"a": (10, [20, 30]), "p": point(40, 50)} and type(result["p"]) is point


@pytest.mark.parametrize(
    ("site", "module"),
    [
        ("forward/body.conv:out", "body.conv"),
        ("forward/body.conv:in0", "body"),
        ("forward/body.0.conv:in0#3", "body"),
        ("forward/head:in0", ""),
        ("end/output.x", ""),
        ("end/loss", ""),
        ("forward/body.conv:in0@grad", "body.conv"),
        ("forward/body.conv:out@grad", "body"),
        ("parameters/body.conv.weight@grad", "body.conv"),
        ("step.03/body.conv.bias@update", "body.conv"),
        ("step.03/loss", ""),
    ],
)
def test_blame(site, module):
    assert blame(site, CALLED) == module


def test_ratio_sees_what_is_beyond_rounding():
    rng = np.random.default_rng(0)
    truth = rng.standard_normal(10_000)
    rounded = lambda: (truth * (1 + 1e-7 * rng.standard_normal(truth.size))).astype(np.float32)  # noqa: E731
    reference = rounded()
    assert max(error_ratios(reference, rounded(), truth, LIMITS)) < 2
    assert error_ratios(reference, truth.astype(np.float32), truth, LIMITS)[0] < 1
    assert error_ratios(reference, rounded() * np.float32(1 + 1e-5), truth, LIMITS)[0] > LIMITS.ratio_rms
    one_wrong = rounded()
    one_wrong[17] += 1e-4  # 1e-6 in rms: only the largest error shows it
    by_rms, largest = error_ratios(reference, one_wrong, truth, LIMITS)
    assert by_rms < LIMITS.ratio_rms < LIMITS.ratio_largest < largest


def test_an_exact_reference_leaves_a_floor_and_not_zero():
    exact = np.ones(8)
    one_unit = np.full(8, np.nextafter(np.float32(1), np.float32(2)))
    assert 0 < error_ratios(exact.astype(np.float32), one_unit, exact, LIMITS)[0] < 1
    assert error_ratios(exact.astype(np.float32), exact.astype(np.float32) + np.float32(1e-4), exact, LIMITS)[0] > 100
    zero = np.zeros(8, np.float32)
    assert error_ratios(zero, zero, zero, LIMITS) == (0.0, 0.0)
    assert error_ratios(zero, one_unit, zero, LIMITS) == (np.inf, np.inf)


def test_weights_are_compared_bit_for_bit():
    a = np.arange(4, dtype=np.float32)
    assert weight_difference(a, a.copy()) is None
    assert "differs" in weight_difference(a, np.nextafter(a, np.float32(9)))
    assert "shape" in weight_difference(a, a.reshape(2, 2))
    assert weight_difference(a, None) == "missing in the port"


GOOD = "import numpy as np\ndef torch_net(): ...\ndef ms_net(): ...\ndef inputs(): return np.ones((1, 2))\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD.replace("def ms_net(): ...", ""), "no function ms_net"),
        (GOOD.replace("np.ones((1, 2))", "np.ones((0, 2))"), "empty"),
        (GOOD.replace("np.ones((1, 2))", "np.full(3, np.nan)"), "NaN"),
        (GOOD.replace("np.ones((1, 2))", "[1, 2]"), "numpy arrays"),
        (GOOD.replace("np.ones((1, 2))", "()"), "nothing"),
        (GOOD + "1 / 0\n", "ZeroDivisionError"),
        (GOOD + "def broken(:\n", "SyntaxError"),
    ],
)
def test_bad_pair_files_are_refused(text, says, tmp_path):
    (tmp_path / "pair.py").write_text(text, encoding="utf-8")
    with pytest.raises(PortError, match=says):
        load_pair(str(tmp_path / "pair.py"))


def test_a_missing_pair_is_wrong_usage(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        load_pair(str(tmp_path / "gone.py"))
