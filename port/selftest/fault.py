"""What the self-test knows of a planted mistake, or of a harmless change."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One mistake in one port.

    edits      (text of the port, what stands there instead), each text occurring once
    modules    where it is made; "" is the network itself: what lies between its modules, its loss, its optimiser
    stages     stages that may show it first
    labels     diagnoses that count as right, of port.diagnose.labels
    catalogue  rows of the porting catalogue that it stands for
    """

    name: str
    network: str
    edits: tuple[tuple[str, str], ...]
    modules: frozenset[str]
    stages: frozenset[str]
    labels: frozenset[str]
    catalogue: str = ""


@dataclass(frozen=True)
class Control:
    """One change of a port that computes the same: nothing may be reported."""

    name: str
    network: str
    edits: tuple[tuple[str, str], ...]
    why: str


def fault(
    network: str, name: str, old: str, new: str, module: str, stage: str, labels: str, catalogue: str = ""
) -> Fault:
    """A mistake made by one edit; several modules, stages or labels separated by blanks, `.` for the network itself."""
    modules = frozenset("" if module == "." else module for module in module.split())
    return Fault(name, network, ((old, new),), modules, frozenset(stage.split()), frozenset(labels.split()), catalogue)


def control(network: str, name: str, old: str, new: str, why: str) -> Control:
    """A harmless change made by one edit."""
    return Control(name, network, ((old, new),), why)
