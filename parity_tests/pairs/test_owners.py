"""Whom named values belong to, what a module that leaves an input out takes along, and noise in gradients of training."""

from dataclasses import dataclass, field, replace

from port.parity.causes import without_echoes
from port.parity.measure import MISSING, Row
from port.parity.pair_compare import blame, called_modules, owners_of_values


@dataclass
class Site:
    kind: str


@dataclass
class Sites:
    sites: dict = field(default_factory=dict)


def trace(*names):
    kinds = {":": "output", "@": "gradient"}
    kind = lambda name: next((kinds[mark] for mark in "@:" if mark in name), "value")  # noqa: E731
    return Sites({name: Site(kind(name)) for name in names})


SEEN = trace(
    "s/before", "s/a:in0", "s/inside", "s/a.b:in0", "s/deeper", "s/a.b:out", "s/again", "s/a:out", "s/after", "t/a:in0#1",
    "t/inside#1", "t/a:out#1", "end/loss", "s/inside@grad",
)  # fmt: skip


def test_a_value_belongs_to_the_module_that_is_running():
    owners = owners_of_values(SEEN)
    assert owners == {
        "s/before": "", "s/inside": "a", "s/deeper": "a.b", "s/again": "a", "s/after": "", "t/inside#1": "a",
    }  # fmt: skip
    assert blame("s/inside@grad", called_modules(SEEN), owners) == "a"
    assert blame("s/a.b:in0", called_modules(SEEN), owners) == "a"


def test_a_module_without_output_ends_with_the_next_call():
    assert owners_of_values(trace("s/a:in0", "s/x", "s/b:in0", "s/b:out", "s/c:in0", "s/a:in0#1", "s/y"))["s/y"] == "a"


def row(order, module, reason, site=None):
    return Row(float(order), site or f"s{order}/{module}:out@grad", "gradient", module, reason=reason)


def named(rows, *wrong, cuts=()):
    rows = [replace(r) for r in rows]  # a cut changes whom a row is blamed on
    return [(r.order, r.module) for r in sorted(without_echoes(rows, list(cuts), frozenset(wrong)), key=lambda r: r.order)]


ROWS = [row(0, "late", "errs"), row(1, "wrong", MISSING), row(2, "other", MISSING), row(3, "third", "errs"),
        row(4, "other", "errs"), row(5, "wrong", MISSING)]  # fmt: skip


def test_what_is_missing_behind_a_module_that_is_wrong():
    assert named(ROWS, "wrong") == [(0, "late"), (1, "wrong"), (3, "third"), (5, "wrong")]


def test_the_first_place_where_a_gradient_ends():
    """No module is wrong forward: the first that is missing on the way back is where it ends, the rest is behind it."""
    assert named(ROWS) == [(0, "late"), (1, "wrong"), (3, "third")]


def test_what_the_port_says_itself():
    assert named(ROWS, cuts=[("s2/other:out", "cutter")])[1:] == [(2, "cutter"), (3, "third"), (4, "other")]


def test_a_module_that_swallows_a_gradient_is_named_as_well():
    rows = [row(1, "one", MISSING), row(2, "two", MISSING), row(3, "three", MISSING, "s/three:in0@grad")]
    assert named(rows) == [(1, "one"), (3, "three")]  # three was given a gradient, and it was right
    rows.insert(2, row(2.5, "three", MISSING, "s/three:out@grad"))
    assert named(rows) == [(1, "one")]


def test_nothing_missing_nothing_left_out():
    rows = [row(0, "one", "errs"), row(1, "two", "errs")]
    assert named(rows) == [(0, "one"), (1, "two")]
