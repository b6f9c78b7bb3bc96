"""The operators as reports/ops-VERSION.md, on the terminal, and side by side for several versions."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby, pairwise
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from port.console import print_wide, stdout
from port.files import write_text
from port.ops.judge import ABSENT, CRASH, DIFFERENT, KERNEL, RAISES, ROUNDING, SAME, SHAPE, TYPE, Outcome
from port.ops.rows import ASPECTS, FIRST, STATUS, Row, changed
from port.ops.stored import Measured
from port.report.markdown_parts import code, plain, table

NOTHING = "–"
WIDTH = 170  # characters of the table where it does not go to a terminal
SIGNS = {SAME: "=", ROUNDING: "≈", TYPE: "type", DIFFERENT: "differs", SHAPE: "shape", RAISES: "raises", KERNEL: "no kernel",
         ABSENT: "absent", CRASH: "crash", "lenient": "lenient", "not compared": NOTHING}  # fmt: skip
HEAD = ("PyTorch", "MindSpore", "verdict", *ASPECTS, "edge values", "method", "mint")
EXPLAINED = """`=`: the same bits; `≈`: within rounding: against PyTorch in float64, MindSpore errs at most 8 times as much
as PyTorch itself (rms; 16 times for the largest error; limits `ratio` in `port/parity/tolerances.toml`). *type*: the same
numbers in another element type. *shape*: another shape or structure. *raises*, *no kernel*, *absent*: there is no result.
*lenient*: PyTorch raises, MindSpore does not. The columns *method* and *mint* are the same call as a method of a tensor and
in `mindspore.mint`. *compiled* is under `mindspore.jit`, forward and backward together; *float16* likewise. Of edge values
only those that do not agree are named."""


def write_ops_report(path: Path, measured: Measured) -> None:
    """One page: counts, a table for each group, and for every operator that wants care what differs."""
    write_text(path, markdown(measured))


def markdown(measured: Measured) -> str:
    """The page."""
    about, version = measured.about, measured.about["port"]["version"]
    parts = [
        f"# PyTorch operators in MindSpore {version}", "",
        f"Measured on {about['port']['device']} against PyTorch {about['reference']['version']}, {about['created'][:10]}, by "
        f"`{about['command']}` in {about['seconds']:.0f} s: {len(measured.rows)} operators, {results(measured)} comparisons. "
        "How to read and to renew it: [docs/operators.md](../docs/operators.md).", "",
        *counts(measured), "", EXPLAINED, "",
    ]  # fmt: skip
    for group, rows in groupby(measured.rows, key=lambda row: row.operator.group):
        rows = list(rows)
        parts += [f"## {group.capitalize()}", "", table(HEAD, [line(row) for row in rows]), ""]
        parts += [text for row in rows for text in details(row)] + [""]
    return "\n".join(parts)


def results(measured: Measured) -> int:
    return sum(len(row.outcomes) for row in measured.rows)


def counts(measured: Measured) -> list[str]:
    """How many operators have which verdict."""
    found = Counter(row.verdict for row in measured.rows)
    lines = [(verdict, str(found[verdict]), status) for verdict, status in STATUS.items() if found[verdict]]
    return [table(("verdict", "operators", "`port scan` says"), lines)]


def line(row: Row) -> tuple[str, ...]:
    """One operator in the table."""
    edges = ", ".join(case for case, outcome in row.edges().items() if not outcome.agrees)
    edges = plain(edges) or ("=" if row.edges() else NOTHING)
    others = [sign(row.outcomes.get(f"{variant}/{FIRST}")) for variant in ("method", "mint")]
    return (
        code(row.operator.name), code(row.operator.calls["port"], 60), row.verdict,
        *(sign(row.aspect(name)) for name in ASPECTS), edges, *others,
    )  # fmt: skip


def sign(outcome: Outcome | None) -> str:
    return NOTHING if outcome is None else SIGNS[outcome.what]


def details(row: Row) -> list[str]:
    """What differs, and what to write; empty for an operator that is the same."""
    operator = row.operator
    if row.status == "same" and not operator.note:
        return []
    parts = [f"- **{code(operator.name)}** ({row.verdict})."]
    parts += [f"Default: {plain(operator.default)}."] if operator.default else []
    parts += [f"Write {code(row.instead())}."] if row.instead() else []
    parts += [f"{plain(operator.note[0].upper() + operator.note[1:])}."] if operator.note else []
    parts += [f"See `python -m port gaps`, {code(operator.gap)}."] if operator.gap else []
    parts += [f"Porting catalogue, row {', '.join(map(str, operator.entries))}."] if operator.entries else []
    cares = [plain(text) for text in row.cares()]
    if row.instead():
        left = [plain(text) for text in row.cares("instead")]
        cares += [f"written so: {text}" for text in left]
    return [" ".join(parts), *(f"  - {text}" for text in cares)]


def show(measured: Measured) -> None:
    """The table on stdout."""
    port = measured.about["port"]
    shown = Table(title=f"MindSpore {port['version']}, {port['device']}", box=SIMPLE_HEAD)
    for name in ("operator", "verdict", *ASPECTS, "edge values that do not agree"):
        shown.add_column(name, no_wrap=True)
    for row in measured.rows:
        edges = ", ".join(case for case, outcome in row.edges().items() if not outcome.agrees)
        shown.add_row(row.operator.name, row.verdict, *(sign(row.aspect(name)) for name in ASPECTS), edges)
    print_wide(shown, WIDTH)
    found = Counter(row.status for row in measured.rows)
    stdout.print(", ".join(f"{found[status]} {status}" for status in ("same", "care", "missing")), markup=False)


def write_versions_report(path: Path, all_measured: Sequence[Measured]) -> None:
    """One page: every operator whose outcome changed from one version to the next."""
    write_text(path, versions_markdown(all_measured))


def versions_markdown(all_measured: Sequence[Measured]) -> str:
    """Verdicts side by side where they are not all alike, and every changed outcome behind them."""
    head = [f"MindSpore {measured.about['port']['version']}" for measured in all_measured]
    by_name = [{row.operator.name: row for row in measured.rows} for measured in all_measured]
    names = [name for name in by_name[-1] if all(name in rows for rows in by_name)]
    verdicts = [(name, [rows[name].verdict for rows in by_name]) for name in names]
    by_status = [
        [status, *(str(count(one, status)) for one in all_measured)] for status in dict.fromkeys(STATUS.values())
    ]
    unlike = [[code(name), *found] for name, found in verdicts if len(set(found)) > 1]
    parts = [
        "# What changed between versions of MindSpore", "",
        f"{len(names)} operators, measured in each version by the same command on a CPU; see the pages of the versions. "
        "Bits and rounding count as one.", "",
        table(("", *head), by_status), "", "## Verdicts", "", table(("PyTorch", *head), unlike), "",
    ]  # fmt: skip
    for (before, after), (old, new) in zip(pairwise(by_name), pairwise(head), strict=True):
        parts += [f"## From {old} to {new}", "", *changes(names, before, after), ""]
    return "\n".join(parts)


def count(measured: Measured, status: str) -> int:
    return sum(row.status == status for row in measured.rows)


def changes(names: Sequence[str], before: dict[str, Row], after: dict[str, Row]) -> list[str]:
    """One line for each operator with its changed outcomes."""
    lines = []
    for name in names:
        found = changed(before[name], after[name])
        told = Counter((key.partition("/")[0], *pair) for key, pair in found.items())
        words = [
            f"{variant}: {old} → {new}{f' ({n} cases)' if n > 1 else ''}" for (variant, old, new), n in told.items()
        ]
        lines += [f"- {code(name)}: {'; '.join(words)}"] if words else []
    return lines or ["Nothing."]
