"""report.html of a pair of networks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from port.parity.compare import Stage
from port.parity.pair_verify import Compared
from port.parity.tolerance import Tolerances
from port.report import summary, words
from port.report.diff import diff_lines
from port.report.sections import coverage_gaps, kernel_gap_lines, shared_view
from port.report.template import render

UNTRAINED = "Training was not compared: the pair names no optimiser."


@dataclass(frozen=True)
class StageLine:
    """One stage in a table. first: the first site that fails; worst: where the ratio is largest, or one that has none"""

    name: str
    meaning: str
    passed: bool
    compared: int
    total: int
    failing: int
    noted: int
    ratio: str
    worst: str | None
    first: str | None


def build_pair_view(report: Mapping, compared: Compared, limits: Tolerances) -> dict[str, Any]:
    """All that page and Markdown show."""
    decisions = summary.all_decisions(report)
    return {
        **shared_view(report, compared.stages, compared.causes, limits),
        "report": report,
        "model": report["model"],
        "passed": report["verdict"] == "pass",
        "sentence": verdict_sentence(report),
        "reference": words.framework(report["environment"]["reference"]),
        "port": words.framework(report["environment"]["port"]),
        "stages": stage_lines(report),
        "broken": broken_off(report),
        "noted": [{"stage": name, **row} for name, stage in report["stages"].items() for row in stage["excused"]],
        "noted_total": sum(line.noted for line in stage_lines(report)),
        "limit": f"{limits.ratio_rms:g}",
        "decisions": decisions,
        "decisions_sentence": decisions_sentence(decisions, compared.stages),
        "gaps": gaps(report),
        "kernel_gaps": kernel_gap_lines(report),
        "partly": partly(report),
        "diff": diff_lines(report["diff"]) if "diff" in report else [],
    }  # fmt: skip


def render_pair_page(view: Mapping[str, Any]) -> str:
    """The page as text."""
    return render("pair_page.html.j2", **view)


def partly(report: Mapping) -> list[str]:
    """What a verdict on a part of the sites leaves open, in a sentence; nothing where all was judged."""
    left = report.get("selection", {}).get("left_out")
    if not left:
        return []
    said = "Passed what was compared" if report["verdict"] == "pass" else "Only a part was compared"
    said = said if report["coverage"]["sites_compared"] else "Nothing was compared"
    return [f"{said}; left out: {words.one_line(left, 1000)}."]


def verdict_sentence(report: Mapping) -> str:
    """The verdict in one sentence."""
    covered = report["coverage"]
    if not covered["sites_compared"]:
        return "Nothing was compared, so nothing is proved."
    if report["verdict"] == "pass":
        left = covered["sites_total"] - covered["sites_compared"]
        rest = f"; {words.count(left)} were not compared, each with its reason" if left else ""
        return (f"The port computes what the reference computes: none of {words.count(covered['sites_compared'])} values "
                f"in {len(report['stages'])} stages errs more than rounding explains{rest}.")  # fmt: skip
    causes = report["root_causes"]
    where = [
        f"{words.one_line(cause['module'], 60) or 'the network itself'} ({cause['stage']})" for cause in causes[:3]
    ]
    if not where:
        failed = ", ".join(name for name, stage in report["stages"].items() if stage["verdict"] != "pass")
        return f"The port does not compute what the reference computes: no module alone is to blame, but it fails in {failed}."
    many = f"{len(causes)} root causes" if len(causes) > 1 else "the root cause is"
    more = f" and {len(causes) - 3} more" if len(causes) > 3 else ""
    return f"The port does not compute what the reference computes: {many}{',' * (len(causes) > 1)} {', '.join(where)}{more}."


def broken_off(report: Mapping) -> list[tuple[str, str]]:
    """(stages, message) of runs of the port that did not come to their end, each message once."""
    found: dict[str, list[str]] = {}
    for name, stage in report["stages"].items():
        if stage["broke_off"]:
            found.setdefault(words.first_paragraph(stage["broke_off"]), []).append(name)
    return [(", ".join(names), why) for why, names in found.items()]


def stage_lines(report: Mapping) -> list[StageLine]:
    """One line of figures per stage."""
    return [stage_line(name, stage, report["coverage"]["stages"][name]) for name, stage in report["stages"].items()]


def stage_line(name: str, stage: Mapping, covered: Mapping) -> StageLine:
    """A failing site without a number (missing, of another shape, not finite) counts as worse than any that passes."""
    worst, failing = stage["worst"], stage["failing"]
    if failing and (worst is None or worst["reason"] is None):
        worst = failing[0]
    ratio = words.NOTHING
    if worst:
        ratio = "no number" if worst["error_ratio"] is None else words.figure(worst["error_ratio"])
    return StageLine(
        name,
        words.PAIR_STAGES.get(name, ""),
        passed=stage["verdict"] == "pass",
        compared=covered["sites_compared"],
        total=covered["sites_total"],
        failing=stage["failing_total"],
        noted=stage.get("excused_total", len(stage["excused"])),
        ratio=ratio,
        worst=worst["site"] if worst else None,
        first=failing[0]["site"] if failing else None,
    )


def decisions_sentence(entries: list[dict], stages: Mapping[str, Stage]) -> str:
    """The discrete choices of all stages in one sentence."""
    if entries:
        total, differ = (sum(entry[key] or 0 for entry in entries) for key in ("total", "disagreeing"))
        beyond = sum(entry["beyond_margin"] or 0 for entry in entries)
        tail = f"; {words.count(beyond)} of them by more than float32 error explains" if differ else ""
        return f"{words.count(differ)} of {words.count(total)} discrete choices differ{tail}."
    rows = [row for stage in stages.values() for row in stage.rows if row.kind == "decision"]
    if not rows:
        return "The network has no discrete site: no arg-max, rounding or other choice was recorded."
    wrong = sum(bool(row.reason) for row in rows)
    return (f"{words.count(len(rows))} comparisons of discrete sites were made choice by choice, without margins: "
            f"{words.count(wrong)} of them differ.")  # fmt: skip


def gaps(report: Mapping) -> list[str]:
    """What was not compared and has no stage to be listed in; that everything was, if it was."""
    not_run = report.get("selection", {}).get("not_run", {})
    notes = [*report.get("notes", ()), *(f"{name}: {why}" for name, why in not_run.items())]
    if not any("training" in name for name in [*report["stages"], *notes]):
        return [UNTRAINED, *notes]
    return notes or ([] if coverage_gaps(report) else ["Everything was compared."])
