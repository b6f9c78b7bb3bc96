"""The report on a pair: what the terminal shows, report.md for a pull request, report.json, and JUnit for a build server."""

from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

from rich.table import Table
from rich.text import Text

from port.console import stdout
from port.files import make_folder, whole_file, write_json, write_text
from port.parity.compare import Stage


def write_pair_report(folder: Path, report: Mapping) -> None:
    """report.json and report.md, in `folder`, made if need be."""
    folder = make_folder(folder)
    write_json(folder / "report.json", report)
    write_text(folder / "report.md", markdown(report))


def markdown(report: Mapping) -> str:
    """Verdict, root causes, stages, what was not compared."""
    lines = [f"# {report['verdict'].upper()}: {cell(report['model'])}", ""]
    lines += [
        "No root cause: every site is right on right inputs." if not report["root_causes"] else "## Root causes",
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
    lines += ["", "## Kernel gaps", "", *kernel_gaps(report)] if report.get("kernel_gaps") else []
    return "\n".join([*lines, "", "## Not compared", "", *not_compared(report), ""])


def kernel_gaps(report: Mapping) -> list[str]:
    """One line per operator whose kernel is known to err, and did."""
    return [
        f"- {cell(gap['op'])} of MindSpore {cell(gap['version'])} (catalogue {gap['entry']}): errs by up to "
        f"{gap['measured']:.2g}, bound {gap['bound']:.2g}, at {len(gap['sites'])} sites (first: `{cell(gap['sites'][0])}`). "
        f"Passed, for it is no mistake of the port. Instead: {cell(gap['instead'])}"
        for gap in report.get("kernel_gaps", ())
    ]


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
    lines += broken_off(report)
    if not any("training" in name for name in [*report["stages"], *report.get("notes", ())]):
        lines.append("- training: the pair names no optimiser")
    lines = lines or ["Everything was compared."]
    return lines + [f"- {cell(note)}" for note in report.get("notes", ())]


def broken_off(report: Mapping) -> list[str]:
    """One line per stage whose run did not go through, or proved nothing."""
    stages = report["stages"].items()
    return [f"- {name}: {cell(stage['broke_off'])}" for name, stage in stages if stage["broke_off"]]


def cell(text: object) -> str:
    """Text from files and networks, safe inside a Markdown line."""
    return "".join(c if c.isprintable() else "?" for c in str(text)).replace("|", "\\|").replace("`", "'")


def show(report: Mapping, folder: Path | None) -> None:
    """The verdict, root causes and stages on stdout; the report's path comes last."""
    passed = report["verdict"] == "pass"
    verdict = f" {'PASS' if passed else 'FAIL'}  {cell(report['model'])} "
    stdout.print(Text(verdict, style=f"bold white on {'dark_green' if passed else 'dark_red'}"))
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
    for line in broken_off(report):
        stdout.print(Text(line, style="red"))
    for line in kernel_gaps(report):
        stdout.print(Text(f"kernel gap {line}"))
    if folder:
        stdout.print(Text(str(folder / "report.md")), soft_wrap=True)


def write_junit(path: Path, stages: Mapping[str, Stage]) -> None:
    """Every site as a test case, every stage as a suite; what was not compared is skipped, never passed."""
    root = ElementTree.Element("testsuites")
    for name, stage in stages.items():
        suite = ElementTree.SubElement(root, "testsuite", name=name, tests=str(len(stage.rows) + len(stage.skipped)),
                                       failures=str(len(stage.failing)), skipped=str(len(stage.skipped)))  # fmt: skip
        for row in stage.rows:
            case = ElementTree.SubElement(suite, "testcase", classname=name, name=row.site)
            if row.reason:
                ElementTree.SubElement(case, "failure", message=row.reason)
        for site, why in stage.skipped:
            case = ElementTree.SubElement(suite, "testcase", classname=name, name=site)
            ElementTree.SubElement(case, "skipped", message=why)
    with whole_file(path) as draft:
        ElementTree.ElementTree(root).write(draft, encoding="utf-8", xml_declaration=True)
