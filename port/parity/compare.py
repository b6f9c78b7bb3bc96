"""Two traces side by side: every site of the reference is judged, and nothing that was not compared counts as equal."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from port.models.speed import NONE
from port.parity.decisions import DecisionCount, judge_decision
from port.parity.measure import EXTRA, Row, difference, error_ratio, finite, mismatch, rms
from port.parity.ratio import judge_row
from port.parity.tolerance import Tolerances
from port.parity.trace import Trace

BESIDE = (2e-5, 1e-4, 1e-3)  # fixed limits told beside the verdict
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

    def beside(self) -> list[dict[str, object]]:
        """How many values other rules in use would have passed: told, never judged by."""
        measured = [row.relative for row in self.rows if row.relative is not None]
        return [{"rule": f"max|a-b| <= {limit:g} x rms", "passed": sum(value <= limit for value in measured)}
                for limit in BESIDE]  # fmt: skip

    def summary(self, key: Callable[[Row], float | None]) -> dict[str, object]:
        """For report.json."""
        worst = self.worst(key)
        return {
            "verdict": "pass" if self.passed else "fail",
            "limit": self.limit,
            "sites": len(self.rows) + len(self.skipped),
            "compared": len(self.rows),
            "identical": sum(row.identical for row in self.rows),
            "beside": self.beside(),
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
    return surrounding(name.partition(":in")[0], called) or "the network"


def surrounding(module: str, called: frozenset[str]) -> str:
    """The nearest module around one that is itself called; empty where there is none."""
    parent = module.rpartition(".")[0]
    while parent and parent not in called:
        parent = parent.rpartition(".")[0]
    return parent


NOT_ALONE = "a step that is compared along the network only: its modules were not computed again in float64"


def compare_modules(
    reference: Trace, truth: Trace, exact: Trace, forced: Trace, limits: Tolerances, sources: Mapping[str, str]
) -> Stage:
    """Every module and value fed with the reference's values, judged by its error against float64 on the same inputs.

    truth  the float64 run along the whole network: margins of decisions
    exact  the float64 run from the reference's values, of the steps stored whole
    """
    stage = Stage("modules", ratio_in_words(limits))
    for row in _rows(reference, forced, sources, stage):
        site = reference.sites.get(row.site)
        alone = row.kind == "decision" or row.site in exact.sites
        if site is not None and site.whole is None:
            stage.skipped.append((row.site, "module inside a step whose tensors were not stored whole"))
        elif row.reason is None and not alone:
            stage.skipped.append((row.site, NOT_ALONE))
        else:
            stage.rows.append(row)
            if row.reason is None:
                _judge_alone(row, reference, truth, exact, forced, limits, stage)
    return stage


def ratio_in_words(limits: Tolerances) -> str:
    """What is asked of a value computed from the reference's inputs."""
    return f"error against float64 <= {limits.ratio_rms:g} x the reference's own (rms), {limits.ratio_largest:g} x (largest)"


def _judge_alone(row: Row, reference, truth, exact, forced, limits: Tolerances, stage: Stage) -> None:
    if row.kind == "decision":
        _decide(row, reference, truth, forced, limits, stage, same_source=True)
    else:
        judge_row(row, reference, forced, exact, limits)


def compare_accumulated(
    reference: Trace, truth: Trace, imposed: Trace, limits: Tolerances, sources: Mapping[str, str]
) -> Stage:
    """The whole network, decisions imposed: every site's error against float64, over the reference's own error."""
    limit = limits.ratio_rms
    stage = Stage("accumulated", f"rms error against float64 <= {limit:g} x the reference's own")
    for row in _rows(reference, imposed, sources, stage):
        stage.rows.append(row)
        row.reason = row.reason or _unfit(reference, truth, row.site)
        if row.reason is not None:
            continue
        if row.kind == "decision":
            _decide(row, reference, truth, imposed, limits, stage)
            continue
        a, b, exact = (trace.samples(row.site) for trace in (reference, imposed, truth))
        difference(row, a, b, reference.sites[row.site].rms)
        row.identical = reference.sites[row.site].hash == imposed.sites[row.site].hash
        row.ratio = error_ratio(a, b, exact, limits.ratio_floor_eps)
        own = rms(a - exact.astype(np.float64))
        if not own <= limits.reference_own_error * rms(exact):
            row.reason = (
                f"no judgement: the reference's own rounding is {own / rms(exact):.2g} x rms, it is not stable here"
            )
        elif not row.ratio <= limit:
            row.reason = f"errs {row.ratio:.3g} times as much as the reference, limit {limit:g}"
    return stage


def _unfit(reference: Trace, truth: Trace, site: str) -> str | None:
    """Why the float64 run says nothing about a site, or None."""
    missing = mismatch(reference.sites[site], truth.sites.get(site), check_dtype=False)
    return f"the float64 run does not fit the reference: {missing.replace('the port', 'it')}" if missing else None


