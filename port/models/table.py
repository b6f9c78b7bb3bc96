"""The networks by name: a module of facts for each, all with the same names in it."""

from collections.abc import Mapping
from types import ModuleType

from port.errors import PortError
from port.models import basicvsr, ttvsr

NETWORKS: dict[str, ModuleType] = {"ttvsr": ttvsr, "basicvsr": basicvsr}
# Options of any network, with the values that stand for "not given": the command lines have them for all networks.
OPTIONS = {name: value for facts in NETWORKS.values() for name, value in facts.OPTIONS.items()}


def facts_of(model: str) -> ModuleType:
    """The facts of a network; of one that is not known by name those of TTVSR, which asks for most."""
    return NETWORKS.get(model, ttvsr)


def own_options(model: str, given: Mapping[str, int]) -> dict[str, int]:
    """Constructor arguments without those that only other networks have.

    Raises PortError where such a one was given, that is, differs from its default.
    """
    facts = facts_of(model)
    foreign = given.keys() & (OPTIONS.keys() - facts.OPTIONS.keys())
    for name in sorted(foreign):
        if given[name] != OPTIONS[name]:
            flag = name.replace("_", "-")
            raise PortError(f"{facts.TITLE} has no {name} (found {given[name]!r}). Leave --{flag} out.")
    return {name: value for name, value in given.items() if name not in foreign}
