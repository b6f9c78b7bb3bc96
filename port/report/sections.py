"""The parts that every report has: root causes with their evidence, call tree, chart, decisions, coverage, environment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup

from port.diagnose.labels import LABELS
from port.parity.causes import Cause
from port.parity.compare import Stage
from port.parity.tolerance import Tolerances
from port.report import summary, words
from port.report.charts import DARK, LIGHT
from port.report.evidence import Shown, show_evidence
from port.report.heatmap import draw_heatmap
from port.report.ratio_chart import draw_ratios
from port.report.template import script
from port.report.tree import as_json, tree_data

THEMES = {"light": LIGHT, "dark": DARK}
DRAWN = 12  # causes whose error is drawn: pictures of a hundred would make the page slow
NETWORK = "the network itself"
COMMAND = "command"  # entry of an environment that is no property of the machine


@dataclass(frozen=True)
class CauseView:
    """One root cause as shown. pictures: the error of one slice by theme, empty where there is none"""

    number: int
    module: str
    stage: str
    site: str
    reason: str
    ratio: str
    limit: str
    sites: int
    also: list[str]
    label: str
    meaning: str
    says: str
    suggestion: str
    alternatives: list[str]
    evidence: Shown | None = None
    pictures: dict[str, bytes] = field(default_factory=dict)


def cause_views(report: Mapping, causes: Sequence[Cause], limits: Tolerances) -> list[CauseView]:
    """Root causes in the report's order. causes: the same with their evidence; without them the pages show less"""
    listed = report.get("root_causes") or []
    held = list(causes) if len(causes) == len(listed) else [None] * len(listed)
    return [cause_view(number, entry, cause, report, limits)
            for number, (entry, cause) in enumerate(zip(listed, held, strict=True), 1)]  # fmt: skip


def cause_view(number: int, entry: Mapping, cause: Cause | None, report: Mapping, limits: Tolerances) -> CauseView:
    evidence = show_evidence(cause.evidence, limits) if cause else None
    pictures = {}
    if evidence and evidence.slice and number <= DRAWN:
        pictures = {kind: draw_heatmap(evidence.slice, theme) for kind, theme in THEMES.items()}
    ratio = first_ratio(entry, cause)
    return CauseView(
        number,
        module=entry["module"] or NETWORK,
        stage=entry["stage"],
        site=entry["site"],
        reason=entry["reason"] or "",
        ratio=words.figure(ratio) if ratio is not None else "",
        limit=stage_limit(entry["stage"], report, limits),
        sites=entry.get("sites", 1),
        also=list(entry.get("also", [])),
        label=str(entry.get("diagnosis") or "unknown"),
        meaning=LABELS.get(str(entry.get("diagnosis")), ""),
        says=str(entry.get("says") or ""),
        suggestion=str(entry.get("suggestion") or ""),
        alternatives=[str(label) for label in entry.get("alternatives", []) if label != entry.get("diagnosis")],
        evidence=evidence,
        pictures=pictures,
    )


def first_ratio(entry: Mapping, cause: Cause | None) -> float | None:
    """Of the first wrong site; the report by itself knows the largest of the cause only."""
    return cause.first.ratio if cause else entry.get("ratio")


def stage_limit(stage: str, report: Mapping, limits: Tolerances) -> str:
    """What was asked at the site, in words."""
    held = report["stages"].get(stage, {}).get("limit")
    return str(held) if held else f"at most {limits.ratio_rms:g} times the reference's own error"


def shared_view(
    report: Mapping, stages: Mapping[str, Stage], causes: Sequence[Cause], limits: Tolerances
) -> dict[str, Any]:
    """All that the pages' shared parts show. stages, causes: may be empty, then there is no tree and no evidence"""
    views = cause_views(report, causes, limits)
    text, digest = script("tree.js") if stages else (Markup(""), "")
    wrong = views[0].site if views else None
    return {
        "root_causes": views,
        "tree": Markup(as_json(tree_of(report, stages))) if stages else None,
        "tree_script": text,
        "script_hash": digest,
        "ratio_charts": {kind: draw_ratios(stages, limits.ratio_rms, theme, wrong) for kind, theme in THEMES.items()},
        "coverage_rows": coverage_rows(report),
        "coverage_gaps": coverage_gaps(report),
        "environment": [line for line in summary.environment(report) if line[0] != COMMAND],
        "commands": commands(report),
    }


def tree_of(report: Mapping, stages: Mapping[str, Stage]) -> dict[str, list]:
    """The tree's data, and which of its sites are root causes."""
    causes = [[entry["stage"], words.one_line(entry["site"])] for entry in report.get("root_causes") or []]
    return {**tree_data(stages), "causes": causes}


def coverage_rows(report: Mapping) -> list[dict[str, Any]]:
    """Per stage how many sites there are, how many were compared, how many are the same bits."""
    rows = []
    for name, covered in report["coverage"].get("stages", {}).items():
        stage = report["stages"].get(name, {})
        total, compared = covered["sites_total"], covered["sites_compared"]
        rows.append({"name": name, "total": total, "compared": compared, "left": total - compared,
                     "identical": stage.get("identical")})  # fmt: skip
    return rows


def coverage_gaps(report: Mapping) -> list[dict[str, Any]]:
    """Everything that was not compared: stage, reason, count, the first sites; failing sites without a number included."""
    gaps = [{"stage": name, **entry} for name, covered in report["coverage"].get("stages", {}).items()
            for entry in covered["skipped"]]  # fmt: skip
    for row in coverage_rows(report):
        listed = sum(gap["count"] for gap in gaps if gap["stage"] == row["name"])
        if (unmeasured := row["left"] - listed) > 0:
            failing = report["stages"].get(row["name"], {}).get("failing", [])
            sites = [entry["site"] for entry in failing if entry["max_abs"] is None]
            reason = "fails without a number: missing on one side, of another shape or type, NaN"
            gaps.append({"stage": row["name"], "reason": reason, "count": unmeasured, "sites": sites})
    return gaps


def commands(report: Mapping) -> dict[str, Any]:
    """How the report was made: all of it, and each side by itself."""
    sides = [(side, as_module(environment[COMMAND])) for side, environment in report["environment"].items()
             if environment.get(COMMAND)]  # fmt: skip
    return {"again": report.get("command"), "sides": sides}


def as_module(command: str) -> str:
    """A run started by `python -m` as one can start it again: the interpreter replaces the module's name by its path."""
    first, space, rest = str(command).partition(" ")
    path = Path(first)
    return f"python -m {path.parent.name}.{path.stem}{space}{rest}" if path.suffix == ".py" else str(command)


def kernel_gap_lines(report: Mapping) -> list[str]:
    """One sentence per operator whose kernel is known to err, and did."""
    return [
        f"{words.one_line(gap['op'])} of MindSpore {words.one_line(gap['version'])} (catalogue {gap['entry']}): errs by up to "
        f"{gap['measured']:.2g}, bound {gap['bound']:.2g}, at {len(gap['sites'])} sites (first: "
        f"{words.one_line(gap['sites'][0])}). Passed, for it is no mistake of the port. Instead: "
        f"{words.one_line(gap['instead'])}"
        for gap in report.get("kernel_gaps", ())
    ]
