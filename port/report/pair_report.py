"""The report on a pair: page, Markdown, data; what the terminal shows; and JUnit for a build server."""

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from port.console import stdout
from port.files import make_folder, write_json, write_text
from port.parity import tolerance
from port.parity.pair_verify import Compared
from port.report import words
from port.report.diff import diff_lines
from port.report.headline import CAUSES, FILE_WIDTH, show_cause
from port.report.pair_markdown import pair_markdown
from port.report.pair_page import build_pair_view, partly, render_pair_page, stage_lines, verdict_sentence
from port.report.sections import kernel_gap_lines
from port.report.write import encodable, sites_csv


def write_pair_report(folder: Path, report: Mapping, compared: Compared) -> None:
    """Write report.html, report.md, report.json and sites.csv into `folder`, made if need be.

    Everything is made before the first file is written, so that trouble with one leaves an earlier report untouched.
    """
    view = build_pair_view(report, compared, tolerance.load())
    page, markdown, sites = render_pair_page(view), pair_markdown(view), sites_csv(compared.stages)
    folder = make_folder(folder)
    write_text(folder / "sites.csv", sites)
    write_json(folder / "report.json", report)
    write_text(folder / "report.md", encodable(markdown))
    write_text(folder / "report.html", encodable(page))


def show(report: Mapping, folder: Path | None) -> None:
    """The verdict, root causes and stages on stdout; the report's path comes last."""
    screen = stdout if stdout.is_terminal else Console(highlight=False, width=FILE_WIDTH)
    passed = report["verdict"] == "pass"
    verdict = f" {'PASS' if passed else 'FAIL'}  {words.one_line(report['model'])} "
    screen.print(Text(verdict, style=f"bold white on {'dark_green' if passed else 'dark_red'}"))
    screen.print(Text(verdict_sentence(report)))
    for line in partly(report):
        screen.print(Text(line), soft_wrap=True)
    for number, cause in enumerate(report["root_causes"][:CAUSES], 1):
        show_cause(screen, number, cause)
    if report["root_causes"][CAUSES:]:
        screen.print(Text(f"  ... and {len(report['root_causes']) - CAUSES} more"))
    screen.print(stage_table(report))
    for name, stage in report["stages"].items():
        if stage["broke_off"]:
            screen.print(Text(f"{name}: {words.one_line(stage['broke_off'])}", style="red"), soft_wrap=True)
    for line in kernel_gap_lines(report):
        screen.print(Text(f"kernel gap: {line}"))
    for line in filter(None, diff_lines(report["diff"]) if "diff" in report else ()):
        screen.print(Text(line), soft_wrap=True)
    if folder:
        screen.print(Text(words.one_line(folder / "report.html", 4096)), soft_wrap=True)


def stage_table(report: Mapping) -> Table:
    """One row of figures per stage."""
    table = Table(header_style="bold")
    for name in ("stage", "verdict", "compared", "failing", "largest ratio", "where"):
        table.add_column(
            name, overflow="fold", justify="right" if name in ("compared", "failing", "largest ratio") else "left"
        )
    for line in stage_lines(report):
        verdict = Text("pass", style="green") if line.passed else Text("FAIL", style="bold red")
        texts = (f"{line.compared} of {line.total}", str(line.failing), line.ratio, line.worst or words.NOTHING)
        table.add_row(Text(line.name), verdict, *(Text(words.one_line(text, 100)) for text in texts))
    return table
