"""Records a run into a trace, and puts the reference's values in place of the network's own where asked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from port.parity.nested import walk
from port.parity.probe import Probe
from port.parity.trace import Trace, TraceWriter

ALL_KINDS = frozenset({"input", "output", "value", "decision", "gradient"})
GRADIENT = "@grad"  # what the gradient of a value is called after it


def show_only(value: Any, show: Callable[[Any], Any], show_gradient: Callable[[Any], Any]) -> Any:
    """The gate of a run without gradients: the value is shown, and what comes back goes on."""
    return show(value)


@dataclass(frozen=True)
class Plan:
    """What one run records.

    substitute    "nothing", "decisions" (the reference's choices imposed), "all" (every module and every step fed with
                  the reference's values) or "noise" (the reference's choices, and at every site so many times the rounding
                  error that the reference makes there, with random signs)
    kinds         kinds of sites recorded
    whole_steps   steps whose module inputs and outputs are stored whole; {"all"} for every step
    whole_values  named values stored whole; None for all of them. Decisions always are.
    only_whole    leave out what is not stored whole
    nothing_whole statistics, hash and samples of every site, decisions included, and no whole tensor
    apart         store whole also what equals the reference's value: another trace will stand for the reference
    """

    substitute: str = "nothing"
    kinds: frozenset[str] = ALL_KINDS
    whole_steps: frozenset[str] = frozenset()
    whole_values: frozenset[str] | None = None
    only_whole: bool = False
    nothing_whole: bool = False
    apart: bool = False


class Recorder(Probe):
    """The probe and the module hooks of one run.

    to_numpy    turns a tensor into an array; the array may share memory, it is read at once
    like        turns an array into a tensor of the type and place of a given one
    plan        what is recorded, stored whole and substituted
    gate        gate(value, show, show_gradient) puts `show` into the way forward and `show_gradient` into the way back of
                a tensor that may need gradients; each returns what goes on in place of what it was shown
    """

    def __init__(
        self,
        writer: TraceWriter,
        to_numpy: Callable[[Any], np.ndarray],
        like: Callable[[np.ndarray, Any], Any],
        plan: Plan,
        reference: Trace | None = None,
        on_step: Callable[[str], None] = lambda label: None,
        gate: Callable[..., Any] = show_only,
        label: str = "start",
    ):
        self.writer = writer
        self.to_numpy = to_numpy
        self.like = like
        self.plan = plan
        self.reference = reference
        self.on_step = on_step
        self.gate = gate
        self.label = self.first_label = label
        self.graded: Callable[[Any], bool] = lambda value: (
            True
        )  # whether a gradient can reach what a value was made from
        self.noise: Callable[[str], np.ndarray | None] = lambda name: None  # error to be added at a site
        self.hollow = False  # the next named value was not computed in earnest (capture.idle): put in, and not recorded
        self.ungraded: list[str] = []  # sites of values that no gradient passes

    def start_again(self) -> None:
        """Forget the run so far: it is made anew from its beginning."""
        self.writer.start_again()
        self.label, self.hollow = self.first_label, False
        self.ungraded.clear()

    def step(self, label: str) -> None:
        self.label = label
        self.on_step(label)

    def __call__(self, name: str, value: Any) -> Any:
        if self.hollow:
            self.hollow = False
            return self._substitute(self.writer.name(f"{self.label}/{name}"), "value", value, tuple(value.shape))
        return self._site(name, "value", value, self.plan.whole_values is None or name in self.plan.whole_values)

    def decide(self, name: str, value: Any) -> Any:
        return self._site(name, "decision", value, whole=True)

    def inputs(self, module: str, args: tuple) -> tuple:
        """The arguments of a module call, seen before it runs, nested ones and numbers included."""
        return tuple(self._all(f"{module}:in{i}", "input", arg) for i, arg in enumerate(args))

    def call(self, module: str, args: tuple, kwargs: dict, positions: list[str]) -> tuple[tuple, dict]:
        """`inputs` for a call with keywords: those count by their place in the signature, however they were given."""
        seen = self.inputs(module, args)
        named = {}
        for name, value in kwargs.items():
            place = positions.index(name) if name in positions else name
            named[name] = self._all(f"{module}:in{place}", "input", value)
        return seen, named

    def result(self, name: str, value: Any) -> Any:
        """What the network as a whole returned, nested or not."""
        return walk(value, name, lambda part, leaf: self._leaf(part, "decision" if discrete(leaf) else "value", leaf))

    def parameter_gradient(self, name: str, gradient: Any) -> None:
        """The gradient of a parameter, over the whole run."""
        if "gradient" in self.plan.kinds:
            whole = not self.plan.nothing_whole
            array, dtype = self.to_numpy(gradient), half_name(gradient)
            self.writer.add(f"parameters/{name}{GRADIENT}", "gradient", array, whole, dtype=dtype)

    def output(self, module: str, value: Any) -> Any:
        """What a module call returned; parts of a nested value are `:out.0`, `:out.name`, ..."""
        return self._all(f"{module}:out", "output", value)

    def _all(self, name: str, kind: str, value: Any) -> Any:
        if self._is_tensor(value):
            return self._site(name, kind, value, self._is_detailed())
        return walk(value, name, lambda part, leaf: self._leaf(part, kind, leaf))

    def _leaf(self, name: str, kind: str, value: Any) -> Any:
        if self._is_tensor(value):
            return self._site(name, kind, value, self._is_detailed())
        if isinstance(value, bool | int | float) and kind in self.plan.kinds:
            whole = not self.plan.nothing_whole
            self.writer.add(self.writer.name(f"{self.label}/{name}"), kind, np.asarray(value, np.float64), whole)
        return value

    def _is_detailed(self) -> bool:
        return self.label in self.plan.whole_steps or "all" in self.plan.whole_steps

    @staticmethod
    def _is_tensor(value: Any) -> bool:
        return hasattr(value, "shape") and hasattr(value, "dtype")

    def _site(self, name: str, kind: str, value: Any, whole: bool) -> Any:
        if kind not in self.plan.kinds:
            return value
        name = self.writer.name(f"{self.label}/{name}")
        whole = whole and not self.plan.nothing_whole
        if self.plan.only_whole and not whole:
            return value
        if hasattr(value, "is_floating_point") and value.is_floating_point() and not self.graded(value):
            self.ungraded.append(name)
        return self.gate(
            value,
            lambda shown: self._record(name, kind, shown, whole),
            lambda gradient: self._record_gradient(name, gradient, whole),
        )

    def _record(self, name: str, kind: str, value: Any, whole: bool) -> Any:
        array = self.to_numpy(value)
        if array.dtype.kind in "iub":
            array = array.astype(np.int32)  # the frameworks index with different widths
            kind = "decision" if kind == "output" else kind
        known = None if kind == "decision" else self._held_by_reference(name)
        self.writer.add(name, kind, array, whole, known, half_name(value))
        return self._substitute(name, kind, value, array.shape)

    def _record_gradient(self, name: str, gradient: Any, whole: bool) -> Any:
        """The gradient that arrives at a value, summed over all that use it; forced like values in the plan "all"."""
        if "gradient" not in self.plan.kinds:
            return gradient
        array = self.to_numpy(gradient)
        self.writer.add(name + GRADIENT, "gradient", array, whole, dtype=half_name(gradient))
        return self._substitute(name + GRADIENT, "gradient", gradient, array.shape)

    def _held_by_reference(self, name: str) -> str | None:
        """Hash of the reference's value at a site that its trace holds whole."""
        site = self.reference.sites.get(name) if self.reference and not self.plan.apart else None
        return site.hash if site and site.whole else None

    def _substitute(self, name: str, kind: str, value: Any, shape: tuple[int, ...]) -> Any:
        if self.plan.substitute == "noise" and kind != "decision":
            noise = self.noise(name)
            return value if noise is None or noise.shape != shape else value + self.like(noise, value)
        wanted = self.plan.substitute == "all" or (self.plan.substitute != "nothing" and kind == "decision")
        given = self.reference.whole(name) if wanted and self.reference else None
        if given is None or (
            given.shape != shape and not (self.plan.substitute == "all" and kind in ("input", "output"))
        ):
            return value  # nothing fits in its place; the comparison reports a missing site or a wrong shape
        return self.like(given, value)


def discrete(value: Any) -> bool:
    """Whether a tensor holds whole numbers or truth values: places, classes, masks."""
    return "int" in str(getattr(value, "dtype", "")).lower() or "bool" in str(getattr(value, "dtype", "")).lower()


def half_name(value: Any) -> str | None:
    """The type of a tensor that numpy has no name for: it is stored as float32."""
    return "bfloat16" if "bfloat16" in str(getattr(value, "dtype", "")).lower() else None
