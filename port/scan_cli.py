"""The verb `scan`: which PyTorch operators a source uses, and what MindSpore makes of them."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from port import console
from port.errors import PASSED, PortError, UsageError
from port.ops import stored, table
from port.ops.advice import FRAMEWORK, MEANING, SAME, Advice, Adviser, counted, sources

STYLES = {"missing": "red", "care": "yellow", "not measured": "magenta", "same": "green", "no operator": "dim"}
WIDTH = 150  # characters where stdout is no terminal


def add_verb(verbs, epilog: str) -> None:
    """`scan` and its flags."""
    parser = verbs.add_parser(
        "scan", help="list the PyTorch operators of a source with what was measured of each", epilog=epilog
    )
    parser.add_argument("paths", type=Path, nargs="+", metavar="FILE", help="Python sources, or folders of them")
    parser.add_argument(
        "--mindspore", metavar="VERSION", default=stored.NEWEST, help=f"by the figures of a version ({stored.NEWEST})"
    )
    parser.add_argument("--all", action="store_true", help="also what is the same, and what is no operator")
    parser.add_argument("--json", action="store_true", help="print every use as data")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")


def run_scan(args: argparse.Namespace) -> int:
    """-> 0. Raises PortError for a named file that cannot be read; one in a folder is passed over with a warning."""
    measured = stored.load(args.mindspore, table.load())
    adviser = Adviser(measured.rows)
    found: dict[str, list[Advice]] = {}
    unreadable: dict[str, str] = {}
    for path, named in sources(args.paths):
        try:
            found[str(path)] = adviser.file(path)
        except PortError as error:
            if named:
                raise
            console.warn(str(error))
            unreadable[str(path)] = str(error)
    if not found:
        raise UsageError(f"no Python source in {', '.join(map(str, args.paths))}.")
    if args.json:
        console.print_json(as_data(measured.version, found, unreadable))
    else:
        show(measured.version, found, args.all)
    return PASSED


def as_data(version: str, found: Mapping[str, Sequence[Advice]], unreadable: Mapping[str, str]) -> dict[str, object]:
    """For --json."""
    return {
        "schema": 1, "mindspore": version, "unreadable": dict(unreadable),
        "counts": counted([advice for uses in found.values() for advice in uses]),
        "files": {path: [advice.as_dict() for advice in uses] for path, uses in found.items()},
    }  # fmt: skip


def show(version: str, found: Mapping[str, Sequence[Advice]], everything: bool) -> None:
    """A table for each file: one line for each operator and what is said of it, with the lines where it stands."""
    for path, uses in found.items():
        console.stdout.print(Text(path, style="bold"))
        shown = Table("lines", "operator", "", "what to know", box=SIMPLE_HEAD)
        hidden = 0
        for advice, lines in grouped(uses):
            if everything or advice.status not in (SAME, FRAMEWORK):
                shown.add_row(
                    lines, Text(name_of(advice)), Text(advice.status, STYLES[advice.status]), Text(words(advice))
                )
            else:
                hidden += 1
        if shown.rows:
            console.print_wide(shown, WIDTH)
        if hidden:
            console.stdout.print(
                f"{hidden} more that are the same, or no operators: --all shows them", style="dim", markup=False
            )
    totals = counted([advice for uses in found.values() for advice in uses])
    said = ", ".join(f"{n} {status}" for status, n in totals.items())
    console.stdout.print(f"\nMindSpore {version}, as measured. Uses: {said}", markup=False, soft_wrap=True)
    for status, n in totals.items():
        if n:
            console.stdout.print(f"  {status}: {MEANING[status]}", markup=False)


def grouped(uses: Sequence[Advice]) -> list[tuple[Advice, str]]:
    """Uses of which the same is said, as one, and their lines."""
    groups: dict[tuple, list[Advice]] = {}
    for advice in uses:
        key = (advice.operator, advice.status, advice.use.certain, advice.care, advice.write)
        groups.setdefault(key, []).append(advice)
    return [(group[0], ", ".join(map(str, dict.fromkeys(a.use.line for a in group)))) for group in groups.values()]


def name_of(advice: Advice) -> str:
    """With a question mark where it may be another object's method."""
    return advice.operator + ("" if advice.use.certain else " ?")


def words(advice: Advice) -> str:
    """What to write first, then what to take care of."""
    lines = []
    if advice.write:
        lines.append(advice.write if advice.status == FRAMEWORK else f"write as here: {advice.write}")
    if not advice.use.certain:
        lines.append("if this is a tensor:")
    return "\n".join([*lines, *advice.care])
