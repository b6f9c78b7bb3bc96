"""Root causes: the modules that are wrong on right inputs, each once, with a diagnosis. Not everything that differs.

A module whose parameters differ explains what it computes; one that is wrong forward explains its own way back; and what is
wrong both ways explains the gradients of its training. So each module is listed with the first stage that shows it, and the
later ones in `also`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from port.diagnose.diagnose import diagnose
from port.diagnose.evidence import Evidence, Finding
from port.parity.cause_evidence import site_evidence, weight_evidence
from port.parity.compare import Stage
from port.parity.measure import EXTRA, MISSING, Row, finite
from port.parity.pair_compare import NETWORK
from port.parity.ratio import ALL_ZERO
from port.parity.recorder import GRADIENT
from port.parity.trace import Trace

ORDER = ("weights", "modules", "forward", "backward", "training")  # "modules": the forward stage of a clip
WAY_FORWARD = frozenset({"modules", "forward"})
RULES = frozenset({"optimizer", "optimizer_epsilon", "clip_norm"})
FED = frozenset({"update", "lr"})  # what an optimiser step is judged by: it was given the reference's gradients


@dataclass
class Cause:
    """One module at fault. `sites` are all its wrong sites of that stage, the first of them the earliest."""

    module: str
    stage: str
    rows: list[Row]
    also: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    evidence: Evidence | None = None  # what the findings were made from

    @property
    def first(self) -> Row:
        return self.rows[0]

    @property
    def telling(self) -> Row:
        """The site that the diagnosis is made from: the first where there are two values to compare, if there is one."""
        if self.stage == "backward" and self.first.reason == MISSING:
            return self.first
        return next((row for row in self.rows if row.max_abs is not None), self.rows[0])

    def as_dict(self) -> dict[str, object]:
        """For report.json."""
        best = self.findings[0] if self.findings else None
        return {
            "site": self.first.site,
            "module": self.module,
            "stage": self.stage,
            "step": self.first.step,
            "frame": self.first.as_dict()["frame"],
            "ratio": finite(max((row.ratio for row in self.rows if row.ratio is not None), default=None)),
            "reason": self.first.reason,
            "sites": len(self.rows),
            "also": self.also,
            "diagnosis": best.label if best else "unknown",
            "says": best.says if best else "",
            "suggestion": best.suggestion if best else "",
            "alternatives": [finding.label for finding in self.findings[1:3]],
        }


def find_causes(stages: Mapping[str, Stage]) -> list[Cause]:
    """stages by the names of ORDER, all judged on right inputs. -> causes in the order of stages and execution"""
    causes: dict[tuple[str, bool], Cause] = {}
    for name in ORDER:
        wrong = frozenset(module for module, _ in causes)
        for module, rows in by_module(name, stages, wrong).items():
            own = name == "training" and any(row.kind in FED for row in rows)
            if known := explained_by(module, name, own, causes):
                known.also += [name] * (name not in known.also)
            else:
                causes[module, own] = Cause(module, name, rows)
    return list(causes.values())


def by_module(name: str, stages: Mapping[str, Stage], wrong: frozenset[str]) -> dict[str, list[Row]]:
    """A stage's wrong rows in execution order under the module they are blamed on.

    wrong  modules known to be wrong from the stages before this one
    In training only updates and rates count where there are any: gradients are not fed there module by module.
    """
    if name not in stages:
        return {}
    rows = stages[name].failing
    if stages[name].broke_off:  # what a run did not come to is no fault of its own; where it broke off is
        reached = max((row.order for row in stages[name].rows if row.reason != MISSING), default=-1.0)
        rows = [row for row in rows if row.reason != MISSING or row.order < reached] or ([] if wrong else rows[:1])
    if name in WAY_FORWARD:
        rows = without_consequences(rows)
    if name == "backward":
        rows = without_echoes(rows, stages[name].cuts, wrong)
        rows = without_handed_over(rows, stages.get("forward"), wrong)
    if name == "training" and (fed := [row for row in rows if row.kind in FED]):
        rows = fed
    elif name == "training" and (still := standing_still(rows)):
        rows = still
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.module, []).append(row)
    return together(found, stages[name])


def without_consequences(rows: list[Row]) -> list[Row]:
    """Without what follows from an earlier site that one side does not have: nothing can be fed in its place.

    A module's output of another shape is a fault of its own: what the module was given could be fed.
    """
    kept, lacking = [], None
    for row in rows:
        structural = row.reason in (MISSING, EXTRA) or row.reason.startswith("shape ")
        own = row.kind == "output" and row.reason not in (MISSING, EXTRA)
        if lacking is None or row.module == lacking or not structural or own:
            kept.append(row)
        if lacking is None and row.reason in (MISSING, EXTRA):
            lacking = row.module
    return kept


def standing_still(rows: list[Row]) -> list[Row]:
    """Buffers that the first step should have moved: their module is not in training mode, and the loss follows from that."""
    return [row for row in rows if row.kind == "buffer" and ALL_ZERO in row.reason and row.site.startswith("step.00/")]


def without_echoes(rows: list[Row], cuts: list[tuple[str, str]], wrong: frozenset[str]) -> list[Row]:
    """The places where the gradient ends, then what is wrong otherwise; not all that is missing behind such a place.

    cuts   (site, module) where the port says itself that a value has no gradient
    wrong  modules that are wrong forward: one that leaves an input out sends no gradient to it, either
    Nor is a sum of gradients behind such a place a fault of its own, where one that belongs to it is missing.
    """
    silent = [row for row in rows if nothing_came(row)]
    origins = cut_rows(rows, cuts)
    first = -1.0 if origins else 0.0
    if not origins:
        origins = [row for row in silent if row.module in wrong] or silent[:1]
        origins += [row for row in silent if row not in origins and swallowed(row, rows)]
        first = min((row.order for row in origins), default=0.0)
    behind: dict[str, float] = {}  # module -> from where on its gradients lack something
    for row in silent:
        if row not in origins and row.module not in wrong and row.order > first:
            behind.setdefault(row.module, row.order)
    return origins + [
        row for row in rows
        if row not in origins and (row.module in wrong or row.order < behind.get(row.module, float("inf")))
    ]  # fmt: skip


def without_handed_over(rows: list[Row], forward: Stage | None, wrong: frozenset[str]) -> list[Row]:
    """Without gradients of named values that a module wrong forward may have been handed.

    What a module is given as an argument is seen, and its gradient fed, when it is called. What lies in an object that it is
    given is not: the gradient of such a value is only as right as the modules that run after it.
    """
    order = {row.site: row.order for row in forward.rows} if forward else {}
    last = max((row.order for row in forward.failing if row.module in wrong - {NETWORK}), default=-1.0) if forward else -1.0
    named = lambda row: ":" not in row.site and not row.site.startswith("parameters/")  # noqa: E731
    return [row for row in rows if not (named(row) and order.get(row.site.removesuffix(GRADIENT), last) < last)]


def cut_rows(rows: list[Row], cuts: list[tuple[str, str]]) -> list[Row]:
    """The wrong rows of values that the port knows to have no gradient, blamed on whoever took it from them."""
    by_site, found = {row.site: row for row in rows}, []
    for site, module in cuts:
        if row := by_site.get(site + GRADIENT):
            row.module = module
            found.append(row)
    return found


def nothing_came(row: Row) -> bool:
    """Whether the port has no gradient there, or zeros, where the reference has one."""
    return row.reason == MISSING or (row.reason or "").startswith(ALL_ZERO)


def swallowed(row: Row, rows: list[Row]) -> bool:
    """Whether a gradient went into a module, rightly, and none came out at this input."""
    call, mark, rest = row.site.removesuffix(GRADIENT).partition(":in")
    nth = f"#{rest.partition('#')[2]}" if "#" in rest else ""
    return bool(mark) and not any(other.site.startswith(f"{call}:out{nth}") for other in rows if same_call(other, nth))


def same_call(row: Row, nth: str) -> bool:
    """Whether a gradient's site belongs to the call of that number."""
    return ("#" + row.site.removesuffix(GRADIENT).partition("#")[2] if "#" in row.site else "") == nth


