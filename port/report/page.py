"""report.html: one file that needs nothing else, for a reviewer without the manual."""

from collections.abc import Mapping, Sequence
from typing import Any

from port.parity.causes import Cause
from port.parity.compare import Stage
from port.parity.tolerance import Tolerances
from port.report import sections, stages, summary, words
from port.report.pictures import FrameStrip
from port.report.template import render


def build_view(
    report: Mapping,
    rows: Sequence[Mapping],
    limits: Tolerances,
    output_size: str,
    compared: Mapping[str, Stage] | None = None,
    causes: Sequence[Cause] = (),
) -> dict[str, Any]:
    """All that page and Markdown show, apart from pictures. compared, causes: stages and root causes with their arrays"""
    choices = summary.decisions(report)
    return {
        **sections.shared_view(report, compared or {}, causes, limits),
        "passed": report["verdict"] == "pass",
        "subject": summary.subject(report, output_size),
        "first": report["first_divergence"],
        "causes": summary.causes(report),
        "tiles": stages.tiles(report, limits),
        "stages": stages.stage_views(report),
        "gaps": summary.gaps(report),
        "decisions": choices,
        "decisions_sentence": summary.decisions_sentence(choices),
        "excused": summary.excused_rows(report),
        "excused_sentence": summary.excused_sentence(summary.excused_rows(report)),
        "failing": summary.failing_rows(report),
        "failing_total": summary.failing_total(report),
        "worst": summary.worst_passing(report, rows, limits),
    }


def render_page(
    report: Mapping, view: Mapping[str, Any], strips: Sequence[FrameStrip], charts: Mapping[str, bytes | None]
) -> str:
    """The page as text. charts: "light" and "dark" as PNG"""
    return render(
        "page.html.j2", report=report, strips=strips, charts=charts, decision_words=words.DECISIONS, **view
    )
