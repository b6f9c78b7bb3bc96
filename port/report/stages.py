"""The stages and the key figures as they are shown, the same on the page, in Markdown and in the terminal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from port.parity.tolerance import Tolerances
from port.report import words

EQUAL = "no difference"


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
    excused: int = 0
    remarks: list[str] = field(default_factory=list)
    extra: list[tuple[str, str]] = field(default_factory=list)


def stage_views(report: Mapping) -> list[StageView]:
    """All stages in the order in which they build on each other."""
    stages = report["stages"]
    views = [_weights_view("weights", stages["weights"])]
    views += [_sites_view(key, stages[key]) for key in ("modules", "accumulated", "compiled")]
    views.append(_end_view("end_to_end", stages["end_to_end"], report["input"]["frames"]))
    return views + [_sites_view(key, stages[key]) for key in words.PATCH_STAGES if key in stages]


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


def title_of(key: str) -> tuple[str, str]:
    """Title and meaning of a stage of the clip or of the patch."""
    return words.STAGES.get(key) or words.PATCH_STAGES[key]


def _sites_view(key: str, stage: Mapping) -> StageView:
    row = _row_to_show(stage)
    shown = _stage_figure(row) if row or not stage["decisions"] else _choices_figure(stage["decisions"])
    return StageView(
        key, *title_of(key), stage["verdict"] == "pass", stage["compared"], stage["sites"], stage["identical"],
        stage["limit"], shown,
        worst_site=row["site"] if row and shown != EQUAL else None,
        worst_module=row["module"] if row and shown != EQUAL else None,
        failing=stage["failing_total"],
        excused=stage.get("excused_total", 0),
        remarks=[words.first_paragraph(stage["broke_off"])] if stage["broke_off"] else [],
    )  # fmt: skip


def _row_to_show(stage: Mapping) -> Mapping | None:
    """The worst site. One that is wrong without a number (missing, of another shape, not finite) counts as worse."""
    if stage["failing"] and (stage["worst"] is None or stage["worst"]["reason"] is None):
        return stage["failing"][0]
    return stage["worst"]


def _choices_figure(decisions: Sequence[Mapping]) -> str:
    """Of a stage that holds nothing but discrete choices."""
    differ, total = (sum(entry[name] for entry in decisions) for name in ("disagreeing", "total"))
    return f"{words.count(differ)} of {words.count(total)} choices differ"


def _stage_figure(row: Mapping | None) -> str:
    if row is None:
        return "nothing was compared"
    value = row["error_ratio"]
    if value is None:
        return row["reason"] or "no number"
    beyond = ", excused" if row["note"] and not row["reason"] else ""
    return f"{words.figure(value)} x reference's error{beyond}" if value else EQUAL


def tiles(report: Mapping, limits: Tolerances) -> list[Tile]:
    """The key figures."""
    stages = report["stages"]
    return [
        _between_tile(stages["end_to_end"], limits),
        _truth_tile(stages["end_to_end"], limits),
        _worst_tile("Worst module alone", "modules", stages["modules"], limits.ratio_rms),
        _worst_tile("Worst site along the network", "accumulated", stages["accumulated"], limits.ratio_rms),
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
    value = row["error_ratio"]
    if value is None:
        return Tile(title, "no number", f"{row['module']}: {row['reason'] or 'not measured'}", passed)
    used = f"{words.share(value, limit)} of the limit" if passed else f"limit {limit:g}"
    if passed and value > limit:
        used = f"beyond the limit {limit:g}, excused: see below"
    return Tile(title, _stage_figure(row), f"{row['module']}; {used}" if value else used, passed)


def _coverage_tile(coverage: Mapping) -> Tile:
    total, compared = coverage["sites_total"], coverage["sites_compared"]
    note = "every value the captures recorded"
    if compared < total:
        note = f"{words.count(total - compared)} not compared: see below"
    return Tile("Sites compared", f"{words.count(compared)} of {words.count(total)}", note, 0 < compared == total)


def _weights_tile(stage: Mapping) -> Tile:
    value = f"{words.count(stage['bit_equal'])} of {words.count(stage['tensors'])}"
    return Tile("Weights bit-equal", value, "tensors after conversion", stage["verdict"] == "pass")
