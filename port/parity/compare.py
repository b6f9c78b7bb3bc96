"""Two traces side by side: every site of the reference is judged, and nothing that was not compared counts as equal."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from port.parity.decisions import DecisionCount, judge_decision
from port.parity.measure import Row, difference, error_ratio, finite, mismatch, rms
from port.parity.tolerance import Tolerances
from port.parity.trace import Trace

LISTED = 50  # failing rows written out in the report; all are counted


@dataclass
class Stage:
    """One kind of comparison over all sites it applies to."""

    name: str
    limit: str  # in words
    rows: list[Row] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)  # (site, why)
    decisions: dict[str, DecisionCount] = field(default_factory=dict)
    broke_off: str | None = None
    cuts: list[tuple[str, str]] = field(default_factory=list)  # (site, module) where the port alone stops the gradient

    @property
    def failing(self) -> list[Row]:
        """In execution order."""
        return sorted((row for row in self.rows if row.reason), key=lambda row: row.order)

    @property
    def passed(self) -> bool:
        """An empty comparison has not passed, nor has a run that broke off."""
        return bool(self.rows) and not self.failing and self.broke_off is None

    def worst(self, key: Callable[[Row], float | None]) -> Row | None:
        """The row with the largest `key` among those that have one."""
        measured = [row for row in self.rows if key(row) is not None]
        return max(measured, key=key, default=None)

    def summary(self, key: Callable[[Row], float | None]) -> dict[str, object]:
        """For report.json."""
        worst = self.worst(key)
        return {
            "verdict": "pass" if self.passed else "fail",
            "limit": self.limit,
            "sites": len(self.rows) + len(self.skipped),
            "compared": len(self.rows),
            "identical": sum(row.identical for row in self.rows),
            "worst": worst.as_dict() if worst else None,
            "excused_total": sum(bool(row.note) and not row.reason for row in self.rows),
            "excused": [row.as_dict() for row in self.rows if row.note and not row.reason][:LISTED],
            "failing_total": len(self.failing),
            "failing": [row.as_dict() for row in self.failing[:LISTED]],
            "broke_off": self.broke_off,
            "decisions": [count.as_dict() for count in self.decisions.values()],
        }


def module_of(site: str, called: frozenset[str], sources: Mapping[str, str]) -> str:
    """Whom a wrong value is to be blamed on when everything it was computed from is right.

    A module's output: the module. Its input: the module around it that put the input together, which is the nearest one
    that is itself called (a list of modules is not). A named value: its source as the network's table has it.
    """
    name = site.partition("/")[2].partition("#")[0]
    if name.endswith(":out"):
        return name.removesuffix(":out")
    if ":in" not in name:
        return sources.get(name, name)
    module = name.partition(":in")[0]
    parent = module.rpartition(".")[0]
    while parent and parent not in called:
        parent = parent.rpartition(".")[0]
    return f"{parent or 'the network'} (what goes into {module})"


def compare_modules(
    reference: Trace, truth: Trace, forced: Trace, limits: Tolerances, sources: Mapping[str, str]
) -> Stage:
    """Every module and step fed with the reference's values: whole tensors, largest difference over rms."""
    limit = limits.module_max_over_rms
    words = f"max|a-b| <= {limit:g} x rms(a), each fed with the reference's values; where the reference itself rounds further"
    words += f" off, at most {limits.module_own_error_ratio:g} x its own largest error against float64"
    stage = Stage("modules", words)
    for row in _rows(reference, forced, sources, stage):
        site = reference.sites.get(row.site)
        if site is not None and site.whole is None:
            stage.skipped.append((row.site, "module inside a step whose tensors were not stored whole"))
            continue
        stage.rows.append(row)
        if row.reason is not None:
            continue
        if row.kind == "decision":
            _decide(row, reference, truth, forced, limits, stage, same_source=True)
        elif site.hash == forced.sites[row.site].hash:
            row.identical, row.max_abs, row.relative = True, 0.0, 0.0
        else:
            a = reference.whole(row.site)
            difference(row, a, forced.whole(row.site), rms(a))
            if not row.relative <= limit:
                row.reason = f"differs by {row.relative:.3g} x rms, limit {limit:g}"
    return stage


