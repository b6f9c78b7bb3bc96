"""The search over orders and layouts, on a network of plain numpy: what it finds, what it proves, and where it gives up."""

import numpy as np
import pytest

from port.convert import settle as settling
from port.convert.network import Reference, fingerprints
from port.convert.settle import settle
from port.weights.mapping import CALLS, SEARCH
from port.weights.proposal import Parameter
from port.weights.propose import propose

SIDE = 4


def parameters(names, calls, kind):
    return [Parameter(f"{name}.weight", (SIDE, SIDE), kind, call) for name, call in zip(names, calls, strict=True)]


def chain(weights, names, x):
    """One matrix after the other, with a bend between."""
    for name in names:
        x = np.tanh(x @ weights[f"{name}.weight"].T)
    return x


class Case:
    """A reference that multiplies by a, b, c ... in this order, and a port that has other names and another order.

    right   which of the reference's names the port's 0, 1, 2 ... must get
    called  the order in which the port says its layers are called: what is guessed first
    """

    def __init__(self, right, called, compute=chain, turned=False, port_kind="Dense"):
        ours, self.theirs = list("abcdefgh"[: len(right)]), [f"p{i}" for i in range(len(right))]
        described = parameters(ours, range(len(ours)), "Linear")
        self.x = np.random.default_rng(1).standard_normal((5, SIDE))
        weights = fingerprints(described, {one.name: np.zeros((SIDE, SIDE), np.float32) for one in described})
        by_right = [self.theirs[right.index(name)] for name in ours]
        self.compute, self.by_right, self.turned, self.seen = compute, by_right, turned, []
        truth = {"output": compute({n: w.astype(np.float64) for n, w in weights.items()}, ours, self.x)}
        outputs = {"output": truth["output"].astype(np.float32)}
        self.reference = Reference(described, weights, outputs, truth, frozenset(weights))
        self.proposal = propose(described, parameters(self.theirs, called, port_kind), {})
        (self.group,) = self.proposal.groups

    def run(self, values):
        self.seen.append(tuple(values[f"{name}.weight"].tobytes() for name in self.theirs))
        given = {name: array.T if self.turned else array for name, array in values.items()}
        return {"output": self.compute({n: a.astype(np.float64) for n, a in given.items()}, self.by_right, self.x)}

    def settle(self, note=lambda text: None):
        return settle(self.proposal, self.reference, self.run, note)

    def found(self, settled):
        return {entry.port[0]: entry.torch[0] for entry in settled.map.entries}


def wanted(right):
    return {f"p{i}.weight": f"{name}.weight" for i, name in enumerate(right)}


def test_a_right_guess_is_proved_by_every_exchange():
    case = Case("cab", called=(2, 0, 1))
    settled = case.settle()
    assert settled.equal and not settled.map.undetermined and case.found(settled) == wanted("cab")
    assert {entry.strategy for entry in settled.map.entries} == {CALLS}
    assert {entry.proof for entry in settled.map.entries} == {"values: 3 exchanges break parity"}
    assert settled.runs == len(case.seen) == 1 + 3


@pytest.mark.parametrize("right", ["abc", "acb", "bac", "bca", "cab", "cba"])
def test_every_order_is_found_whatever_was_guessed(right):
    """The port says that it calls its layers as they stand, which is right for one of the six."""
    case = Case(right, called=(0, 1, 2))
    settled = case.settle()
    assert settled.equal and not settled.map.undetermined and case.found(settled) == wanted(right)
    assert {entry.strategy for entry in settled.map.entries} == {CALLS if right == "abc" else SEARCH}
    assert settled.runs <= 6 + 3


def test_order_and_layout_together():
    """Matrices the other way round in layers of the port's own making, called in a misleading order."""
    case = Case("cab", called=(0, 1, 2), turned=True, port_kind="Times")
    settled = case.settle()
    assert settled.equal and not settled.map.undetermined and case.found(settled) == wanted("cab")
    assert {str(entry.layout) for entry in settled.map.entries} == {"transpose"}
    for layer in settled.map.entries:
        assert layer.strategy == SEARCH


def test_what_any_order_computes_is_undetermined():
    def total(weights, names, x):
        return sum(np.tanh(x @ weights[f"{name}.weight"].T) for name in names)

    settled = Case("bac", called=(0, 1, 2), compute=total).settle()
    assert settled.equal and len(settled.map.undetermined) == 1
    assert "exchanged give the same outputs" in settled.map.undetermined[0]
    assert {entry.proof for entry in settled.map.entries} == {"undetermined"}


def test_one_exchange_that_does_not_show_is_enough():
    """a and b are added, c is applied to the sum: two of the three exchanges break parity, the third does not."""

    def sum_then(weights, names, x):
        first = np.tanh(x @ weights[f"{names[0]}.weight"].T) + np.tanh(x @ weights[f"{names[1]}.weight"].T)
        return first @ weights[f"{names[2]}.weight"].T

    settled = Case("abc", called=(0, 1, 2), compute=sum_then).settle()
    assert settled.equal and "p0.weight and p1.weight exchanged" in settled.map.undetermined[0]


def test_a_matrix_equal_to_its_transpose_leaves_the_layout_undetermined():
    def squared(weights, names, x):
        both = [weights[f"{name}.weight"] for name in names]
        return np.tanh(x @ (both[0] + both[0].T)) @ (both[1] + both[1].T)

    settled = Case("ab", called=(0, 1), compute=squared, port_kind="Times").settle()
    assert settled.equal and any("'same' and 'transpose' give the same" in text for text in settled.map.undetermined)


def test_the_search_ends_at_its_limit(monkeypatch):
    """Six layers have 720 orders; the port computes something else. The first guess stands, nothing is proved."""
    monkeypatch.setattr(settling, "MOST_RUNS", 50)
    case, said = Case("abcdef", called=range(6)), []
    honest = case.run
    case.run = lambda values: {"output": honest(values)["output"] + 1}
    settled = case.settle(said.append)
    assert not settled.equal and settled.runs == 50 and settled.error > 0.1
    assert case.found(settled) == wanted("abcdef") and "with no map tried the outputs agree" in said[0]
    assert {entry.proof for entry in settled.map.entries} == {"none: outputs differ"}
    assert settled.map.undetermined == [case.group.title]


def test_where_nothing_is_right_the_first_layouts_stand_too():
    case = Case("ab", called=(0, 1), port_kind="Times")
    case.run = lambda values: {"output": np.ones((5, SIDE))}
    settled = case.settle()
    assert not settled.equal and settled.runs == 4
    assert case.found(settled) == wanted("ab") and {str(entry.layout) for entry in settled.map.entries} == {"same"}


def test_no_order_is_tried_twice():
    case = Case("abc", called=(0, 1, 2))
    honest = case.run
    case.run = lambda values: {"output": honest(values)["output"] * 2}
    assert not case.settle().equal
    assert len(set(case.seen)) == len(case.seen) == 6


def test_large_groups_are_exchanged_between_neighbours(monkeypatch):
    monkeypatch.setattr(settling, "ALL_PAIRS", 3)
    settled = Case("abcde", called=range(5)).settle()
    assert settled.equal and settled.runs == 1 + 4


@pytest.mark.parametrize("output", [{}, {"output": np.zeros((5, 3))}, {"output": np.full((5, SIDE), np.nan)}])
def test_outputs_that_cannot_be_compared_are_unequal(output):
    case = Case("ab", called=(0, 1))
    case.run = lambda values: output
    settled = case.settle()
    assert not settled.equal and settled.error == float("inf")
