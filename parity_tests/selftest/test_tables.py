"""The tables of mistakes: every one can be made, none twice, and each says what it expects."""

import ast

import pytest

from port.diagnose.labels import LABELS
from port.errors import PortError
from port.selftest.blind import BLIND, SWEEPS
from port.selftest.fault import fault
from port.selftest.run import CONTROLS, FAULTS
from port.selftest.zoo import NETWORKS, PORTS, values, write_pair

CASES = [*FAULTS, *CONTROLS, *(entry.case for entry in BLIND), *(case for sweep in SWEEPS for _, case in sweep.cases())]
STAGES = {"weights", "forward", "backward", "training"}


def test_as_many_as_asked_for():
    assert len(FAULTS) >= 100
    assert len(CONTROLS) >= 25
    assert {case.network for case in FAULTS} == {case.network for case in CONTROLS} == set(NETWORKS)


def test_no_two_are_the_same():
    made = [(case.network, case.edits) for case in FAULTS]
    assert len(set(made)) == len(made)
    names = [(case.network, case.name) for case in CASES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.network}: {case.name}")
def test_it_can_be_made(case, tmp_path):
    write_pair(tmp_path, case.network, case.edits, case.name)
    changed = ast.parse((tmp_path / "half.py").read_text())
    same = ast.dump(changed) == ast.dump(ast.parse((PORTS / f"{case.network}.py").read_text()))
    assert same == (case.name == "as it is")  # a change that changes nothing would be found by nobody


@pytest.mark.parametrize("case", FAULTS, ids=lambda case: f"{case.network}: {case.name}")
def test_it_says_what_it_expects(case):
    assert case.labels and case.labels <= LABELS.keys() - {"unknown"}  # "unknown" is never a right diagnosis
    assert case.stages and case.stages <= STAGES
    source = (PORTS / f"{case.network}.py").read_text()
    assert case.modules and all(not module or f"self.{module} = " in source for module in case.modules)


def test_a_mistake_that_is_not_made_is_refused(tmp_path):
    case = fault("vision", "nothing", "no such text", "", "stem", "forward", "shape")
    with pytest.raises(PortError, match="occurs 0 times"):
        write_pair(tmp_path, case.network, case.edits, case.name)


def test_weights_hide_nothing():
    """Zeros and ones would let a missing bias or an unloaded statistic pass."""
    made = values({"a.weight": (8,), "a.bias": (8,), "a.running_var": (8,), "b.weight": (8, 4, 3, 3)})
    for array in made.values():
        assert array.any() and abs(array - 1).min() > 1e-6 and abs(array).min() > 0
    assert all((values({"a.weight": (8,)})["a.weight"] == made["a.weight"]).tolist())
