"""The scoreboard as reports/selftest.md and on the terminal."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.table import Table

from port.console import stdout
from port.files import write_text
from port.report.words import cell

ENGINE = "this engine"


def write_selftest_report(path: Path, result: Mapping) -> None:
    """One page: figures, baselines, what is not seen, every mistake and every harmless change."""
    write_text(path, markdown(result))


def markdown(result: Mapping) -> str:
    """The page."""
    parts = [
        "# Self-test: known mistakes planted into known good ports", "", *introduction(result), "",
        "## Beside other policies, on the same traces", "", *table(POLICY_HEAD, policy_rows(result)), "", *EXPLAINED, "",
        "## What is not seen", "", *blind_lines(result), "",
        "## How small a mistake may be", "", *table(SIZE_HEAD, size_rows(result)), "",
        "## Mistakes", "", *table(FAULT_HEAD, fault_rows(result)), "",
        "## Harmless changes", "", *table(("network", "change", "why it is the same", "reported"), control_rows(result)), "",
        "## The porting catalogue, row by row", "", *catalogue_lines(result), "",
    ]  # fmt: skip
    return "\n".join(parts)


SIZE_HEAD = ("mistake", "network", "smallest seen", "tried down to")
POLICY_HEAD = ("policy", "detected", "exact site", "right diagnosis", "false alarms")
FAULT_HEAD = ("network", "mistake", "catalogue", "detected", "exact site", "right diagnosis", "named as")
EXPLAINED = (
    "Exact site: every root cause named is the module and the stage in which the mistake was made (the network itself for what "
    "lies between its modules, its loss and its optimiser); of several mistakes at once, each is named. "
    "Right diagnosis: the first explanation given is one of those that "
    "fit the mistake. For the other policies, exact site means that the first value they object to belongs to the module.",
)  # fmt: skip


def introduction(result: Mapping) -> list[str]:
    """Figures and goals in two sentences."""
    faults = result["faults"]
    shares = ", ".join(
        f"{result[name]} {words} ({result[name] / max(faults, 1):.0%}, goal {result['goals'][name]:.0%})"
        for name, words in (
            ("detected", "detected"),
            ("localised", "at the exact site"),
            ("diagnosed", "rightly diagnosed"),
        )
    )
    verdict = "All goals are reached." if result["reached"] else "**Not all goals are reached.**"
    return [
        f"{faults} mistakes: {shares}. {result['controls']} harmless changes: {result['false_alarms']} false alarms. {verdict}",
        "",
        f"Made by `python -m port selftest --report reports/selftest.md` in {result['seconds']:.0f} s.",
    ]


def policy_rows(result: Mapping) -> list[tuple[str, ...]]:
    """The engine, then the others."""
    rows = [(f"**{ENGINE}**", *(str(result[name]) for name in ("detected", "localised", "diagnosed", "false_alarms")))]
    for name, entry in result["baselines"].items():
        rows.append((name, str(entry["detected"]), str(entry["localised"]), "-", str(entry["false_alarms"])))
    return rows


def blind_lines(result: Mapping) -> list[str]:
    """Mistakes that these inputs do not show, each run as well."""
    lines = ["Each of these was planted, too; none can be seen from these inputs, and what would show it:", ""]
    for entry in result["blind"]:
        seen = " (**it was seen all the same**)" if entry["detected"] else ""
        lines.append(f"- {entry['network']}, {entry['fault']}: {entry['why']}; shown by {entry['probe']}{seen}")
    return lines


def size_rows(result: Mapping) -> list[tuple[str, ...]]:
    """The sweeps."""
    told = lambda size: "none" if size is None else f"{size:g}"  # noqa: E731
    return [(e["fault"], e["network"], told(e["smallest_seen"]), told(min(e["tried"]))) for e in result["smallest"]]


def fault_rows(result: Mapping) -> list[tuple[str, ...]]:
    """Every mistake."""
    rows = []
    for case in result["cases"]:
        marks = (mark(case[name]) for name in ("detected", "localised", "diagnosed"))
        rows.append((case["network"], case["name"], case["catalogue"] or "-", *marks, named(case)))
    return rows


def named(case: Mapping) -> str:
    """What the engine said: module, stage, diagnosis."""
    causes = [f"{c['module'] or 'network'} ({c['stage']}): {c['diagnosis']}" for c in case["root_causes"]]
    return cell("; ".join(causes[:3]) + (f"; {len(causes) - 3} more" if len(causes) > 3 else "")) or "-"


def control_rows(result: Mapping) -> list[tuple[str, ...]]:
    """Every harmless change."""
    return [
        (case["network"], case["name"], cell(case["why"]), "**false alarm**" if case["false_alarm"] else "nothing")
        for case in result["control_cases"]
    ]


def catalogue_lines(result: Mapping) -> list[str]:
    """Every row of the catalogue: planted as what, or why not."""
    rows = [(str(e["row"]), e["about"], cell(planted(e["cases"])) or e["otherwise"]) for e in result["catalogue"]]
    count = sum(bool(entry["cases"]) for entry in result["catalogue"])
    return [f"{count} of {len(rows)} rows are planted; the others say why they are not.", "",
            *table(("row", "about", "planted as, or why not"), rows)]  # fmt: skip


def planted(cases: Sequence[str], most: int = 3) -> str:
    """The first cases by name, and how many more."""
    return "; ".join(cases[:most]) + (f"; {len(cases) - most} more" if len(cases) > most else "")


def mark(value: bool) -> str:
    """Yes or no, the no in bold."""
    return "yes" if value else "**no**"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """A Markdown table."""
    line = lambda cells: "| " + " | ".join(cells) + " |"  # noqa: E731
    return [line(head), "|" + "---|" * len(head), *(line(row) for row in rows)]


def show(result: Mapping) -> None:
    """Figures on the terminal; then what was missed."""
    shown = Table(*POLICY_HEAD, title=f"{result['faults']} mistakes, {result['controls']} harmless changes")
    for row in policy_rows(result):
        shown.add_row(*(value.strip("*") for value in row))
    stdout.print(shown)
    for case in result["cases"]:
        missed = [
            word
            for word, key in (("detected", "detected"), ("exact site", "localised"), ("diagnosis", "diagnosed"))
            if not case[key]
        ]
        if missed:
            stdout.print(f"{case['network']}, {case['name']}: no {missed[0]} ({named(case)})", markup=False)
    for case in result["control_cases"]:
        if case["false_alarm"]:
            stdout.print(
                f"{case['network']}, {case['name']}: FALSE ALARM in {', '.join(case['failing'])}", markup=False
            )
    stdout.print("goals reached" if result["reached"] else "goals not reached", style="bold")