def compare_compiled(
    reference: Trace, truth: Trace, imposed: Trace, compiled: Trace, limits: Tolerances, sources: Mapping[str, str]
) -> Stage:
    """The port as `infer` runs it beside its eager run, the same decisions imposed on both; judged as the eager run is.

    max_abs and relative are those between compiled and eager, the ratio is that of the compiled run's error against float64.
    """
    ways = ", ".join(way for way in compiled.about.get("ways", ()) if way != NONE)
    stage = Stage(
        "compiled",
        f"rms error of the run as infer makes it{f' ({ways})' if ways else ''} against float64 <= {limits.ratio_rms:g} x the "
        "reference's own",
    )
    visible = [site.name for site in imposed.sites.values() if site.kind == "value" and site.name in reference.sites]
    for row in _rows(imposed, compiled, sources, stage, visible):
        stage.rows.append(row)
        row.reason = row.reason or mismatch(reference.sites[row.site], compiled.sites[row.site])
        row.reason = row.reason or _unfit(reference, truth, row.site)
        if row.reason is None:
            difference(row, imposed.samples(row.site), compiled.samples(row.site), imposed.sites[row.site].rms)
            row.identical = imposed.sites[row.site].hash == compiled.sites[row.site].hash
            _judge_compiled(row, *(trace.samples(row.site) for trace in (reference, compiled, truth)), limits)
    _compare_outputs(stage, reference, truth, imposed, compiled, limits)
    stage.skipped = [(site.name, "inside a compiled part, where no hook fires") for site in imposed.sites.values()
                     if site.kind in ("input", "output")]  # fmt: skip
    return stage


def _judge_compiled(row: Row, a: np.ndarray, b: np.ndarray, exact: np.ndarray, limits: Tolerances) -> None:
    row.ratio = error_ratio(a, b, exact, limits.ratio_floor_eps)
    if not row.ratio <= limits.ratio_rms:
        row.reason = f"as infer runs it, it errs {row.ratio:.3g} times as much as the reference, limit {limits.ratio_rms:g}"


def _compare_outputs(stage: Stage, reference, truth, imposed, compiled, limits: Tolerances) -> None:
    """All frames in full; the sites before them by their samples."""
    row = Row(float(len(stage.rows)), "end/frames", "output", "the network")
    stage.rows.append(row)
    expected, exact, eager, b = (trace.output() for trace in (reference, truth, imposed, compiled))
    if any(frames is None or frames.shape != expected.shape for frames in (exact, eager, b)):
        row.reason = "one of the runs gave no frames, or frames of another shape"
        return
    difference(row, eager, b, rms(eager))
    row.identical = row.max_abs == 0
    _judge_compiled(row, expected, b, exact, limits)


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
            yield Row(last + 0.5, name, site.kind, module_of(name, called, sources), reason=EXTRA)


def _decide(
    row: Row, reference: Trace, truth: Trace, port: Trace, limits: Tolerances, stage: Stage, same_source: bool = False
) -> None:
    name = row.site.partition("/")[2].partition("#")[0]
    count = stage.decisions.setdefault(name, DecisionCount(name))
    judge_decision(row, reference, truth, port, limits, count, same_source)


def coverage(modules: Stage, accumulated: Stage) -> dict[str, object]:
    """How many sites were compared in one stage or the other, and all that were not, by reason."""
    compared = {row.site for stage in (modules, accumulated) for row in stage.rows if row.max_abs is not None}
    total = {row.site for stage in (modules, accumulated) for row in stage.rows} | {site for site, _ in modules.skipped}
    missing = [(row.site, row.reason or "not compared") for row in accumulated.rows if row.site not in compared]
    return {
        "sites_total": len(total),
        "sites_compared": len(compared),
        "skipped": by_reason(missing),
        "fed_with_reference_inputs": len(modules.rows),
        "only_accumulated": len(modules.skipped),
    }


def stage_coverage(stage: Stage) -> dict[str, object]:
    """How many sites of one stage were compared, and everything that was not, by reason."""
    return {
        "sites_total": len(stage.rows) + len(stage.skipped),
        "sites_compared": sum(row.max_abs is not None or row.identical for row in stage.rows),
        "skipped": by_reason(stage.skipped),
    }


def by_reason(skipped: Sequence[tuple[str, str]]) -> list[dict[str, object]]:
    """(site, why) -> one entry per reason, with the first sites."""
    reasons: dict[str, list[str]] = {}
    for site, why in skipped:
        reasons.setdefault(why, []).append(site)
    return [{"reason": why, "count": len(sites), "sites": sites[:LISTED]} for why, sites in reasons.items()]


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
                "fed_ratio": finite(alone.ratio) if alone else None,
                "accumulated": finite(row.relative),
                "ratio": finite(row.ratio),
                "reason": (alone.reason if alone else None) or row.reason,
            }
        )
    return entries
