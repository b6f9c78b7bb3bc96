"""What the modules of a port are called among the sites: by the reference's names, as far as the map of weights tells."""

from collections.abc import Iterable, Mapping

from port.weights.mapping import WeightMap

# A parameter of one of these names lies directly in its module. `in_proj_weight` does not: its port may be a module of its own.
OWN = {"weight", "bias", "running_mean", "running_var"}


def site_names(modules: Iterable[str], weights: WeightMap, table: Mapping[str, str]) -> dict[str, str]:
    """The port's names of modules -> names of their sites; a module that only wraps another has none and is left out.

    Modules that hold parameters are called as the reference's that hold the same; the rest lose what wraps the whole network.

    table  the pair's own SITES, which is right where it says something
    """
    renamed = _renamed(weights)
    wrap, taken = _wrap(renamed), {renamed[name] for name in renamed if name != renamed[name]}
    names = {}
    for name in modules:
        if name in table or name in renamed:
            names[name] = table.get(name) or renamed[name]
        elif wrap.startswith(f"{name}."):
            continue  # the whole network, wrapped
        elif (inner := name.removeprefix(wrap)) not in taken:
            names[name] = inner
    return names


def _renamed(weights: WeightMap) -> dict[str, str]:
    """Modules that hold parameters -> the reference's module that holds the same, where there is one."""
    owners: dict[str, set[str]] = {}
    for entry in weights.entries:
        if len(entry.torch) == len(entry.port) == 1 and entry.torch[0].rpartition(".")[2] in OWN and not entry.also:
            owners.setdefault(entry.port[0].rpartition(".")[0], set()).add(entry.torch[0].rpartition(".")[0])
    single = {name: next(iter(found)) for name, found in owners.items() if name and len(found) == 1}
    held = list(single.values())
    return {name: theirs for name, theirs in single.items() if theirs and held.count(theirs) == 1}


def _wrap(renamed: Mapping[str, str]) -> str:
    """What stands before every name of the port and not of the reference, with its last dot; else nothing."""
    wraps = {name.removesuffix(theirs) if name.endswith(f".{theirs}") else "" for name, theirs in renamed.items()}
    return wraps.pop() if len(wraps) == 1 else ""
