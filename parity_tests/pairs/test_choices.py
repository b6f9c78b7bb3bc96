"""Discrete choices: what they were made from is found out, and what differs is excused by its margin only."""

import json

import numpy as np
import pytest

from port import cli
from port.diagnose.choices import Choice, costs, find_rule, margins
from port.errors import PortError
from port.parity import tolerance
from port.parity.modes import COMPILED, FREE, add_modes, compare_free
from port.parity.pair import check_decisions
from port.parity.pair_compare import compare_sites
from port.parity.pair_decisions import Sources
from port.parity.trace import Trace, TraceWriter

pytestmark = pytest.mark.slow

SCORES = np.random.default_rng(2).standard_normal((12, 9, 7))
BY_RULE = {
    "argmax": (lambda s: s.argmax(1), Choice("argmax", 1)),
    "argmin": (lambda s: s.argmin(0), Choice("argmax", 0, -1)),
    "kept axis": (lambda s: s.argmax(2)[..., None], Choice("argmax", 2)),
    "topk": (lambda s: np.argsort(-s, 2)[..., :3], Choice("topk", 2)),
    "sort": (lambda s: np.argsort(s, 1), Choice("topk", 1, -1)),
    "round": (lambda s: np.round(3 * s), None),
    "rounded": (np.round, Choice("round")),
    "floor": (np.floor, Choice("floor")),
    "trunc": (np.trunc, Choice("trunc")),
    "above 0": (lambda s: s > 0, Choice("threshold", level=0.0)),
    "below 0.5": (lambda s: s < 0.5, Choice("threshold", sign=-1, level=0.5)),
    "above 0.3": (lambda s: s > 0.3, Choice("threshold")),
    "numbers": (lambda s: np.random.default_rng(1).integers(0, 9, (12, 7)), None),
}


@pytest.mark.parametrize("name", BY_RULE)
def test_the_rule_is_found(name):
    make, rule = BY_RULE[name]
    assert find_rule(SCORES, make(SCORES).astype(np.int32)) == rule


@pytest.mark.parametrize("name", [name for name, (_, rule) in BY_RULE.items() if rule])
def test_margins_say_what_a_change_must_cost(name):
    """No change smaller than the margin alters a choice; noise beyond it does alter some, each at the cost that was named."""
    make, rule = BY_RULE[name]
    chosen = make(SCORES).astype(np.int32)
    margin = margins(rule, SCORES, chosen)
    noise = np.random.default_rng(3).uniform(-1, 1, SCORES.shape)
    for size in (1e-3, 1e-2, 0.1):
        other = make(SCORES + size * noise).astype(np.int32)
        differs = other != chosen
        if rule.rule != "threshold" or rule.level is not None:
            assert (margin[differs] <= 2 * size).all()
            assert (costs(rule, SCORES, chosen, other)[differs] <= 2 * size * 9).all()
    assert differs.any()


def test_costs_beyond_any_margin():
    s = np.array([[3.0, 2.9, 0.0, 2.9]])
    rule, first = Choice("argmax", 1), np.array([0])
    assert costs(rule, s, first, np.array([1])) == pytest.approx(0.1)
    assert costs(rule, s, first, np.array([2])) == 3.0  # close was the second, not this one
    assert costs(rule, s, first, np.array([4])) == np.inf  # no such place
    assert costs(Choice("topk", 1), s, np.array([[0, 1]]), np.array([[0, 3]])).tolist() == [[0.0, 0.0]]
    assert (costs(Choice("topk", 1), s, np.array([[0, 1]]), np.array([[0, 0]])) == np.inf).all()  # the same twice
    assert costs(Choice("round"), np.array([1.49]), np.array([1]), np.array([2])) == pytest.approx(0.01)
    assert costs(Choice("round"), np.array([1.49]), np.array([1]), np.array([3])) == np.inf


# ------------------------------------------------------------------------------------------- judged from traces

EXACT = np.random.default_rng(0).standard_normal((50, 6))
EXACT[0, :2] = 5.0, 5.0 + 1e-9  # closer than float32 can tell
IN, OUT = "forward/best:in0", "forward/best:out"


