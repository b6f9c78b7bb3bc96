"""Guesses about a map settled by running: the port must compute what the reference does, and must not with any two of the
tensors that look alike exchanged. Knows no framework.

This separates maps; it is no verdict on the port. A wrong map errs by the size of the values themselves, so a port counts as
equal here up to LIMIT of the output's rms: ten times the largest error of a kernel of MindSpore that is accepted in
port/parity/kernel_gaps.toml (tanh, 1.2e-4 of values around one; bicubic enlargement, which has no weights, apart), or what
`ratio.rms` in port/parity/tolerances.toml allows, if that is more. Exchanged, it must err APART times as much as that.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, combinations, pairwise, permutations, product

import numpy as np

from port.convert.network import Reference
from port.parity import tolerance
from port.parity.measure import rms
from port.weights.mapping import SEARCH, Entry, WeightMap
from port.weights.propose import Group, Proposal

LIMIT, APART = 1.2e-3, 5.0
MOST_RUNS = 400  # of the port, looking for a map that is right
ALL_PAIRS = 12  # groups up to this size have every pair exchanged, larger ones every neighbours

Run = Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]  # values by the port's names -> outputs


@dataclass
class Settled:
    """A map and how sure it is. equal: whether the port with it computes what the reference does; runs: of the port."""

    map: WeightMap
    equal: bool
    error: float
    runs: int
    notes: list[str] = field(default_factory=list)


def settle(
    proposal: Proposal, reference: Reference, run: Run, note: Callable[[str], None] = lambda text: None
) -> Settled:
    """Find the orders and layouts with which the port computes what the reference does, and prove that no others do."""
    trial = _Trial(proposal, reference, run)
    error = trial.search()
    equal = error <= trial.limit
    if not equal:
        note(f"with no map tried the outputs agree; the best errs by {error:.1e} of their size")
        trial.restore()
    proofs = trial.prove() if equal else _Proofs([group.title for group in proposal.groups], {})
    found = proposal.map()
    found.undetermined = proofs.undetermined
    found.entries = [
        replace(e, proof=proofs.of.get(e.port[0]) or _plain_proof(e, equal, reference)) for e in found.entries
    ]
    return Settled(found, equal, error, trial.runs, _notes(found, equal, error, reference))


@dataclass
class _Proofs:
    """undetermined: groups that no value tells apart; of: port name -> what proves its line"""

    undetermined: list[str]
    of: dict[str, str]


class _Trial:
    """The port run with one map after another."""

    def __init__(self, proposal: Proposal, reference: Reference, run: Run):
        self.proposal, self.reference, self.run, self.runs = proposal, reference, run, 0
        self.limit = max(LIMIT, tolerance.load().ratio_rms * distance(reference.outputs, reference.truth))
        self.start = [(list(group.order), group.strategy) for group in proposal.groups]

    def error(self) -> float:
        """How far the port's outputs are from the truth, with the map as it stands, in units of the outputs' rms."""
        self.runs += 1
        return distance(self.run(self.proposal.map().to_port(self.reference.weights)), self.reference.truth)

    def search(self) -> float:
        """Try orders and layouts until the outputs agree. -> the error that remains"""
        best = self.error()
        for change in chain(self._layouts(), self._orders()) if best > self.limit else ():
            if self.runs >= MOST_RUNS:
                return best
            change()
            best = min(best, error := self.error())
            if error <= self.limit:
                return error
        return best

    def _layouts(self) -> Iterator[Callable]:
        """Every combination of layouts that the layers' makers may have used."""
        choices = list(self.proposal.choices.values())
        for options in product(*(range(len(choice.options)) for choice in choices)):

            def take(options=options):
                for choice, option in zip(choices, options, strict=True):
                    choice.chosen = option

            yield take

    def _orders(self) -> Iterator[Callable]:
        """Every order of every group, the groups' own layouts first."""
        groups = self.proposal.groups
        layouts = list(self._layouts())
        for orders in product(*(permutations(range(len(group.order))) for group in groups)) if groups else ():

            def take(orders=orders):
                for group, order in zip(groups, orders, strict=True):
                    group.order, group.strategy = list(order), SEARCH

            for layout in layouts:

                def both(take=take, layout=layout):
                    take()
                    layout()

                yield both

    def restore(self) -> None:
        """The first guess again."""
        for group, (order, strategy) in zip(self.proposal.groups, self.start, strict=True):
            group.order, group.strategy = order, strategy

    def prove(self) -> _Proofs:
        """Exchange what looks alike, two at a time, and take other layouts: each time the outputs must differ."""
        found = _Proofs([], {})
        for group in self.proposal.groups:
            pairs = list(combinations(range(len(group.order)), 2))
            pairs = pairs if len(group.order) <= ALL_PAIRS else list(pairwise(range(len(group.order))))
            alike = [
                pair for pair in pairs if not self._differs(lambda pair=pair, group=group: _exchange(group, *pair))
            ]
            if alike:
                names = " and ".join(group.port[i].parameters[0].name for i in alike[0])
                found.undetermined.append(f"{group.title}: {names} exchanged give the same outputs")
            proof = "undetermined" if alike else f"values: {len(pairs)} exchanges break parity"
            found.of |= {one.name: proof for unit in group.port for one in unit.parameters}
        for key, choice in self.proposal.choices.items():
            right = choice.chosen
            others = [i for i in range(len(choice.options)) if i != right]
            same = [i for i in others if not self._with(choice, i)]
            choice.chosen = right
            if same:
                found.undetermined.append(
                    f"layout of {choice.title}: '{choice.options[right]}' and '{choice.options[same[0]]}' give the same outputs"
                )
            proof = "undetermined" if same else f"values: {len(others)} other layouts break parity"
            found.of |= {
                name: proof for name, other in self.proposal.kinds.items() if other == key and name not in found.of
            }
        return found

    def _with(self, choice, option: int) -> bool:
        choice.chosen = option
        return self.error() > APART * self.limit

    def _differs(self, exchange: Callable[[], None]) -> bool:
        exchange()
        error = self.error()
        exchange()
        return error > APART * self.limit


