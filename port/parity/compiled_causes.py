"""Which module is at fault when a port is right operation by operation and wrong compiled.

Nothing is seen inside a compiled run. So every module is compiled by itself and fed with the reference's values (the pass
"alone"): the innermost that is wrong there is the cause. It costs a compilation each, so it is done only where it is needed.
"""

from collections.abc import Mapping, Sequence

from port.parity.causes import Cause
from port.parity.compare import Stage
from port.parity.measure import Row
from port.parity.modes import COMPILED, as_the_reference_errs, seen_from_outside
from port.parity.pair_compare import NETWORK, called_modules, compare_sites
from port.parity.tolerance import Tolerances
from port.parity.trace import Site, Trace


def compiled_differs(
    stages: Mapping[str, Stage], ours: Mapping[str, Trace], theirs: Mapping[str, Trace], limits: Tolerances
) -> bool:
    """Whether the compiled run is wrong, and not just as wrong as the eager one."""
    if COMPILED not in stages or stages[COMPILED].passed or "compiled" not in theirs or "forced64" not in ours:
        return False
    if theirs["compiled"].about.get("error"):
        return True
    eager = theirs["imposed"]
    apart = compare_sites(COMPILED, eager, theirs["compiled"], eager, limits, wanted=seen_from_outside)
    as_the_reference_errs(apart, ours, theirs["compiled"], eager, limits)
    return bool(apart.failing)


def compiled_causes(
    stage: Stage, known: Sequence[Cause], ours: Mapping[str, Trace], theirs: Mapping[str, Trace], traces: Sequence[dict],
    limits: Tolerances,
) -> list[Cause]:  # fmt: skip
    """The causes of a compiled stage that failed, without those that were found in eager runs; these get `also`.

    traces  (reference, port, truth) by stage: gets those that were compared here, for the diagnosis
    Where no module alone is wrong, and nothing else is known to be, it is the network that is: how its modules are put
    together, or what one call leaves for the next.
    """
    found = wrong_alone(ours, theirs, limits) if "alone" in theirs and "forced64" in ours else {}
    if found:
        for held, trace in zip(traces, (ours["reference"], theirs["alone"], ours["forced64"]), strict=True):
            held[COMPILED] = trace
    elif not known:
        rows = stage.failing or [Row(0.0, "end/output", "value", NETWORK, reason=stage.broke_off)]
        for held, trace in zip(traces, (ours["reference"], theirs.get("compiled"), ours["float64"]), strict=True):
            held[COMPILED] = trace or theirs["forced"]
        return [Cause(NETWORK, COMPILED, rows)]
    eager = {cause.module: cause for cause in known}
    for module in found.keys() & eager.keys():
        eager[module].also.append(COMPILED)
    return [Cause(module, COMPILED, rows) for module, rows in found.items() if module not in eager]


def wrong_alone(ours: Mapping[str, Trace], theirs: Mapping[str, Trace], limits: Tolerances) -> dict[str, list[Row]]:
    """Modules that are wrong compiled by themselves and hold no other such module -> their wrong rows."""
    first, alone = ours["reference"], theirs["alone"]
    stage = compare_sites(COMPILED, first, alone, ours["forced64"], limits, wanted=tried(alone))
    excuse_containers(stage, ours, alone, limits)
    rows = stage.failing + refused(first, alone)
    wrong: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: row.order):
        wrong.setdefault(row.module, []).append(row)
    return {module: rows for module, rows in wrong.items() if not holds_another(module, wrong)}


def tried(alone: Trace):
    """Sites of the calls that were made; what a call left out of a nested output is missing only if the call ran."""
    called = {name.partition(":out")[0] for name in alone.sites}

    def wanted(site: Site) -> bool:
        call, mark, rest = site.name.partition(":out")
        return bool(mark) and call in called and "#" not in rest and "@" not in rest

    return wanted


def excuse_containers(stage: Stage, ours: Mapping[str, Trace], alone: Trace, limits: Tolerances) -> None:
    """Modules with others inside err as a piece of the network does: judge them by what the reference errs along it."""
    called = called_modules(ours["reference"])
    rows = [row for row in stage.failing if any(name.startswith(f"{row.module}.") for name in called)]
    as_the_reference_errs(Stage(stage.name, stage.limit, rows), ours, alone, ours["reference"], limits)


def refused(first: Trace, alone: Trace) -> list[Row]:
    """What the compiler would not take, at the place of the module's output."""
    places = {name: order for order, name in enumerate(first.sites)}
    rows = []
    for module, why in alone.about.get("failed", {}).items():
        site = next(name for name in places if name.partition("/")[2].startswith(f"{module}:out"))
        rows.append(Row(float(places[site]), site, "output", module, reason=f"cannot be compiled: {why}"))
    return rows


def holds_another(module: str, wrong: Mapping[str, list[Row]]) -> bool:
    """Whether a module inside this one is wrong, too."""
    return any(name.startswith(f"{module}.") for name in wrong)
