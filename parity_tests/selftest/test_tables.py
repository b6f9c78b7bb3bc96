"""The tables of mistakes: every one can be made, none twice, and each says what it expects."""

import ast
import importlib

import pytest

from port.diagnose.labels import LABELS
from port.errors import PortError
from port.selftest.blind import BLIND, SWEEPS
from port.selftest.catalogue import ROWS, coverage
from port.selftest.fault import fault, within
from port.selftest.run import CONTROLS, FAULTS
from port.selftest.zoo import FILES, NETWORKS, PORTS, VIDEO_FILES, values, write_pair

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


def sources(folder, network):
    """The files that a changed port of a network consists of, as trees."""
    texts = {path.name: path.read_text() for path in folder.rglob("*.py") if path.name != "pair.py"}
    shared = {name: text.replace(f"{network}_{folder.name}", "ms_model") for name, text in texts.items()}
    return {name: ast.dump(ast.parse(text)) for name, text in shared.items() if text}


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory):
    """network -> the files of its port as it is"""
    folders = {network: tmp_path_factory.mktemp("port") for network in NETWORKS}
    for network, folder in folders.items():
        write_pair(folder, network)
    return {network: sources(folder, network) for network, folder in folders.items()}


def test_a_copy_holds_all_that_it_imports():
    """Otherwise every mistake in it is 'found', as a file that cannot be read."""
    for file in VIDEO_FILES:
        tree = ast.parse((PORTS / file).read_text(encoding="utf-8"))
        named = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        siblings = {f"{name.removeprefix('ms_model.')}.py" for name in named if name.startswith("ms_model")}
        assert siblings <= set(VIDEO_FILES), f"{file} imports {siblings - set(VIDEO_FILES)}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.network}: {case.name}")
def test_it_can_be_made(case, tmp_path, unchanged):
    write_pair(tmp_path, case.network, case.edits, case.name)
    made, own = sources(tmp_path, case.network), unchanged[case.network]
    assert made.keys() == own.keys()
    changed = {name for name in made if made[name] != own[name]}
    # a change that changes nothing would be found by nobody; and nothing else changes
    assert len(changed) == (0 if case.name == "as it is" else len({edit.file for edit in case.edits}))


def modules_of(network):
    """Names of a network's modules, the network itself among them."""
    file = importlib.import_module(f"torch_ref.zoo.{FILES.get(network, network)}")
    return {name for name, _ in file.net().named_modules()}


@pytest.fixture(scope="module")
def modules():
    return {network: modules_of(network) for network in NETWORKS}


@pytest.mark.parametrize("case", FAULTS, ids=lambda case: f"{case.network}: {case.name}")
def test_it_says_what_it_expects(case, modules):
    assert case.labels and case.labels <= LABELS.keys() - {"unknown"}  # "unknown" is never a right diagnosis
    assert case.stages and case.stages <= STAGES
    assert case.modules
    for pattern in case.modules:
        assert any(within(name, frozenset({pattern})) for name in modules[case.network]), pattern


def test_several_at_once_are_of_different_places():
    together = [case for case in FAULTS if case.parts]
    assert len(together) >= 5 and all(len(case.edits) == len(case.parts) >= 2 for case in together)
    assert all(len({edit.file for edit in case.edits}) >= 2 or len(set(case.parts)) >= 2 for case in together)


def test_as_many_of_ttvsr_as_asked_for():
    assert sum(case.network == "ttvsr" for case in FAULTS) >= 35
    assert sum(case.network == "ttvsr" for case in CONTROLS) >= 5


def test_every_row_of_the_catalogue_is_accounted_for():
    rows = coverage(FAULTS)
    assert [entry["row"] for entry in rows] == list(range(1, 143))
    assert all(entry["cases"] or entry["otherwise"] for entry in rows)
    known = {int(row) for case in FAULTS for row in case.catalogue.split()}
    assert known <= ROWS.keys()


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
