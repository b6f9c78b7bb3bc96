"""What the self-test knows of a planted mistake, or of a harmless change."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NamedTuple


class Edit(NamedTuple):
    """A text of a port's file, and what stands there instead. file: of ms_model/; "" is the network's own in ms_model/zoo/"""

    old: str
    new: str
    file: str = ""


@dataclass(frozen=True)
class Fault:
    """One mistake in one port.

    edits      texts of the port and what stands there instead, each occurring once
    modules    where it is made, patterns of names; "" is the network itself: what lies between its modules, its loss, its
               optimiser
    stages     stages that may show it first
    labels     diagnoses that count as right, of port.diagnose.labels
    catalogue  rows of the porting catalogue that it stands for
    site       pattern of the site that must be named first
    parts      of several mistakes at once: the modules of each, all of which must be named
    """

    name: str
    network: str
    edits: tuple[Edit, ...]
    modules: frozenset[str]
    stages: frozenset[str]
    labels: frozenset[str]
    catalogue: str = ""
    site: str = "*"
    parts: tuple[frozenset[str], ...] = ()

    def holds(self, module: str) -> bool:
        """Whether the mistake was made in this module."""
        return within(module, self.modules)


@dataclass(frozen=True)
class Control:
    """One change of a port that computes the same: nothing may be reported."""

    name: str
    network: str
    edits: tuple[Edit, ...]
    why: str


def within(module: str, patterns: frozenset[str]) -> bool:
    """Whether a module is one of those meant."""
    return any(fnmatchcase(module, pattern) for pattern in patterns)


def names(text: str) -> frozenset[str]:
    """Words separated by blanks, `.` for the network itself."""
    return frozenset("" if word == "." else word for word in text.split())


def fault(
    network: str, name: str, old: str, new: str, module: str, stage: str, labels: str, catalogue: str = "",
    site: str = "*", file: str = "",
) -> Fault:  # fmt: skip
    """A mistake made by one edit; several modules, stages or labels separated by blanks, `.` for the network itself."""
    edits = (Edit(old, new, file),)
    return Fault(name, network, edits, names(module), names(stage), names(labels), catalogue, site)


def several(name: str, *faults: Fault) -> Fault:
    """Mistakes of one network made at once: every one of them must be named."""
    together = lambda what: frozenset().union(*(getattr(one, what) for one in faults))  # noqa: E731
    edits = tuple(edit for one in faults for edit in one.edits)
    rows = " ".join(dict.fromkeys(row for one in faults for row in one.catalogue.split()))
    parts = tuple(one.modules for one in faults)
    return Fault(
        name, faults[0].network, edits, together("modules"), together("stages"), together("labels"), rows, "*", parts
    )


def control(network: str, name: str, old: str, new: str, why: str, file: str = "") -> Control:
    """A harmless change made by one edit."""
    return Control(name, network, (Edit(old, new, file),), why)
