"""report.html: one file that needs nothing else, for a reviewer without the manual."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from port.parity.tolerance import Tolerances
from port.report import stages, summary, words
from port.report.pictures import FrameStrip

HERE = Path(__file__).parent


def build_view(report: Mapping, rows: Sequence[Mapping], limits: Tolerances, output_size: str) -> dict[str, Any]:
    """All that page and Markdown show, apart from pictures."""
    choices = summary.decisions(report)
    return {
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
        "environment": summary.environment(report),
    }


def render_page(
    report: Mapping, view: Mapping[str, Any], strips: Sequence[FrameStrip], charts: Mapping[str, bytes | None]
) -> str:
    """The page as text. charts: "light" and "dark" as PNG"""
    template = _environment().get_template("page.html.j2")
    return template.render(report=report, strips=strips, charts=charts, decision_words=words.DECISIONS, **view)


def data_uri(data: bytes, kind: str) -> Markup:
    """A picture as part of the page. kind: jpeg or png"""
    return Markup(f"data:image/{kind};base64,") + Markup(base64.b64encode(data).decode())


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, finalize=_shown, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    helpers = (words.figure, words.count, words.place, words.share, words.one_line, data_uri)
    environment.filters.update({helper.__name__: helper for helper in helpers})
    return environment


def _shown(value: object) -> object:
    """Every value on its way into the page: a dash for None, nothing that a browser obeys in text from outside."""
    if value is None:
        return words.NOTHING
    return words.printable(value) if type(value) is str else value
