"""Discrete choices of any pair of networks, judged by margin.

Made from the very same values they must be equal. Made from values that err they may differ where the float64 margin is within
that error; what they were made from is found out (port.diagnose.choices), or declared by the pair. Where it is not known, a
choice that differs fails.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from port.diagnose.choices import ROUNDINGS, Choice, costs, find_rule, margins, reproduces
from port.errors import PortError
from port.parity.decisions import DecisionCount
from port.parity.measure import Row, difference, eps_of
from port.parity.tolerance import Tolerances
from port.parity.trace import Site, Trace

LOOK_BACK = 40  # values before a choice that no module made; the latest from which it follows counts as its source


class Sources:
    """From which value and by which rule each choice of the reference was made.

    declared  DECISIONS of the pair: site or module -> (source site, rule, axis)
    """

    def __init__(self, reference: Trace, declared: Mapping[str, tuple] | None = None):
        self.reference = reference
        self.declared = dict(declared or {})
        self.known: dict[str, tuple[str, Choice] | None] = {}

    def of(self, site: str) -> tuple[str, Choice] | None:
        """-> (source site, rule), None where it is not known. Raises PortError for a declaration that does not hold."""
        if site not in self.known:
            self.known[site] = self._declared(site) or self._found(site)
        return self.known[site]

    def _declared(self, site: str) -> tuple[str, Choice] | None:
        label, _, name = site.partition("/")
        base, _, call = name.partition("#")
        key = next((key for key in (site, name, base, base.partition(":")[0]) if key in self.declared), None)
        if key is None:
            return None
        given, rule, axis = self.declared[key]
        names = (f"{label}/{given}#{call}", f"{label}/{given}", given) if call else (f"{label}/{given}", given)
        source = next((name for name in names if self.reference.whole(name) is not None), None)
        if source is None:
            raise PortError(f"DECISIONS[{key!r}]: the reference has no site {given!r}. Name one as the report does.")
        values, chosen = self.reference.whole(source), self.reference.whole(site)
        choice = next((choice for choice in self._meant(rule, axis, values) if fits(choice, values, chosen)), None)
        if choice is None:
            raise PortError(
                f"DECISIONS[{key!r}]: {rule} of {source} {list(values.shape)}, {axis}, does not give what the reference "
                f"chose at {site} {list(chosen.shape)}. Correct the entry, or leave it out."
            )
        return source, choice

    @staticmethod
    def _meant(rule: str, axis: float, values: np.ndarray) -> list[Choice]:
        if rule == "threshold":
            return [Choice(rule, sign=sign, level=float(axis)) for sign in (1, -1)]
        if rule == "round":
            return [Choice(kind) for kind in ROUNDINGS]
        return [Choice(rule, int(axis) % max(values.ndim, 1), sign) for sign in (1, -1)]

    def _found(self, site: str) -> tuple[str, Choice] | None:
        chosen = self.reference.whole(site)
        own = ":out" in site
        if not own and (same := self._passed_on(site)):
            return self.of(same)
        for source in self._before(site):
            values = self.reference.whole(source)
            choice = None if values is None else find_rule(values, chosen)
            if choice and (own or (margins(choice, values, chosen) > 0).all()):  # equal values fit too many choices
                return source, choice
        return None

    def _passed_on(self, site: str) -> str | None:
        """The module's choice that a network returns or names once more."""
        key, sites = self.reference.sites[site].hash, self.reference.sites.values()
        return next((s.name for s in sites if s.hash == key and s.kind == "decision" and ":out" in s.name), None)

    def _before(self, site: str) -> Iterator[str]:
        """The inputs of the module that chose; for a choice that no module made, what came before it, the latest first."""
        base, _, call = site.partition("#")
        if ":out" in base:
            start = f"{base.partition(':')[0]}:in"
            yield from (n for n in self.reference.sites if n.startswith(start) and n.partition("#")[2] == call)
            return
        earlier: list[Site] = []
        for name, held in self.reference.sites.items():
            if name == site:
                break
            if "float" in held.dtype and held.kind != "gradient":
                earlier.append(held)
        yield from (held.name for held in earlier[: -LOOK_BACK - 1 : -1])


def fits(choice: Choice, values: np.ndarray, chosen: np.ndarray) -> bool:
    """Whether a declared rule holds; shapes that cannot belong together do not."""
    try:
        return reproduces(choice, values, chosen)
    except (ValueError, IndexError):
        return False


def judge_choices(
    row: Row,
    reference: Trace,
    port: Trace,
    truth: Trace,
    limits: Tolerances,
    sources: Sources,
    count: DecisionCount,
    same_values: bool,
) -> None:
    """Compare one site choice by choice, fill `row` and add to `count`.

    same_values  both sides chose from the reference's values: then nothing but being equal will do
    """
    a, b = (np.atleast_1d(trace.whole(row.site)) for trace in (reference, port))
    difference(row, a, b, reference.sites[row.site].rms)
    differs, known = a != b, sources.of(row.site)
    row.identical = not differs.any()
    count.total += a.size
    count.disagreeing += int(differs.sum())
    count.steps += [row.site.partition("/")[0]] * (not row.identical)
    words = f"{int(differs.sum())} of {a.size} choices differ"
    if known is None or (exact := truth.whole(known[0])) is None:
        count.unexcused += int(differs.sum())
        row.reason = None if row.identical else f"{words}; from which value they were made is not known (see DECISIONS)"
        if same_values and row.reason:
            row.reason = f"{words}, made from the same values"
        return
    source, (name, rule) = reference.whole(known[0]), known
    exact = source if same_values else exact
    margin = np.reshape(margins(rule, exact, a), a.shape)
    cost = np.reshape(costs(rule, exact, a, b), a.shape)
    bound = 0.0 if same_values else error_bound(source, exact, reference.sites[name].dtype, limits)
    beyond = differs & (same_values | (cost > bound))
    count.ambiguous += int((margin <= bound).sum())
    count.unexcused += int(beyond.sum())
    count.margins += [float(m) for m in cost[differs]]
    if same_values and beyond.any():
        ties = ": ties broken the other way" if (cost[differs] == 0).all() else ""
        row.reason = f"{words}, made from the same values{ties}"
    elif beyond.any():
        row.reason = f"{words}, {int(beyond.sum())} of them with margins beyond the error bound {bound:.3g}"
        row.reason += f" ({rule.rule} of {name}, margins up to {cost[beyond].max():.3g})"
    elif differs.any():
        row.note = f"{words}, all with margins within the error bound {bound:.3g} ({rule.rule} of {name})"


def error_bound(source: np.ndarray, exact: np.ndarray, dtype: str, limits: Tolerances) -> float:
    """The margin below which two correct implementations may choose differently."""
    own = float(np.abs(source - exact).max())
    floor = limits.decision_floor_eps * eps_of(dtype) * float(np.abs(exact).max())
    return max(limits.decision_margin_ratio * own, floor)
