"""The report on a pair: what the terminal shows, report.md for a pull request, report.json, and JUnit for a build server."""

from collections.abc import Mapping
from pathlib import Path

from rich.table import Table
from rich.text import Text

from port.console import stdout
from port.files import make_folder, write_json, write_text
from port.report.diff import diff_lines
from port.report.words import cell


def write_pair_report(folder: Path, report: Mapping) -> None:
    """report.json and report.md, in `folder`, made if need be."""
    folder = make_folder(folder)
    write_json(folder / "report.json", report)
    write_text(folder / "report.md", markdown(report))


def markdown(report: Mapping) -> str:
    """Verdict, root causes, stages, what was not compared."""
    lines = [f"# {report['verdict'].upper()}: {cell(report['model'])}", "", *partly(report)]
    lines += [
        "No root cause: every site compared is right on right inputs." if not report["root_causes"] else "## Root causes",
        "",
    ]
    for number, cause in enumerate(report["root_causes"], 1):
        lines += [f"{number}. **{cell(cause['module']) or 'the network itself'}** ({cause['stage']}): {cell(cause['reason'])}",
                  f"   first at `{cell(cause['site'])}`, {cause['sites']} sites in all; "
                  f"looks like **{cause['diagnosis']}**: {cell(cause['says'])}",
                  f"   {cell(cause['suggestion'])}", ""]  # fmt: skip
    lines += [
        "## Stages",
        "",
        "| stage | verdict | compared | failing | largest ratio | where |",
        "|---|---|---:|---:|---:|---|",
    ]
    lines += ["| " + " | ".join(row) + " |" for row in stage_rows(report)]
    lines += ["", "## Not compared", "", *not_compared(report), ""]
    return "\n".join([*lines, *(diff_lines(report["diff"]) if "diff" in report else [])])


def partly(report: Mapping) -> list[str]:
    """What a verdict on a part of the sites leaves open."""
    left = report.get("selection", {}).get("left_out")
    if not left:
        return []
    said = "Passed what was compared" if report["verdict"] == "pass" else "Only a part was compared"
    said = said if report["coverage"]["sites_compared"] else "Nothing was compared"
    return [f"{said}; left out: {cell(left)}.", ""]


def stage_rows(report: Mapping) -> list[list[str]]:
    """One row of figures per stage."""
    rows = []
    for name, stage in report["stages"].items():
        worst, covered = stage["worst"], report["coverage"]["stages"][name]
        ratio = f"{worst['error_ratio']:.3g}" if worst and worst["error_ratio"] is not None else "-"
        share = f"{covered['sites_compared']}/{covered['sites_total']}"
        rows.append(
            [name, stage["verdict"], share, str(stage["failing_total"]), ratio, cell(worst["site"]) if worst else "-"]
        )
    return rows


def not_compared(report: Mapping) -> list[str]:
    """One line per stage and reason."""
    lines = [
        f"- {name}: {entry['count']} sites, {cell(entry['reason'])} (first: `{cell(entry['sites'][0])}`)"
        for name, covered in report["coverage"]["stages"].items()
        for entry in covered["skipped"]
    ]
    not_run = report.get("selection", {}).get("not_run", {})
    lines += [f"- {name}: {cell(why)}" for name, why in not_run.items()]
    if not any("training" in name for name in [*report["stages"], *not_run]):
        lines.append("- training: the pair names no optimiser")
    return lines or ["Everything was compared."]


def show(report: Mapping, folder: Path | None) -> None:
    """The verdict, root causes and stages on stdout; the report's path comes last."""
    passed = report["verdict"] == "pass"
    verdict = f" {'PASS' if passed else 'FAIL'}  {cell(report['model'])} "
    stdout.print(Text(verdict, style=f"bold white on {'dark_green' if passed else 'dark_red'}"))
    for line in filter(None, partly(report)):
        stdout.print(Text(f"  {line}"), soft_wrap=True)
    for cause in report["root_causes"]:
        where = cause["module"] or "the network itself"
        stdout.print(
            Text(f"  {cell(where)} ({cause['stage']}): {cause['diagnosis']}; {cell(cause['says'])}", style="red")
        )
        stdout.print(Text(f"    {cell(cause['suggestion'])}"))
    table = Table("stage", "verdict", "compared", "failing", "largest ratio", "where")
    for row in stage_rows(report):
        table.add_row(*row)
    stdout.print(table)
    for line in filter(None, diff_lines(report["diff"]) if "diff" in report else []):
        stdout.print(Text(line), soft_wrap=True)
    if folder:
        stdout.print(Text(str(folder / "report.md")), soft_wrap=True)
