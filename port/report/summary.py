"""What the report says, independent of how it is laid out: page, Markdown and terminal all read from here."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from port.parity.tolerance import Tolerances
from port.report import words

WORST_PASSING = 20
RUNS = (("modules", "each step fed"), ("accumulated", "choices imposed"), ("end_to_end", "free run"))


@dataclass(frozen=True)
class Cause:
    """One reason for the verdict fail: where, and what is wrong there."""

    stage: str
    culprit: str
    reason: str
    site: str | None = None
    place: str = ""


def strict(value: Any) -> Any:
    """The same data with None for NaN and infinity, which JSON has no numbers for."""
    if isinstance(value, Mapping):
        return {key: strict(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [strict(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def subject(report: Mapping, output_size: str) -> dict[str, str]:
    """What was verified: names, numbers and versions for the sentence under the verdict."""
    clip, environment = report["input"], report["environment"]
    return {
        "model": str(report["model"]).upper(),
        "reference": words.framework(environment["reference"]),
        "port": words.framework(environment["port"]),
        "weights": report["weights"]["file"],
        "sha256": report["weights"]["sha256"],
        "clip": clip.get("name") or "(unnamed)",
        "frames": f"{clip['frames']} frame" + "s" * (clip["frames"] != 1),
        "input_size": f"{clip['width']} x {clip['height']}",
        "output_size": output_size,
        "truth": clip.get("truth") or "",
    }


def causes(report: Mapping) -> list[Cause]:
    """Why the verdict is fail, the site that went wrong first in front; root causes stand by themselves. Empty for a pass."""
    found: list[Cause] = []
    roots = {cause["site"] for cause in report.get("root_causes") or [] if cause["site"]}
    first = report["first_divergence"]
    if first and not roots:
        found.append(_row_cause(first["stage"], first))
    for key in words.STAGES:
        stage = report["stages"][key]
        if stage["verdict"] != "pass":
            found += _stage_causes(key, stage)
    known: dict[tuple, Cause] = {}
    for cause in found:  # a run that broke off says so in several stages; the first divergence stands in its stage too
        if cause.site not in roots:
            known.setdefault((cause.site or cause.culprit, cause.reason), cause)
    return list(known.values())


def _stage_causes(key: str, stage: Mapping) -> list[Cause]:
    title = words.STAGES[key][0]
    if key == "weights":
        tensors = [Cause(title, entry["name"], entry["reason"]) for entry in stage["differing"][:3]]
        return tensors or [Cause(title, "weights", "the reference has no tensors to compare")]
    if key == "end_to_end":
        return [Cause(title, "output frames", reason) for reason in stage["reasons"]]
    found = [_row_cause(key, row) for row in stage["failing"][:1]]
    if stage["broke_off"]:
        found.append(Cause(title, "the port broke off", words.first_paragraph(stage["broke_off"])))
    return found or [Cause(title, "nothing", "no site was compared")]


def _row_cause(key: str, row: Mapping) -> Cause:
    return Cause(words.STAGES[key][0], row["module"], row["reason"], row["site"], words.place(row))


def decisions(report: Mapping) -> list[dict]:
    """Discrete choices of every run, with the name of the run."""
    found = [{"run": run, **entry} for key, run in RUNS for entry in report["stages"][key].get("decisions", [])]
    return found or all_decisions(report)


def all_decisions(report: Mapping) -> list[dict]:
    """Discrete choices of every stage that counted some, or those that the report lists as a whole; None where unknown."""
    found = [{"run": name, **entry} for name, stage in report["stages"].items() for entry in stage.get("decisions", [])]
    found = found or [{"run": entry.get("stage"), **entry} for entry in report.get("decisions", [])]
    unknown = dict.fromkeys(("total", "decided", "ambiguous", "disagreeing", "beyond_margin", "median_margin"))
    return [{**unknown, "largest_margins": [], "steps": [], **entry} for entry in found]


def decisions_sentence(entries: Sequence[Mapping]) -> str:
    """The choices of all runs in one sentence."""
    free = [entry for entry in entries if entry["run"] == "free run"]
    if not free:
        return "No choices were counted in the free run."
    total, differ = sum(entry["total"] for entry in free), sum(entry["disagreeing"] for entry in free)
    beyond = sum(entry["beyond_margin"] for entry in free)
    if not differ:
        return f"Running freely, the port made all {words.count(total)} discrete choices as the reference did."
    return (
        f"Running freely, {words.count(differ)} of {words.count(total)} discrete choices differ; "
        f"{words.count(beyond)} of them by more than float32 error explains."
    )


def gaps(report: Mapping) -> list[str]:
    """What this verification says nothing about; sites that were left out come first."""
    coverage, compiled = report["coverage"], report["stages"]["compiled"]
    said = [
        f"{words.count(entry['count'])} {'site' if entry['count'] == 1 else 'sites'}: {words.one_line(entry['reason'])}"
        for entry in coverage["skipped"]
    ]
    said += report.get("not_compared", [])
    if coverage.get("only_accumulated"):
        inside = words.count(coverage["only_accumulated"])
        said.append(
            f"{inside} sites alone, fed with the reference's inputs: they lie inside steps that were not stored whole, "
            "and were compared along the whole network only"
        )
    for key, (title, _) in words.PATCH_STAGES.items():
        for entry in coverage.get("stages", {}).get(key, {}).get("skipped", []):
            said.append(f"{title}: {words.count(entry['count'])} sites: {words.one_line(entry['reason'])}")
    hidden = compiled["sites"] - compiled["compared"]
    if hidden > 0:
        said.append(
            f"{words.count(hidden)} sites inside compiled parts, where no hook fires; their results were compared"
        )
    return said


def excused_rows(report: Mapping) -> list[dict]:
    """Sites beyond the limit that pass all the same, with the reason in their note."""
    return [
        {"stage": title, **row}
        for key, (title, _) in {**words.STAGES, **words.PATCH_STAGES}.items()
        for row in report["stages"].get(key, {}).get("excused", [])
    ]


def excused_sentence(rows: Sequence[Mapping]) -> str:
    """That some sites pass beyond the limit; empty if none does."""
    if not rows:
        return ""
    many = f"{words.count(len(rows))} sites err" if len(rows) > 1 else "1 site errs"
    return f"{many} by more than the limit and passed all the same, each for the reason in its note."


def failing_rows(report: Mapping) -> list[dict]:
    """Failing sites of all stages that compare sites, as far as the report lists them."""
    keys = ("modules", "accumulated", "compiled")
    return [{"stage": words.STAGES[key][0], **row} for key in keys for row in report["stages"][key]["failing"]]


def failing_total(report: Mapping) -> int:
    """How many comparisons of sites failed, listed or not."""
    return sum(report["stages"][key]["failing_total"] for key in ("modules", "accumulated", "compiled"))


def worst_passing(report: Mapping, rows: Sequence[Mapping], limits: Tolerances) -> list[dict]:
    """The sites within both limits that come closest to one of them, the closest first."""
    failing = {row["site"] for row in failing_rows(report)}
    measured = [{**row, "used": limit_used(row, limits)} for row in rows if row["site"] not in failing]
    passing = [row for row in measured if row["used"] is not None and row["used"] <= 1]
    return sorted(passing, key=lambda row: -row["used"])[:WORST_PASSING]


def limit_used(row: Mapping, limits: Tolerances) -> float | None:
    """The larger share of its limits that a site uses up: 1 is at the limit. None if it has no number."""
    pairs = ((row.get("fed_ratio"), limits.ratio_rms), (row.get("ratio"), limits.ratio_rms))
    shares = [value / limit for value, limit in pairs if value is not None and math.isfinite(value)]
    return max(shares, default=None)


def environment(report: Mapping) -> list[tuple[str, object, object]]:
    """Both sides' environments, line by line. -> (what, reference, port)"""
    reference, port = report["environment"]["reference"], report["environment"]["port"]
    return [(key, reference.get(key), port.get(key)) for key in dict.fromkeys([*reference, *port])]