def judge_rounding(stage: Stage, reference: Trace, forced: Trace, exact: Trace, limits: Tolerances) -> None:
    """Second look at modules beyond the fixed limit: against float64 on the same inputs, who errs?

    A row passes after all if the port's largest error is within `own_error_ratio` of the reference's own; its note says so.
    """
    for row in stage.failing:
        if row.site not in exact.sites or row.relative is None:
            continue
        truth, a, b = (trace.whole(row.site).astype(np.float64) for trace in (exact, reference, forced))
        own, error, scale = np.abs(a - truth).max(), np.abs(b - truth).max(), rms(truth)
        row.ratio = float(error / own) if own else None
        row.note = f"largest error against float64: port {error / scale:.2g}, reference {own / scale:.2g} x rms"
        if own and error <= limits.module_own_error_ratio * own:
            row.note += f"; {row.reason}, excused: the reference itself rounds as far"
            row.reason = None


def compare_accumulated(
    reference: Trace, truth: Trace, imposed: Trace, limits: Tolerances, sources: Mapping[str, str]
) -> Stage:
    """The whole network, decisions imposed: every site's error against float64, over the reference's own error."""
    limit = limits.accumulated_ratio
    stage = Stage("accumulated", f"rms error against float64 <= {limit:g} x the reference's own")
    for row in _rows(reference, imposed, sources, stage):
        stage.rows.append(row)
        if row.reason is None and (missing := mismatch(reference.sites[row.site], truth.sites.get(row.site), False)):
            row.reason = f"the float64 run does not fit the reference: {missing.replace('the port', 'it')}"
        if row.reason is not None:
            continue
        if row.kind == "decision":
            _decide(row, reference, truth, imposed, limits, stage)
            continue
        a, b, exact = (trace.samples(row.site) for trace in (reference, imposed, truth))
        difference(row, a, b, reference.sites[row.site].rms)
        row.identical = reference.sites[row.site].hash == imposed.sites[row.site].hash
        row.ratio = error_ratio(a, b, exact, limits.accumulated_floor_eps)
        own = rms(a - exact.astype(np.float64))
        if not own <= limits.reference_own_error * rms(exact):
            row.reason = (
                f"no judgement: the reference's own rounding is {own / rms(exact):.2g} x rms, it is not stable here"
            )
        elif not row.ratio <= limit:
            row.reason = f"errs {row.ratio:.3g} times as much as the reference, limit {limit:g}"
    return stage


def compare_compiled(imposed: Trace, compiled: Trace, limits: Tolerances, sources: Mapping[str, str]) -> Stage:
    """The port's compiled parts against its eager run, the same decisions imposed on both."""
    limit = limits.compiled_max_over_rms
    stage = Stage("compiled", f"max|eager-compiled| <= {limit:g} x rms")
    visible = [site for site in imposed.sites.values() if site.kind == "value"]
    for row in _rows(imposed, compiled, sources, stage, [site.name for site in visible]):
        stage.rows.append(row)
        if row.reason is None:
            difference(row, imposed.samples(row.site), compiled.samples(row.site), imposed.sites[row.site].rms)
            row.identical = imposed.sites[row.site].hash == compiled.sites[row.site].hash
            if not row.relative <= limit:
                row.reason = f"compiled differs from eager by {row.relative:.3g} x rms, limit {limit:g}"
    _compare_outputs(stage, imposed.output(), compiled.output(), limit)
    stage.skipped = [(site.name, "inside a compiled part, where no hook fires") for site in imposed.sites.values()
                     if site.kind in ("input", "output")]  # fmt: skip
    return stage


def _compare_outputs(stage: Stage, eager: np.ndarray | None, compiled: np.ndarray | None, limit: float) -> None:
    """All frames in full; the sites before them by their samples."""
    row = Row(float(len(stage.rows)), "end/frames", "output", "the network")
    stage.rows.append(row)
    if eager is None or compiled is None or eager.shape != compiled.shape:
        row.reason = "one of the two runs gave no frames, or frames of another shape"
        return
    difference(row, eager, compiled, rms(eager))
    row.identical = row.max_abs == 0
    if not row.relative <= limit:
        row.reason = f"compiled differs from eager by {row.relative:.3g} x rms, limit {limit:g}"


def count_free_decisions(
    reference: Trace, truth: Trace, free: Trace, limits: Tolerances, sources: Mapping[str, str]
) -> Stage:
    """The choices of the free run that differ from the reference's, with their float64 margins; counted, not judged.

    A location carried along from an earlier step counts at every step it reaches.
    """
    stage = Stage("free decisions", "counted")
    names = [site.name for site in reference.sites.values() if site.kind == "decision"]
    for row in _rows(reference, free, sources, stage, names):
        stage.rows.append(row)
        if row.reason is None:
            _decide(row, reference, truth, free, limits, stage)
            row.reason = None
    return stage


