"""From outcomes to figures, on outcomes made by hand; and the policies in use elsewhere on arrays made by hand."""

from dataclasses import replace

import numpy as np
import pytest

from port.parity.trace import Trace, TraceWriter
from port.report.selftest_report import markdown
from port.selftest.baselines import NAMES, POLICIES, first_step, shared_sites
from port.selftest.blind import SWEEPS
from port.selftest.fault import control, fault, several
from port.selftest.run import Outcome
from port.selftest.score import module_in, smallest, summary

FAULT = fault("vision", "one", "a", "b", "stem norm", "forward", "shift border", "2")
CONTROL = control("vision", "two", "a", "c", "the same")
NOTHING = dict.fromkeys(NAMES)


def outcome(*causes, passed=False, case=FAULT, baselines=NOTHING):
    return Outcome(case, passed, list(causes), baselines)


STEM = ("stem", "forward", "shift", "forward/stem:out")


@pytest.mark.parametrize(
    "causes, localised, diagnosed",
    [
        ([STEM], True, True),
        ([STEM, ("norm", "forward", "x", "")], True, True),
        ([("stem", "forward", "scale", "")], True, False),
        ([("stem", "backward", "shift", "")], False, False),
        ([("head", "forward", "shift", "")], False, False),
        ([STEM, ("head", "forward", "shift", "")], False, False),
        ([], False, False),
    ],
    ids=["right", "two right", "wrong label", "wrong stage", "wrong module", "one too many", "none"],
)
def test_what_counts(causes, localised, diagnosed):
    seen = outcome(*causes)
    assert (seen.detected, seen.localised, seen.diagnosed) == (True, localised, diagnosed)


TWO = several("both", FAULT, fault("vision", "another", "c", "d", "block.*", "backward", "scale"))
BLOCK = ("block.3", "backward", "scale", "forward/block.3:out@grad")


@pytest.mark.parametrize(
    "causes, localised",
    [([STEM, BLOCK], True), ([STEM], False), ([BLOCK], False), ([STEM, BLOCK, ("head", "forward", "", "")], False)],
    ids=["both", "only the first", "only the second", "one too many"],
)
def test_of_several_at_once_each_must_be_named(causes, localised):
    assert outcome(*causes, case=TWO).localised == localised


def test_a_site_can_be_asked_for():
    asked = replace(FAULT, site="*/stem:out")
    assert outcome(STEM, case=asked).localised
    assert not outcome(("stem", "forward", "shift", "forward/stem:in0"), case=asked).localised


def test_figures_and_goals():
    good = outcome(STEM, baselines={**NOTHING, "allclose 1e-3": "forward/stem:out", "cosine 0.999": "forward/head:out"})
    missed = outcome(passed=True)
    quiet, alarm = (
        outcome(passed=passed, case=CONTROL, baselines={**NOTHING, "allclose 1e-5": "x"}) for passed in (True, False)
    )
    result = summary([good, missed, quiet, alarm])
    assert (result["faults"], result["detected"], result["localised"], result["diagnosed"]) == (2, 1, 1, 1)
    assert (result["controls"], result["false_alarms"], result["reached"]) == (2, 1, False)
    assert result["baselines"]["allclose 1e-3"] == {"detected": 1, "localised": 1, "false_alarms": 0}
    assert result["baselines"]["cosine 0.999"] == {"detected": 1, "localised": 0, "false_alarms": 0}
    assert result["baselines"]["allclose 1e-5"]["false_alarms"] == 2
    assert summary([good, quiet])["reached"]
    assert not summary([good, missed, quiet])["reached"]
    assert not summary([good, quiet, alarm])["reached"]


def test_page_names_misses_and_false_alarms():
    result = summary([outcome(passed=True), outcome(STEM), outcome(case=CONTROL)]) | {"seconds": 1.0}
    page = markdown(result)
    assert "2 mistakes: 1 detected (50%" in page and "**Not all goals are reached.**" in page
    assert "| vision | one | 2 | **no** | **no** | **no** | - |" in page
    assert "**false alarm**" in page


def test_smallest_size_stops_at_the_first_that_is_missed():
    seen = [(1e-3, outcome(STEM)), (1e-4, outcome(STEM)), (1e-5, outcome(passed=True)), (1e-6, outcome(STEM))]
    assert smallest(SWEEPS[0], seen)["smallest_seen"] == 1e-4
    assert smallest(SWEEPS[0], seen[2:])["smallest_seen"] is None


def test_module_of_a_site():
    assert module_in("forward/a.b:out#1") == "a.b"
    assert module_in("parameters/a.b.weight@grad") == "a.b"
    assert module_in("end/output") == ""


A = np.array([1.0, -2.0, 3.0, 4.0])


@pytest.mark.parametrize("name, other, passes", [
    ("allclose 1e-3", A * 1.0005, True), ("allclose 1e-4", A * 1.0005, False), ("allclose 1e-5", A + 1e-6, True),
    ("allclose 1e-5", A + 1e-4, False), ("cosine 0.999", A * 2, True), ("cosine 0.999", A[::-1], False),
    ("mean of tensor", A[::-1], True), ("mean of tensor", A + 0.1, False),
])  # fmt: skip
def test_policies(name, other, passes):
    assert POLICIES[name](A, other) == passes


KINDS = {
    "forward/m:in0": "input",
    "forward/m:out": "output",
    "end/loss": "value",
    "forward/m:out@grad": "gradient",
    "parameters/m.w@grad": "gradient",
    "step.00/loss": "loss",
}


def test_policies_see_outputs_and_parameter_gradients(tmp_path):
    traces = []
    for side, value in (("a", 1.0), ("b", 1.5)):
        writer = TraceWriter(tmp_path / side, 1 << 30)
        for name, kind in KINDS.items():
            writer.add(name, kind, np.full(4, value, np.float32), True)
        writer.finish(None, run=side, seconds=0.0, error=None, environment={}, backend={})
        traces.append(Trace(tmp_path / side))
    assert [name for name, _, _ in shared_sites(*traces)] == ["forward/m:out", "end/loss", "parameters/m.w@grad"]
    assert first_step(*traces) == "step.00/loss"
    assert first_step(traces[0], traces[0]) is None
