"""Whom named values belong to, what a module that leaves an input out takes along, and noise in gradients of training."""

from dataclasses import dataclass, field

from port.parity.causes import without_what_is_not_used
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


def row(order, module, reason):
    return Row(float(order), f"s/{module}:in0@grad", "gradient", module, reason=reason)


def test_what_is_missing_behind_a_module_that_is_wrong():
    rows = [row(0, "late", "errs"), row(1, "wrong", MISSING), row(2, "other", MISSING), row(3, "third", "errs"),
            row(4, "other", "errs"), row(5, "wrong", MISSING)]  # fmt: skip
    left = without_what_is_not_used(rows, frozenset({"wrong"}))
    assert [(r.order, r.module) for r in left] == [(0, "late"), (1, "wrong"), (3, "third"), (5, "wrong")]
    assert without_what_is_not_used(rows, frozenset()) == rows  # nothing is known to be wrong: all of it is news