def _rows(reference: Trace, port: Trace, sources: Mapping[str, str], stage: Stage, names: list[str] | None = None):
    """A row for every site of the reference (or those named), then for those that only the port has.

    Sites that cannot be compared come with a reason. A run that broke off is noted in the stage.
    """
    stage.broke_off = port.about.get("error")
    order = {name: float(i) for i, name in enumerate(reference.sites)}
    called = frozenset(name.partition("/")[2].partition(":")[0] for name in reference.sites if ":" in name)
    for name in names if names is not None else reference.sites:
        site = reference.sites[name]
        reason = mismatch(site, port.sites.get(name))
        yield Row(order[name], name, site.kind, module_of(name, called, sources), reason=reason)
    last = -1.0
    for name, site in port.sites.items() if names is None else ():
        last = order.get(name, last)
        if name not in order:
            yield Row(last + 0.5, name, site.kind, module_of(name, called, sources), reason="only in the port")


def _decide(
    row: Row, reference: Trace, truth: Trace, port: Trace, limits: Tolerances, stage: Stage, same_source: bool = False
) -> None:
    name = row.site.partition("/")[2].partition("#")[0]
    count = stage.decisions.setdefault(name, DecisionCount(name))
    judge_decision(row, reference, truth, port, limits, count, same_source)


def compare_weights(
    reference: Mapping[str, dict], port: Mapping[str, dict], rename: Callable[[str], str]
) -> dict[str, object]:
    """What the two networks hold, bit for bit. name -> {shape, dtype, sha256}; rename: reference name -> port name"""
    differing = []
    expected = {rename(name): (name, entry) for name, entry in reference.items()}
    for renamed, (name, entry) in expected.items():
        held = port.get(renamed)
        if held is None:
            differing.append({"name": name, "reason": f"missing in the port (expected as {renamed})"})
        elif held != entry:
            what = next(key for key in ("shape", "dtype", "sha256") if held[key] != entry[key])
            differing.append(
                {"name": name, "reason": f"{what} {held[what]} in the port, {entry[what]} in the reference"}
            )
    differing += [{"name": name, "reason": "only in the port"} for name in port if name not in expected]
    return {
        "verdict": "fail" if differing or not reference else "pass",
        "tensors": len(reference),
        "bit_equal": len(reference) - sum(entry["reason"] != "only in the port" for entry in differing),
        "differing": differing[:LISTED],
        "differing_total": len(differing),
    }


def first_divergence(modules: Stage, accumulated: Stage) -> dict[str, object] | None:
    """The earliest site wrong on right inputs; failing that, the earliest that errs more than it may."""
    for stage in (modules, accumulated):
        if stage.failing:
            return {"stage": stage.name, **stage.failing[0].as_dict()}
    return None


def coverage(modules: Stage, accumulated: Stage) -> dict[str, object]:
    """How many sites were compared in one stage or the other, and all that were not, by reason."""
    compared = {row.site for stage in (modules, accumulated) for row in stage.rows if row.max_abs is not None}
    total = {row.site for stage in (modules, accumulated) for row in stage.rows} | {site for site, _ in modules.skipped}
    reasons: dict[str, list[str]] = {}
    for row in accumulated.rows:
        if row.site not in compared:
            reasons.setdefault(row.reason or "not compared", []).append(row.site)
    skipped = [{"reason": why, "count": len(sites), "sites": sites[:LISTED]} for why, sites in reasons.items()]
    return {
        "sites_total": len(total),
        "sites_compared": len(compared),
        "skipped": skipped,
        "fed_with_reference_inputs": len(modules.rows),
        "only_accumulated": len(modules.skipped),
    }


def series(modules: Stage, accumulated: Stage) -> list[dict[str, object]]:
    """One entry per site in execution order, for charts and tables."""
    fed = {row.site: row for row in modules.rows}
    entries = []
    for row in sorted(accumulated.rows, key=lambda row: row.order):
        alone = fed.get(row.site)
        entries.append(
            {
                "site": row.site,
                "module": row.module,
                "fed": finite(alone.relative) if alone else None,
                "accumulated": finite(row.relative),
                "ratio": finite(row.ratio),
                "reason": (alone.reason if alone else None) or row.reason,
            }
        )
    return entries
