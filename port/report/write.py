"""The report as files: a page, Markdown for a pull request, and the data behind both."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from port.files import make_folder, whole_file, write_json, write_text
from port.parity import tolerance
from port.parity.compare import Stage
from port.parity.verify import Outcome
from port.report.charts import DARK, LIGHT, draw_chart
from port.report.headline import headline
from port.report.markdown import FOLDER, render_markdown
from port.report.page import build_view, render_page
from port.report.pictures import make_strips
from port.report.summary import strict

__all__ = ["headline", "write_report"]
THEMES = {"light": LIGHT, "dark": DARK}
CHART_FILES = {"light": "chart.png", "dark": "chart-dark.png"}
OWN_PICTURE = re.compile(r"frame-\d{3,}-(input|reference|port|difference|truth)\.jpg|chart(-dark)?\.png")


def write_report(folder: Path, outcome: Outcome) -> None:
    """Write report.html, report.md with its pictures, report.json and sites.csv into `folder`, made if need be.

    Everything is made before the first file is written, so that trouble with one leaves an earlier report untouched.
    """
    report, limits = strict(outcome.report), tolerance.load()
    strips = make_strips(outcome.frames)
    wrong = (report["first_divergence"] or {}).get("site")
    charts = {kind: draw_chart(outcome.rows, limits, theme, wrong) for kind, theme in THEMES.items()}
    view = build_view(report, outcome.rows, limits, _output_size(outcome), outcome.stages, outcome.causes)
    page = render_page(report, view, strips, charts)
    markdown = render_markdown(report, view, strips, charts["light"] is not None)
    pictures = {picture.file_name: picture.jpeg for strip in strips for picture in strip.pictures}
    pictures |= {CHART_FILES[kind]: data for kind, data in charts.items() if data}
    folder = make_folder(folder)
    _write_pictures(make_folder(folder / FOLDER), pictures)
    write_text(folder / "sites.csv", sites_csv(outcome.stages) if outcome.stages else series_csv(outcome.rows))
    write_json(folder / "report.json", report)
    write_text(folder / "report.md", encodable(markdown))
    write_text(folder / "report.html", encodable(page))


COLUMNS = ("stage", "order", "site", "module", "kind", "max_abs", "max_abs_over_rms", "ratio", "reason", "note")


def sites_csv(stages: Mapping[str, Stage]) -> str:
    """Every site of every stage, one line each; what was not compared says why in its note and has no numbers."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name, stage in stages.items():
        for row in sorted(stage.rows, key=lambda row: row.order):
            numbers = (row.max_abs, row.relative, row.ratio)
            writer.writerow([name, f"{row.order:g}", row.site, row.module, row.kind, *numbers, row.reason, row.note])
        writer.writerows(
            [name, "", site, "", "", "", "", "", "", f"not compared: {why}"] for site, why in stage.skipped
        )
    return encodable(buffer.getvalue())


def series_csv(rows: Sequence[Mapping]) -> str:
    """Every site in execution order, one line each, where no stages are at hand."""
    buffer = io.StringIO()
    names = list(dict.fromkeys(key for row in rows for key in row)) or ["site"]
    writer = csv.DictWriter(buffer, ["order", *names], lineterminator="\n")
    writer.writeheader()
    writer.writerows({"order": order, **row} for order, row in enumerate(rows))
    return encodable(buffer.getvalue())


def _write_pictures(folder: Path, pictures: Mapping[str, bytes]) -> None:
    """Write them, and remove those that an earlier report left here: nothing else refers to them any more."""
    for name, data in pictures.items():
        with whole_file(folder / name) as draft:
            draft.write_bytes(data)
    for path in folder.iterdir():
        if path.name not in pictures and OWN_PICTURE.fullmatch(path.name):
            path.unlink()


def _output_size(outcome: Outcome) -> str:
    reference = outcome.frames["reference"]
    return f"{reference.shape[3]} x {reference.shape[2]}" if reference is not None else "nothing"


def encodable(text: str) -> str:
    """File names from the system may hold half characters (surrogates), which UTF-8 refuses."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
