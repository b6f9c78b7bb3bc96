"""From the outcomes of the self-test to its figures."""

from collections.abc import Sequence

from port.selftest.baselines import NAMES
from port.selftest.blind import Blind, Sweep
from port.selftest.catalogue import coverage
from port.selftest.fault import Control, Fault
from port.selftest.run import Outcome

GOALS = {"detected": 1.0, "localised": 0.95, "diagnosed": 0.80}  # shares of the faults; false alarms: none


def summary(outcomes: Sequence[Outcome], blind: Sequence[tuple[Blind, Outcome]] = (),
            sweeps: Sequence[tuple[Sweep, list[tuple[float, Outcome]]]] = ()) -> dict[str, object]:  # fmt: skip
    """What --json prints: the figures, then every case."""
    faults = [o for o in outcomes if isinstance(o.case, Fault)]
    controls = [o for o in outcomes if isinstance(o.case, Control)]
    return {
        "faults": len(faults),
        "detected": sum(o.detected for o in faults),
        "localised": sum(o.localised for o in faults),
        "diagnosed": sum(o.diagnosed for o in faults),
        "controls": len(controls),
        "false_alarms": sum(o.detected for o in controls),
        "goals": dict(GOALS),
        "reached": reached(faults, controls),
        "baselines": {name: baseline(name, faults, controls) for name in NAMES},
        "cases": [fault_entry(o) for o in faults],
        "control_cases": [control_entry(o) for o in controls],
        "blind": [blind_entry(entry, outcome) for entry, outcome in blind],
        "smallest": [smallest(sweep, seen) for sweep, seen in sweeps],
        "catalogue": coverage([o.case for o in faults]),
    }  # fmt: skip


def reached(faults: Sequence[Outcome], controls: Sequence[Outcome]) -> bool:
    """Whether all goals hold for these cases."""
    shares = {name: sum(getattr(o, name) for o in faults) / max(len(faults), 1) for name in GOALS}
    return all(shares[name] >= goal for name, goal in GOALS.items()) and not any(o.detected for o in controls)


def baseline(name: str, faults: Sequence[Outcome], controls: Sequence[Outcome]) -> dict[str, int]:
    """How another policy did on the same traces. localised: the first site it objects to belongs to the module at fault."""
    sites = [(o.case, o.baselines[name]) for o in faults]
    return {
        "detected": sum(site is not None for _, site in sites),
        "localised": sum(site is not None and case.holds(module_in(site)) for case, site in sites),
        "false_alarms": sum(o.baselines[name] is not None for o in controls),
    }


def module_in(site: str) -> str:
    """The module that a site's name begins with; "" for the network's own."""
    if site.startswith("parameters/"):
        return site.removeprefix("parameters/").partition("@")[0].rpartition(".")[0]
    return site.partition("/")[2].partition(":")[0] if site.startswith("forward/") else ""


def fault_entry(outcome: Outcome) -> dict[str, object]:
    """One planted mistake."""
    case = outcome.case
    named = [{"module": m, "stage": s, "diagnosis": d, "site": site} for m, s, d, site in outcome.causes]
    return {
        "name": case.name, "network": case.network, "catalogue": case.catalogue, "modules": sorted(case.modules),
        "stages": sorted(case.stages), "labels": sorted(case.labels), "detected": outcome.detected,
        "localised": outcome.localised, "diagnosed": outcome.diagnosed, "root_causes": named,
        "baselines": {name: site is not None for name, site in outcome.baselines.items()},
    }  # fmt: skip


def blind_entry(entry: Blind, outcome: Outcome) -> dict[str, object]:
    """One mistake that the inputs do not show."""
    case = entry.case
    return {"fault": case.name, "network": case.network, "why": entry.why, "probe": entry.probe, "detected": outcome.detected}


def control_entry(outcome: Outcome) -> dict[str, object]:
    """One harmless change."""
    return {"name": outcome.case.name, "network": outcome.case.network, "why": outcome.case.why,
            "false_alarm": outcome.detected, "failing": outcome.failing,
            "baselines": {name: site is not None for name, site in outcome.baselines.items()}}  # fmt: skip


def smallest(sweep: Sweep, seen: Sequence[tuple[float, Outcome]]) -> dict[str, object]:
    """The smallest size of a mistake that was seen, with all larger ones seen as well."""
    found = None
    for size, outcome in sorted(seen, key=lambda pair: -pair[0]):
        if not outcome.detected:
            break
        found = size
    return {"fault": sweep.name, "network": sweep.network, "smallest_seen": found, "tried": [size for size, _ in seen]}
