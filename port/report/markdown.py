"""report.md: the report as a comment under a pull request, in GitHub's tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from port.report import words
from port.report.markdown_parts import LISTED, code, root_causes, table
from port.report.pictures import FrameStrip

FOLDER = "pictures"


def render_markdown(report: Mapping, view: Mapping[str, Any], strips: Sequence[FrameStrip], chart: bool) -> str:
    """The whole file. view: what `page.build_view` put together for both formats"""
    parts = [_head(view), root_causes(view["root_causes"]), _causes(view), _figures(view), _stages(view)]
    parts += [
        _excused(view),
        _gaps(view),
        _choices(view),
        _pictures(strips),
        _chart() if chart else "",
        _failing(view),
        _closest(view),
        _machines(view),
        _command(report),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(view: Mapping) -> str:
    about = view["subject"]
    verdict = "# ✅ PASS: the port computes what the reference computes"
    if not view["passed"]:
        verdict = "# ❌ FAIL: the port does not compute what the reference computes"
    return (
        f"{verdict}\n\n{about['model']} in {code(about['port'])} against {code(about['reference'])}, "
        f"weights {code(about['weights'])} (sha256 {code(about['sha256'])}), clip {code(about['clip'])}: "
        f"{about['frames']} of {about['input_size']}, enlarged to {about['output_size']}."
    )


def _causes(view: Mapping) -> str:
    if view["passed"]:
        return "**First divergence:** none."
    lines = []
    for cause in view["causes"]:
        where = f" at {code(cause.site)} ({words.one_line(cause.place)})" if cause.site else ""
        lines.append(f"- **{code(cause.culprit)}**{where}, {cause.stage.lower()}: {code(cause.reason, 300)}")
    if view["root_causes"]:
        return "**What failed, stage by stage**\n\n" + "\n".join(lines) if lines else ""
    title = "**First divergence, and what else failed**" if view["first"] else "**First divergence:** none; what failed"
    return title + "\n\n" + "\n".join(lines)


def _figures(view: Mapping) -> str:
    rows = [[tile.title, f"**{tile.value}**", code(tile.note, 220)] for tile in view["tiles"]]
    return table(("figure", "value", "note"), rows)


def _stages(view: Mapping) -> str:
    rows = []
    for stage in view["stages"]:
        mark = "✅ pass" if stage.passed else "❌ fail"
        worst = code(stage.worst_site) if stage.worst_site else words.NOTHING
        done = f"{words.count(stage.compared)} of {words.count(stage.total)}"
        rows.append([stage.title, mark, done, worst, code(stage.figure), code(stage.limit)])
    return "## Stages\n\n" + table(("stage", "verdict", "compared", "worst", "figure", "limit"), rows)


def _excused(view: Mapping) -> str:
    rows = [
        [
            code(row["site"]),
            words.figure(row["max_abs_over_rms"]),
            words.figure(row["error_ratio"]),
            code(row["note"], 250),
        ]
        for row in view["excused"][:LISTED]
    ]
    if not rows:
        return ""
    head = ("site", "x rms", "x reference's error", "why it passed")
    return f"## Passed by exception\n\n{view['excused_sentence']}\n\n" + table(head, rows)


def _gaps(view: Mapping) -> str:
    return "## Not compared\n\n" + "\n".join(f"- {code(gap, 300)}" for gap in view["gaps"])


def _choices(view: Mapping) -> str:
    head = ("run", "choice", "made", "ambiguous", "differ", "beyond margin", "median margin")
    rows = [
        [entry["run"], code(entry["name"]), words.count(entry["total"]), words.count(entry["ambiguous"]),
         words.count(entry["disagreeing"]), words.count(entry["beyond_margin"]), words.figure(entry["median_margin"])]
        for entry in view["decisions"]
    ]  # fmt: skip
    return f"## Discrete choices\n\n{view['decisions_sentence']}\n\n{table(head, rows)}".rstrip()


def _pictures(strips: Sequence[FrameStrip]) -> str:
    parts = []
    for strip in strips:
        head = [picture.title.replace("|", "\\|") for picture in strip.pictures]
        cells = [f"![{picture.kind}]({FOLDER}/{picture.file_name})" for picture in strip.pictures]
        parts.append(f"Frame {strip.frame}, {strip.chosen}. {strip.remark}\n\n" + table(head, [cells]))
    return "## Pictures\n\n" + "\n\n".join(parts) if parts else ""


def _chart() -> str:
    return (
        "## Error along the network\n\n"
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="{FOLDER}/chart-dark.png">'
        f'<img alt="error at every site in execution order" src="{FOLDER}/chart.png"></picture>'
    )


def _failing(view: Mapping) -> str:
    rows = [
        [row["stage"], code(row["site"]), code(row["module"]), code(row["reason"], 200)]
        for row in view["failing"][:LISTED]
    ]
    if not rows:
        return ""
    total = f"{words.count(view['failing_total'])} comparisons fail; the first {len(rows)} of the list:"
    return f"## Failing sites\n\n{total}\n\n" + table(("stage", "site", "module", "reason"), rows)


def _closest(view: Mapping) -> str:
    rows = []
    for row in view["worst"][:LISTED]:
        numbers = [words.figure(row[key]) for key in ("fed", "accumulated", "ratio")]
        rows.append([code(row["site"]), *numbers, words.share(row["used"], 1)])
    head = ("site", "alone, x rms", "along, x rms", "x reference's error", "of limit")
    return "## Passing sites closest to a limit\n\n" + table(head, rows) if rows else ""


def _machines(view: Mapping) -> str:
    rows = [[code(key), code(left), code(right)] for key, left, right in view["environment"]]
    return "## Environment\n\n" + table(("", "reference", "port"), rows)


def _command(report: Mapping) -> str:
    spent = ", ".join(f"{words.one_line(name)} {value:g} s" for name, value in report["seconds"].items())
    lines = [f"Made {code(report['created'])}; {spent}."]
    if report.get("command"):
        lines.append(f"Again: {code(report['command'], 2000)}")
    return "\n\n".join([*lines, "Every site with its numbers: `sites.csv`; everything as data: `report.json`."])