@pytest.fixture
def traced(tmp_path):
    """traced({site: array}) -> trace; whole numbers are decisions"""

    def write(values):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        writer = TraceWriter(folder, 1 << 30)
        for site, array in values.items():
            writer.add(site, "decision" if array.dtype.kind == "i" else "value", array, whole=True)
        writer.finish(None, error=None)
        return Trace(folder)

    return write


def judged(traced, port_choice, same_values=False, declared=None, source=IN, site=OUT):
    values = EXACT.astype(np.float32)
    reference = traced({source: values, site: values.argmax(1).astype(np.int32)})
    truth = traced({source: EXACT, site: EXACT.argmax(1).astype(np.int32)})
    port = traced({source: values, site: np.asarray(port_choice, np.int32)})
    stage = compare_sites(
        "accumulated", reference, port, truth, tolerance.load(), sources=Sources(reference, declared),
        same_values=same_values, wanted=lambda at: at.kind == "decision",
    )  # fmt: skip
    return stage


def otherwise(row, place):
    chosen = EXACT.astype(np.float32).argmax(1)
    chosen[row] = place
    return chosen


def test_a_choice_within_the_error_is_excused_and_counted(traced):
    stage = judged(traced, otherwise(0, 1))
    (row,), (count,) = stage.rows, stage.decisions.values()
    assert row.reason is None and "within the error bound" in row.note
    assert (count.total, count.ambiguous, count.disagreeing, count.unexcused) == (50, 1, 1, 0)


@pytest.mark.parametrize("row, place", [(0, 2), (3, 5), (4, 99)])
def test_a_choice_beyond_the_error_fails(row, place, traced):
    stage = judged(traced, otherwise(row, place))
    assert "beyond the error bound" in stage.rows[0].reason
    assert stage.decisions["best:out"].unexcused == 1


def test_from_the_same_values_nothing_is_excused(traced):
    stage = judged(traced, otherwise(0, 1), same_values=True)
    assert stage.rows[0].reason == "1 of 50 choices differ, made from the same values: ties broken the other way"
    stage = judged(traced, otherwise(3, 5), same_values=True)
    assert stage.rows[0].reason == "1 of 50 choices differ, made from the same values"


def test_without_a_known_source_what_differs_fails(traced):
    stage = judged(traced, otherwise(0, 1), source="forward/other:in0")
    assert "is not known" in stage.rows[0].reason and stage.decisions["best:out"].unexcused == 1
    stage = judged(traced, otherwise(0, 0), source="forward/other:in0")
    assert stage.rows[0].reason is None


def test_a_declared_source_counts(traced):
    declared = {"best": ("other:in0", "argmax", -1)}
    stage = judged(traced, otherwise(0, 1), source="forward/other:in0", declared=declared)
    assert stage.rows[0].reason is None and stage.rows[0].note
    stage = judged(traced, otherwise(3, 5), source="forward/other:in0", declared=declared)
    assert stage.rows[0].reason


@pytest.mark.parametrize(
    "entry, says",
    [
        (("gone", "argmax", 1), "no site"),
        (("best:in0", "argmax", 0), "does not give"),
        (("best:in0", "round", 0), "does not give"),
        (("best:in0", "threshold", 0.5), "does not give"),
    ],
)
def test_a_declaration_that_does_not_hold_is_refused(entry, says, traced):
    with pytest.raises(PortError, match=says):
        judged(traced, otherwise(0, 1), declared={"best": entry})


def test_a_declaration_has_three_parts():
    for wrong in (("x", "argmax"), ("x", "softmax", 1), "argmax"):
        with pytest.raises(PortError, match="DECISIONS"):
            check_decisions("pair.py", {"best": wrong})


def test_free_choices_are_judged_up_to_the_first_that_is_excused(traced):
    """What follows another choice is computed from other values: counted only. Before it, margins decide."""
    values, later = EXACT.astype(np.float32), "forward/next"
    chosen = values.argmax(1).astype(np.int32)
    made = lambda first, second: {IN: values, OUT: first, f"{later}:in0": values, f"{later}:out": second}  # noqa: E731
    reference, truth = traced(made(chosen, chosen)), traced(made(chosen, chosen) | {IN: EXACT, f"{later}:in0": EXACT})
    parted, wrong = otherwise(0, 1).astype(np.int32), otherwise(3, 5).astype(np.int32)
    judge = lambda port: compare_free(reference, port, truth, tolerance.load(), Sources(reference))  # noqa: E731
    assert judge(traced(made(chosen, chosen))).passed
    stage = judge(traced(made(parted, wrong)))
    assert stage.passed and "counted only" in stage.rows[1].note
    assert not judge(traced(made(chosen, wrong))).passed
    assert not judge(traced(made(wrong, chosen))).passed
    assert judge(None).name == FREE and not judge(None).passed


