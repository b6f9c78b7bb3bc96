"""What the report says, independent of how it is laid out: page, Markdown and terminal all read from here."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from port.parity.tolerance import Tolerances
from port.report import words

WORST_PASSING = 20
EQUAL = "no difference"
RUNS = (("modules", "each step fed"), ("accumulated", "choices imposed"), ("end_to_end", "free run"))


@dataclass(frozen=True)
class Cause:
    """One reason for the verdict fail: where, and what is wrong there."""

    stage: str
    culprit: str
    reason: str
    site: str | None = None
    place: str = ""


@dataclass(frozen=True)
class Tile:
    """A key figure. good is None where there is nothing to judge."""

    title: str
    value: str
    note: str
    good: bool | None = None


@dataclass(frozen=True)
class StageView:
    """One stage as shown."""

    key: str
    title: str
    meaning: str
    passed: bool
    compared: int
    total: int
    identical: int
    limit: str
    figure: str
    worst_site: str | None = None
    worst_module: str | None = None
    failing: int = 0
    remarks: list[str] = field(default_factory=list)
    extra: list[tuple[str, str]] = field(default_factory=list)


def strict(value: object):
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
    """Why the verdict is fail, the site that went wrong first in front. Empty for a pass."""
    found: list[Cause] = []
    first = report["first_divergence"]
    if first:
        found.append(_row_cause(first["stage"], first))
    for key in words.STAGES:
        stage = report["stages"][key]
        if stage["verdict"] != "pass":
            found += _stage_causes(key, stage)
    known: dict[tuple, Cause] = {}
    for cause in found:  # a run that broke off says so in several stages; the first divergence stands in its stage too
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


def stage_views(report: Mapping) -> list[StageView]:
    """All stages in the order in which they build on each other."""
    stages = report["stages"]
    views = [_weights_view("weights", stages["weights"])]
    views += [_sites_view(key, stages[key]) for key in ("modules", "accumulated", "compiled")]
    return [*views, _end_view("end_to_end", stages["end_to_end"], report["input"]["frames"])]


def _weights_view(key: str, stage: Mapping) -> StageView:
    equal, total = stage["bit_equal"], stage["tensors"]
    shown = f"{words.count(equal)} of {words.count(total)} bit-equal"
    worst = stage["differing"][0]["name"] if stage["differing"] else None
    return StageView(
        key, *words.STAGES[key], stage["verdict"] == "pass", total, total, equal, "all bit-equal", shown,
        worst_site=worst, failing=stage["differing_total"], remarks=[e["reason"] for e in stage["differing"][:3]],
    )  # fmt: skip


def _end_view(key: str, stage: Mapping, frames: int) -> StageView:
    shown = words.agreement(stage["psnr_between"], stage["max_abs"])
    between = "not measurable" if shown == words.NOTHING else f"{shown} between the outputs"
    return StageView(
        key, *words.STAGES[key], stage["verdict"] == "pass", 0 if shown == words.NOTHING else frames, frames, 0,
        stage["limit"], between, failing=len(stage["reasons"]), remarks=list(stage["reasons"]), extra=_end_extra(stage),
    )  # fmt: skip


def _end_extra(stage: Mapping) -> list[tuple[str, str]]:
    """Further figures of the frames. -> (label, text)"""
    extra, largest = [], stage.get("max_abs_free")
    if largest is not None:
        between = words.agreement(stage["psnr_between_free"], largest)
        extra.append(("Running freely", f"{between}, largest difference {words.figure(largest)}"))
    if stage["psnr_delta_db"] is None:
        return extra
    pair = f"reference {words.decibel(stage['psnr_reference'], 6)}, port {words.decibel(stage['psnr_port'], 6)}"
    extra.append(("PSNR to truth", f"{pair}, difference {words.signed(stage['psnr_delta_db'], ' dB')}"))
    pair = f"reference {words.figure(stage.get('ssim_reference'), 6)}, port {words.figure(stage.get('ssim_port'), 6)}"
    extra.append(("SSIM to truth", f"{pair}, difference {words.signed(stage['ssim_delta'])}"))
    return [*extra, ("Scored on", str(stage["scored_on"]))]


def _sites_view(key: str, stage: Mapping) -> StageView:
    row = _row_to_show(stage)
    shown = _stage_figure(key, row)
    return StageView(
        key, *words.STAGES[key], stage["verdict"] == "pass", stage["compared"], stage["sites"], stage["identical"],
        stage["limit"], shown,
        worst_site=row["site"] if row and shown != EQUAL else None,
        worst_module=row["module"] if row and shown != EQUAL else None,
        failing=stage["failing_total"],
        remarks=[words.first_paragraph(stage["broke_off"])] if stage["broke_off"] else [],
    )  # fmt: skip


def _row_to_show(stage: Mapping) -> Mapping | None:
    """The worst site. One that is wrong without a number (missing, of another shape, not finite) counts as worse."""
    if stage["failing"] and (stage["worst"] is None or stage["worst"]["reason"] is None):
        return stage["failing"][0]
    return stage["worst"]


def _stage_figure(key: str, row: Mapping | None) -> str:
    if row is None:
        return "nothing was compared"
    value, unit = (
        (row["error_ratio"], "reference's error") if key == "accumulated" else (row["max_abs_over_rms"], "rms")
    )
    if value is None:
        return row["reason"] or "no number"
    return f"{words.figure(value)} x {unit}" if value else EQUAL


def tiles(report: Mapping, limits: Tolerances) -> list[Tile]:
    """The key figures."""
    stages = report["stages"]
    return [
        _between_tile(stages["end_to_end"], limits),
        _truth_tile(stages["end_to_end"], limits),
        _worst_tile("Worst module alone", "modules", stages["modules"], limits.module_max_over_rms),
        _worst_tile("Worst site along the network", "accumulated", stages["accumulated"], limits.accumulated_ratio),
        _coverage_tile(report["coverage"]),
        _weights_tile(stages["weights"]),
    ]


def _between_tile(end: Mapping, limits: Tolerances) -> Tile:
    value = words.agreement(end["psnr_between"], end["max_abs"])
    good = end["max_abs"] == 0 or (end["psnr_between"] or 0) >= limits.psnr_between_db
    note = f"choices imposed; at least {limits.psnr_between_db:g} dB asked"
    if end["max_abs"]:
        note += f"; largest difference {words.figure(end['max_abs'])}"
    return Tile("PSNR between the outputs", "not measurable" if value == words.NOTHING else value, note, good)


def _truth_tile(end: Mapping, limits: Tolerances) -> Tile:
    title, delta = "PSNR against ground truth, port \u2212 reference", end["psnr_delta_db"]
    if delta is None:
        return Tile(title, "not measured", "no ground truth, or no frames to score")
    scores = f"reference {words.decibel(end['psnr_reference'], 4)}, port {words.decibel(end['psnr_port'], 4)}"
    note = f"{scores}; at most {limits.psnr_delta_db:g} dB apart asked"
    return Tile(title, words.signed(delta, " dB"), note, abs(delta) <= limits.psnr_delta_db)


def _worst_tile(title: str, key: str, stage: Mapping, limit: float) -> Tile:
    passed, row = stage["verdict"] == "pass", _row_to_show(stage)
    if row is None:
        return Tile(title, "no number", "nothing was compared", False)
    value = row["error_ratio"] if key == "accumulated" else row["max_abs_over_rms"]
    if value is None:
        return Tile(title, "no number", f"{row['module']}: {row['reason'] or 'not measured'}", passed)
    used = f"{words.share(value, limit)} of the limit" if passed else f"limit {limit:g}"
    return Tile(title, _stage_figure(key, row), f"{row['module']}; {used}" if value else used, passed)


def _coverage_tile(coverage: Mapping) -> Tile:
    total, compared = coverage["sites_total"], coverage["sites_compared"]
    note = "every value the captures recorded"
    if compared < total:
        note = f"{words.count(total - compared)} not compared: see below"
    return Tile("Sites compared", f"{words.count(compared)} of {words.count(total)}", note, 0 < compared == total)


def _weights_tile(stage: Mapping) -> Tile:
    value = f"{words.count(stage['bit_equal'])} of {words.count(stage['tensors'])}"
    return Tile("Weights bit-equal", value, "tensors after conversion", stage["verdict"] == "pass")


def decisions(report: Mapping) -> list[dict]:
    """Discrete choices of every run, with the name of the run."""
    return [{"run": run, **entry} for key, run in RUNS for entry in report["stages"][key].get("decisions", [])]


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
    said += report["not_compared"]
    if coverage["only_accumulated"]:
        inside = words.count(coverage["only_accumulated"])
        said.append(
            f"{inside} sites alone, fed with the reference's inputs: they lie inside steps that were not stored whole, "
            "and were compared along the whole network only"
        )
    hidden = compiled["sites"] - compiled["compared"]
    if hidden > 0:
        said.append(
            f"{words.count(hidden)} sites inside compiled parts, where no hook fires; their results were compared"
        )
    return said


def failing_rows(report: Mapping) -> list[dict]:
    """Failing sites of all stages that compare sites, as far as the report lists them."""
    keys = ("modules", "accumulated", "compiled")
    return [{"stage": words.STAGES[key][0], **row} for key in keys for row in report["stages"][key]["failing"]]


def failing_total(report: Mapping) -> int:
    """How many comparisons of sites failed, listed or not."""
    return sum(report["stages"][key]["failing_total"] for key in ("modules", "accumulated", "compiled"))


def worst_passing(report: Mapping, rows: Sequence[Mapping], limits: Tolerances) -> list[dict]:
    """The sites that pass but come closest to one of the two limits along the network, the closest first."""
    failing = {row["site"] for row in failing_rows(report)}
    measured = [{**row, "used": limit_used(row, limits)} for row in rows if row["site"] not in failing]
    passing = [row for row in measured if row["used"] is not None and row["used"] <= 1]
    return sorted(passing, key=lambda row: -row["used"])[:WORST_PASSING]


def limit_used(row: Mapping, limits: Tolerances) -> float | None:
    """The larger share of its limits that a site uses up: 1 is at the limit. None if it has no number."""
    pairs = ((row.get("fed"), limits.module_max_over_rms), (row.get("ratio"), limits.accumulated_ratio))
    shares = [value / limit for value, limit in pairs if value is not None and math.isfinite(value)]
    return max(shares, default=None)


def environment(report: Mapping) -> list[tuple[str, object, object]]:
    """Both sides' environments, line by line. -> (what, reference, port)"""
    reference, port = report["environment"]["reference"], report["environment"]["port"]
    return [(key, reference.get(key), port.get(key)) for key in dict.fromkeys([*reference, *port])]
