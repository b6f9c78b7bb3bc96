"""The table of operators: as many as promised, each a real function of PyTorch, each call of it well-formed."""

import ast
import json
import tomllib

import pytest
import torch

from port.ops import inputs, jobs, rows, stored
from port.ops.advice import FRAME, METHODS, spelt
from port.ops.table import load, make
from port.parity import kernel_gaps

TABLE = load()


def there(name):
    """Whether a full dotted name leads to something in PyTorch."""
    found = torch
    for part in name.split(".")[1:]:
        found = getattr(found, part, None)
    return found is not None


def test_enough_operators_each_a_real_one():
    assert len(TABLE) >= 150
    assert [name for operator in TABLE for name in operator.spellings if not there(name)] == []
    assert not there("torch.nn.functional.no_such")  # the check can fail


def test_a_method_is_a_method():
    """Where the table says that a call is a method as well, PyTorch's tensors have it."""
    found = [case.calls["method"] for operator in TABLE for case in operator.cases if "method" in case.calls]
    names = [ast.parse(call, mode="eval").body.func.attr for call in found]
    assert len(names) > 50 and [name for name in names if not hasattr(torch.Tensor, name)] == []


def names_in(call, kind):
    return {node.id for node in ast.walk(ast.parse(call)) if isinstance(node, ast.Name) and isinstance(node.ctx, kind)}


def unknown_names(case, given):
    """Names that a case's calls use and that are neither inputs nor frameworks nor made in the call."""
    modules = {"torch", "nn", "F", "ops", "mint", "Tensor", "mindspore", "float"}
    return [
        (call, name)
        for call in case.calls.values()
        for name in names_in(call, ast.Load) - names_in(call, ast.Store) - modules - set(given)
    ]


def test_calls_take_what_is_there():
    """Every call parses and uses inputs by names that are described; every input is used or belongs to a layer."""
    for operator in TABLE:
        for case in operator.cases:
            assert unknown_names(case, inputs.arrays(operator, case)) == [], operator.name
            has_layer = jobs.split(case.calls["torch"])[0] is not None
            assert (
                has_layer or not case.inputs or any(set(case.inputs) & jobs.used(call) for call in case.calls.values())
            )
        names = [case.name for case in operator.cases]
        assert len(set(names)) == len(names) and not any("/" in name or "#" in name for name in names)


def test_a_name_that_nothing_gives_is_found():
    case = make(
        "g", {"name": "torch.abs", "torch": "torch.abs(x)", "port": "ops.abs(y)", "inputs": {"x": [1.0]}}
    ).cases[0]
    assert unknown_names(case, {"x"}) == [("ops.abs(y)", "y")]


def test_links_to_the_known_kernel_gaps_lead_somewhere():
    known = {gap.op for gap in kernel_gaps.load()}
    linked = {operator.gap for operator in TABLE if operator.gap}
    assert len(linked) >= 3 and linked <= known


def test_names_around_operators_are_real():
    frame = tomllib.loads(FRAME.read_text(encoding="utf-8"))["instead"]
    names = [spelt(name).rstrip(".") for name in frame]
    assert [name for name in names if not there(name)] == []
    rows_of = {name for operator in TABLE for name in operator.spellings}
    assert not rows_of & {spelt(name) for name in frame}  # neither says what the other says


def test_methods_of_tensors_are_those_of_this_pytorch():
    held = {name for line in METHODS.read_text().splitlines() if not line.startswith("#") for name in line.split()}
    assert held == {name for name in dir(torch.Tensor) if name[0] != "_" and callable(getattr(torch.Tensor, name))}


def test_an_entry_with_a_wrong_field_is_refused():
    right = {"name": "torch.abs", "torch": "torch.abs(x)", "port": "ops.abs(x)"}
    assert make("g", right).cases[0].calls["mint"] == "mint.abs(x)"
    with pytest.raises(TypeError, match="tolerance"):
        make("g", {**right, "tolerance": 1})
    with pytest.raises(TypeError, match="prot"):
        make("g", {**right, "edges": [{"name": "e", "prot": "ops.abs(x)"}]})


@pytest.mark.parametrize("version", stored.versions())
def test_every_operator_is_stored_with_every_outcome(version):
    """What is stored belongs to this table: same operators, same jobs, and words that are known."""
    measured = stored.load(version, TABLE)
    assert [row.operator.name for row in measured.rows] == [operator.name for operator in TABLE]
    expected = {(job.operator, job.key) for job in jobs.of_port(TABLE)}
    assert {(place, key) for place, row in enumerate(measured.rows) for key in row.outcomes} == expected
    assert {outcome.what for row in measured.rows for outcome in row.outcomes.values()} <= set(rows.ORDER)
    held = json.loads(stored.path_of(version).read_text(encoding="utf-8"))
    assert held["schema"] == stored.SCHEMA and held["operators"].keys() == {operator.name for operator in TABLE}


def test_four_versions_are_stored():
    assert stored.versions() == ["2.7", "2.8", "2.9", "2.10"]
