"""What capture costs, as reports/overhead.md and on the terminal."""

from collections.abc import Mapping
from pathlib import Path

from rich.table import Table

from port.console import stdout
from port.files import write_text
from port.report.words import cell

HEAD = (
    "framework", "run", "seconds", "x plain", "x processor time", "sites", "on disk", "peak memory", "growth", "goal"
)  # fmt: skip
EXPLAINED = (
    "Seconds are medians, with the lowest and the highest in brackets. What a mode costs (`x plain`) is the median over the "
    "rounds of its time by that of the plain run of the same round, with the lowest and the highest round in brackets. "
    "Processor time is that of all threads together: it is hardly changed by other users of the machine. Growth is the "
    "highest peak of resident memory less that of the plain run. A run counts until its trace is handed to the operating "
    "system; the files of whole tensors are not forced to the disk before.",
)


def write_overhead_report(path: Path, result: Mapping) -> None:
    """One page."""
    write_text(path, markdown(result))


def markdown(result: Mapping) -> str:
    """The page."""
    goals = result["goals"]
    verdict = "All goals are reached." if result["reached"] else "**Not all goals are reached.**"
    lines = [
        "# What capture costs",
        "",
        f"Goals: statistics at most {goals['statistics']} times the plain run, full at most {goals['full']} times, memory "
        f"at most {goals['growth_bytes'] >> 20} MiB more than the plain run however large the trace. {verdict}",
        "",
        f"Made by `{result['command']}` in {result['seconds']:.0f} s, {result['created']}.",
        "",
        *(line for subject in result["subjects"] for line in section(subject)),
        *EXPLAINED,
        "",
        "## Where",
        "",
        *(f"- {line}" for line in places(result)),
        "",
    ]
    return "\n".join(lines)


def section(subject: Mapping) -> list[str]:
    """Title and table of one network."""
    table = [HEAD, ("---",) * len(HEAD), *rows(subject)]
    return [f"## {cell(subject['name'])}", "", *(f"| {' | '.join(row)} |" for row in table), ""]


def show(result: Mapping) -> None:
    """The tables on stdout."""
    for subject in result["subjects"]:
        table = Table(title=cell(subject["name"]))
        for name in HEAD:
            table.add_column(name)
        for row in rows(subject):
            table.add_row(*row)
        stdout.print(table)
    stdout.print("PASS: all goals are reached" if result["reached"] else "FAIL: not all goals are reached")


def rows(subject: Mapping) -> list[tuple[str, ...]]:
    """A row for every framework and mode."""
    return [
        (framework, mode, *figures(entry))
        for framework, column in subject["columns"].items()
        for mode, entry in column["modes"].items()
    ]


def figures(entry: Mapping) -> tuple[str, ...]:
    """Figures of one mode; those that a plain run does not have are left empty."""
    seconds = f"{entry['seconds']:.2f} ({entry['lowest_seconds']:.2f} .. {entry['highest_seconds']:.2f})"
    peak = size(entry["peak_bytes"])
    if "ratio" not in entry:
        return (seconds, "1", "1", "", "", peak, "", "")
    return (
        seconds,
        f"{entry['ratio']:.2f} ({entry['lowest_ratio']:.2f} .. {entry['highest_ratio']:.2f})",
        f"{entry['cpu_ratio']:.2f}",
        str(entry["sites"]),
        size(entry["bytes"]),
        peak,
        size(entry["growth_bytes"]),
        f"{entry['goal']} {'reached' if entry['reached'] else 'missed'}",
    )


def size(number: int | None) -> str:
    """Bytes in MiB."""
    return "not known" if number is None else f"{number / (1 << 20):.0f} MiB"


def places(result: Mapping) -> list[str]:
    """Machine and versions, once for every framework."""
    found = {}
    for subject in result["subjects"]:
        for framework, column in subject["columns"].items():
            about, rounds = column["environment"], column["modes"]["plain"]["rounds"]
            found[framework] = (
                f"{framework} {column['backend']['version']} on {column['backend']['device']}, {about['processor']}, "
                f"{column['cores']} cores, {about['platform']}, Python {about['python']}, numpy {about['numpy']}, "
                f"{rounds} rounds"
            )
    return list(found.values())