def together(found: dict[str, list[Row]], stage: Stage) -> dict[str, list[Row]]:
    """In training: what is wrong with every module that is trained is wrong with the optimiser, not with any of them."""
    owners = {row.module for row in stage.rows if row.kind in ("update", "lr")}
    if stage.name != "training" or len(owners) < 2 or not owners <= found.keys() | {NETWORK}:
        return found
    rows = sorted((row for rows in found.values() for row in rows), key=lambda row: row.order)
    return {NETWORK: rows}


def explained_by(module: str, stage: str, own: bool, causes: Mapping[tuple[str, bool], Cause]) -> Cause | None:
    """A cause already known that makes this one expected.

    own  wrong updates or rates: they follow the reference's gradients from the reference's parameters, so nothing that was
         wrong before explains them. Losses, gradients and buffers of a training step are reached by every earlier fault.
    """
    if own:
        return None
    if stage == "training":
        return next((cause for cause in causes.values() if cause.stage != stage), None)
    return causes.get((module, False))


def explain(cause: Cause, reference: Mapping[str, Trace], port: Mapping[str, Trace], truth: Mapping[str, Trace],
            weights: tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]) -> None:  # fmt: skip
    """Put the findings in, made from the first wrong site.

    reference, port, truth  traces by stage: what that stage compared
    weights                 name -> array of the reference and of the port
    """
    if cause.stage == "weights":
        cause.evidence = weight_evidence(cause, reference["forward"], weights)
    else:
        held = (reference[cause.stage], port[cause.stage], truth[cause.stage])
        cause.evidence = site_evidence(cause, *held, reference["forward"], weights)
    cause.findings = diagnose(cause.evidence)


def of_the_optimizer(causes: list[Cause]) -> list[Cause]:
    """Updates of another rule are one cause, of the network's optimiser: no module makes its own."""
    same = [cause for cause in causes if cause.stage == "training" and cause.findings[0].label in RULES]
    if not same or not any(row.kind == "update" for cause in same for row in cause.rows):
        return causes
    first = same[0]
    rows = sorted((row for cause in same for row in cause.rows), key=lambda row: row.order)
    merged = Cause(NETWORK, "training", rows, first.also, first.findings, first.evidence)
    return [merged if cause is first else cause for cause in causes if cause is first or cause not in same]