TIES = """
import numpy as np


def torch_net():
    from torch import nn

    class Best(nn.Module):
        def forward(self, x):
            return x.argmax(-1)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.best, self.head = Best(), nn.Linear(6, 6)

        def forward(self, x):
            return self.head(x), self.best(x)

    return Net()


def ms_net():
    from mindspore import nn

    class Best(nn.Cell):
        def construct(self, x):
            return PICK

    class Net(nn.Cell):
        def __init__(self):
            super().__init__()
            self.best, self.head = Best(), nn.Dense(6, 6)

        def construct(self, x):
            return self.head(x), self.best(x)

    return Net()


def inputs():
    return np.random.default_rng(1).integers(0, 4, (9, 6)).astype(np.float32)
"""
BACKWARDS = "x.shape[-1] - 1 - x.flip((-1,)).argmax(-1)"


@pytest.mark.parametrize("pick, code", [("x.argmax(-1)", 0), (BACKWARDS, 1)])
def test_ties_broken_otherwise_are_named(pick, code, tmp_path, capsys):
    pair = tmp_path / "ties.py"
    pair.write_text(TIES.replace("PICK", pick), encoding="utf-8")
    assert cli.main(["verify", "--pair", str(pair), "--json", "--quiet"]) == code
    report = json.loads(capsys.readouterr().out)
    assert {entry["stage"] for entry in report["decisions"]} >= {"forward", "accumulated", FREE}
    found = [(cause["module"], cause["stage"], cause["diagnosis"]) for cause in report["root_causes"]]
    assert found == ([("best", "forward", "tie")] if code else [])
    free = next(entry for entry in report["decisions"] if entry["stage"] == FREE)
    assert report["stages"]["compiled"]["verdict"] == "pass"
    assert any("judged against the eager run" in note for note in report["notes"]) == bool(code)
    assert free["total"] == 9 and free["ambiguous"] > 0 and (free["disagreeing"] > 0) == bool(code)


@pytest.mark.parametrize("apart, passes", [(0.0, True), (3e-6, True), (1e-4, False)])
def test_compiled_is_held_against_the_eager_run_where_choices_part(apart, passes, traced):
    """The eager run chose otherwise than the reference, so its output is far off; the compiled one must be like it."""
    value, chosen = np.linspace(1, 2, 64), EXACT.astype(np.float32).argmax(1).astype(np.int32)
    made = lambda output, choice: {  # noqa: E731
        IN: EXACT.astype(np.float32), OUT: choice.astype(np.int32), "end/output": output.astype(np.float32)
    }  # fmt: skip
    reference = traced(made(value, chosen))
    truth = traced({IN: EXACT, OUT: chosen, "end/output": value.astype(np.float32) + 1e-6})
    other = otherwise(0, 1)
    port = {
        "free": traced(made(value + 0.5, other)),
        "imposed": traced(made(value, chosen)),
        "compiled": traced(made(value + 0.5 + apart, other)),
    }
    port["forced"] = port["imposed"]
    for trace in (reference, port["forced"]):
        trace.about["ignore"] = {}
    port["compiled"].about["compiled"] = {"eager": 3, "compiled": 0}
    stages = {}
    notes = add_modes(stages, {"reference": reference, "float64": truth}, port, tolerance.load())
    assert stages[FREE].passed and stages[COMPILED].passed == passes
    assert "chooses otherwise at forward/best:out" in notes[0]


def test_whole_numbers_kept_as_floats_are_no_places():
    """TTVSR's location maps are such: rounded positions, which index nothing."""
    assert find_rule(SCORES, SCORES.argmax(1)) == Choice("argmax", 1)
    assert find_rule(SCORES, SCORES.argmax(1).astype(np.float32)) is None
