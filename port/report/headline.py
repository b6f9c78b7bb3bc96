"""What the terminal shows at the end: the verdict, the stages, and where the report lies."""

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from port.console import stdout
from port.parity import tolerance
from port.report import stages, summary, words
from port.report.sections import NETWORK

CAUSES = 8  # root causes shown
FILE_WIDTH = 140  # where stdout is no terminal: wide enough for the names of sites


def headline(report: Mapping, folder: Path) -> None:
    """Print the verdict, the stage table, PSNR, first divergence, coverage; the path of report.html comes last."""
    report = summary.strict(report)
    screen = stdout if stdout.is_terminal else Console(highlight=False, width=FILE_WIDTH)
    screen.print(_verdict(report))
    for number, cause in enumerate((report.get("root_causes") or [])[:CAUSES], 1):
        show_cause(screen, number, cause)
    for cause in summary.causes(report)[:3]:
        screen.print(_cause(cause))
    screen.print(_stage_table(report))
    for label, text in _lines(report):
        screen.print(Text(f"{label:<18}", style="bold") + Text(text))
    screen.print(Text(words.one_line(folder / "report.html", 4096)), soft_wrap=True)


def _verdict(report: Mapping) -> Text:
    model = words.one_line(report["model"]).upper()
    passed = report["verdict"] == "pass"
    says = "the port computes what" if passed else "the port does not compute what"
    text = f" {'PASS' if passed else 'FAIL'}  {model}: {says} the reference computes "
    return Text(text, style=f"bold white on {'dark_green' if passed else 'dark_red'}")


def _cause(cause: summary.Cause) -> Text:
    where = f" at {words.one_line(cause.site)} ({words.one_line(cause.place)})" if cause.site else ""
    text = Text(f"  {words.one_line(cause.culprit)}", style="bold red")
    return text + Text(f"{where}, {cause.stage.lower()}: {words.one_line(cause.reason, 200)}", style="default")


def show_cause(screen: Console, number: int, cause: Mapping) -> None:
    """One root cause: what, where, and the line that mends it."""
    where = Text(f"  {number}. {words.one_line(cause['module']) or NETWORK}", style="bold red")
    label = "no known signature" if cause["diagnosis"] == "unknown" else cause["diagnosis"].replace("_", " ")
    says = f"; {words.one_line(cause['says'])}" if cause["says"] else ""
    screen.print(where + Text(f" ({cause['stage']}): {label}{says}", style="default"))
    if cause["suggestion"]:
        screen.print(Text(f"     mend: {words.one_line(cause['suggestion'])}", style="green"))
    screen.print(Text(f"     at {words.one_line(cause['site'])}: {words.one_line(cause['reason'])}", style="dim"))


def _stage_table(report: Mapping) -> Table:
    table, asked = Table(header_style="bold"), _short_limits()
    for name in ("stage", "verdict", "compared", "worst site", "figure", "limit"):
        table.add_column(name, overflow="fold", justify="right" if name == "compared" else "left")
    for stage in stages.stage_views(report):
        verdict = Text("pass", style="green") if stage.passed else Text("FAIL", style="bold red")
        done = Text(f"{words.count(stage.compared)} of {words.count(stage.total)}")
        texts = (stage.worst_site or words.NOTHING, stage.figure, asked[stage.key])
        table.add_row(Text(stage.title), verdict, done, *(Text(words.one_line(text, 100)) for text in texts))
    return table


def _short_limits() -> dict[str, str]:
    """The limits in as few words as a terminal has room for; the report has them in full."""
    limits = tolerance.load()
    return {
        "weights": "all",
        **dict.fromkeys(
            ("modules", "accumulated", "compiled", *words.PATCH_STAGES), f"{limits.ratio_rms:g} x reference's error"
        ),
        "free decisions": "by their margins",
        "end_to_end": f"{limits.psnr_between_db:g} dB",
    }


def _lines(report: Mapping) -> list[tuple[str, str]]:
    """What stands under the table. -> (label, text)"""
    end, coverage = report["stages"]["end_to_end"], report["coverage"]
    first = report["first_divergence"]
    imposed = words.agreement(end["psnr_between"], end["max_abs"])
    free = words.agreement(end.get("psnr_between_free"), end.get("max_abs_free"))
    lines = [("PSNR of outputs", f"{imposed} with choices imposed, {free} running freely")]
    if end["psnr_delta_db"] is not None:
        scores = f"reference {words.decibel(end['psnr_reference'], 4)}, port {words.decibel(end['psnr_port'], 4)}"
        lines.append(("PSNR to truth", f"{scores}, difference {words.signed(end['psnr_delta_db'], ' dB')}"))
    where = f"{first['site']} ({words.place(first)}): {first['reason']}" if first else "none beyond the limits"
    lines.append(("First divergence", words.one_line(where)))
    if excused := summary.excused_rows(report):
        lines.append(("Exceptions", summary.excused_sentence(excused)))
    total, compared = coverage["sites_total"], coverage["sites_compared"]
    left = f", {words.count(total - compared)} not" if total > compared else ""
    lines.append(("Sites compared", f"{words.count(compared)} of {words.count(total)}{left}"))
    return lines