def _exchange(group: Group, i: int, j: int) -> None:
    group.order[i], group.order[j] = group.order[j], group.order[i]


def distance(outputs: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]) -> float:
    """The largest rms error of any floating-point output, in units of its rms; infinite where an output is missing, of
    another shape or not finite. Where none is floating-point, the share of elements that differ."""
    floats = {name: array for name, array in truth.items() if array.dtype.kind == "f"} or dict(truth)
    worst = 0.0
    for name, exact in floats.items():
        array = outputs.get(name)
        if array is None or array.shape != exact.shape or not np.isfinite(array).all():
            return float("inf")
        if exact.dtype.kind != "f":
            worst = max(worst, float((array != exact).mean()))
        else:
            worst = max(worst, rms(array.astype(np.float64) - exact) / max(rms(exact), 1e-30))
    return worst


def _plain_proof(entry: Entry, equal: bool, reference: Reference) -> str:
    """What is known of a line that was never in doubt."""
    if not equal:
        return "none: outputs differ"
    if not {*entry.torch, *entry.also} & reference.exercised:
        return "outputs agree; they do not depend on it"
    return "outputs agree"


def _notes(found: WeightMap, equal: bool, error: float, reference: Reference) -> list[str]:
    words = f"outputs agree to {error:.1e}" if equal else f"outputs differ by {error:.1e}"
    notes = [f"with values of their own in every tensor, {words} of their rms"]
    unseen = [e.torch[0] for e in found.entries if not {*e.torch, *e.also} & reference.exercised]
    buffers = {one.name for one in reference.parameters if one.buffer}
    if unseen := [name for name in unseen if name not in buffers]:
        notes.append(f"{len(unseen)} parameters do not reach the outputs on these inputs, the first {unseen[0]!r}")
    tied = sum(bool(entry.also) for entry in found.entries)
    return notes + ([f"{tied} tensors of the reference have several names (tied)"] if tied else [])
