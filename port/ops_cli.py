"""The verb `ops`: measure what MindSpore makes of PyTorch's operators, or show what was measured."""

import argparse
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from port import console
from port.errors import PARITY_FAILED, PASSED, PortError, UsageError
from port.ops import stored
from port.ops.environment import python_of
from port.ops.judge import judge_operator
from port.ops.measure import measure
from port.ops.rows import Row, changed
from port.ops.stored import Measured
from port.ops.table import Operator, full_name, load
from port.parity import tolerance
from port.report.ops_report import show, write_ops_report, write_versions_report


def add_verb(verbs, epilog: str) -> None:
    """`ops` and its flags."""
    parser = verbs.add_parser(
        "ops", help="measure PyTorch's operators in MindSpore, or show what was measured", epilog=epilog
    )
    parser.add_argument(
        "--only", metavar="NAMES", help="comma-separated: operators (F.gelu, torch.std) or groups (losses)"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--show", metavar="VERSION", nargs="?", const=stored.NEWEST, help="what is stored, without measuring (2.10)"
    )
    what.add_argument(
        "--versions", action="store_true", help="what changed between the stored versions; needs --report"
    )
    what.add_argument("--mindspore", metavar="VERSION", help="measure another version, in an environment made for it")
    what.add_argument(
        "--mindspore-python", type=Path, metavar="PATH", help="measure in the environment of this interpreter"
    )
    parser.add_argument("--store", action="store_true", help="keep the figures as port/ops/measured-VERSION.json")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the page as Markdown")
    parser.add_argument(
        "--work", type=Path, help="folder for inputs and results, kept (default: a temporary one, removed)"
    )
    parser.add_argument("--device", default="cpu", choices=("cpu", "ascend"), help="where MindSpore runs")
    parser.add_argument("--json", action="store_true", help="print the outcomes as data")
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")


def run_ops(args: argparse.Namespace) -> int:
    """-> 0; 1 where a measurement is another than what is stored of the version"""
    table = load()
    if args.versions:
        return run_versions(args, table)
    if args.store and (args.only or args.show):
        raise UsageError("--store keeps a whole measurement: it goes neither with --only nor with --show.")
    table = chosen(table, args.only)
    measured = stored.load(args.show, table) if args.show else measure_all(args, table)
    differing = [] if args.show or args.store else compare(measured)
    if args.store:
        stored.save(stored.path_of(measured.version), measured)
    if args.report:
        write_ops_report(args.report, measured)
    if args.json:
        console.print_json(as_data(measured, differing))
    else:
        show(measured)
        for line in differing:
            console.stdout.print(line, markup=False, soft_wrap=True)
    return PARITY_FAILED if differing else PASSED


def run_versions(args: argparse.Namespace, table: Sequence[Operator]) -> int:
    """Write the page that compares the stored versions."""
    if not args.report:
        raise UsageError("--versions writes a page: name it by --report FILE.")
    if len(stored.versions()) < 2:
        raise PortError(
            "fewer than two versions are stored; measure another: python -m port ops --mindspore 2.9 --store"
        )
    write_versions_report(args.report, [stored.load(version, table) for version in stored.versions()])
    return PASSED


def chosen(table: Sequence[Operator], only: str | None) -> list[Operator]:
    """The operators asked for. Raises UsageError for a name that is neither operator nor group."""
    if only is None:
        return list(table)
    names = [name.strip() for name in only.split(",") if name.strip()]
    groups = {operator.group for operator in table}
    known = {name: operator for operator in table for name in operator.spellings}
    for name in names:
        if name not in groups and spelt(name) not in known:
            raise UsageError(
                f"--only: {name!r} is neither an operator of the table nor a group ({', '.join(sorted(groups))})."
            )
    wanted = {known[spelt(name)].name for name in names if name not in groups}
    return [operator for operator in table if operator.group in names or operator.name in wanted]


def spelt(name: str) -> str:
    """F.gelu and torch.nn.functional.gelu are one."""
    return full_name(name) if name.partition(".")[0] in ("F", "nn", "Tensor") else name


def measure_all(args: argparse.Namespace, table: Sequence[Operator]) -> Measured:
    """Run both columns and judge."""
    python = str(args.mindspore_python or sys.executable)
    if args.mindspore_python and not args.mindspore_python.is_file():
        raise PortError(f"there is no {args.mindspore_python}. Name the python of an environment with MindSpore in it.")
    if args.mindspore:
        python = str(python_of(args.mindspore, note=console.note))
    start = time.perf_counter()
    with (
        tempfile.TemporaryDirectory(prefix="port-ops-") if args.work is None else nullcontext(args.work) as folder,
        console.progress(args.quiet) as display,
    ):
        tasks: dict[str, int] = {}

        def progress(column: str, done: int, total: int) -> None:
            tasks.setdefault(column, display.add_task(column, total=total) if column not in tasks else 0)
            display.update(tasks[column], completed=done)

        about, reference, port = measure(table, Path(folder).resolve(), python, args.device, progress)
    limits = tolerance.load()
    rows = [Row(o, judge_operator(own, found, limits)) for o, own, found in zip(table, reference, port, strict=True)]
    facts = {
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": round(time.perf_counter() - start, 1),
        "command": "python -m port " + shlex.join(sys.argv[1:]),
    }
    return Measured({**about, **facts}, tuple(rows))


def compare(measured: Measured) -> list[str]:
    """In words, what is another than what is stored of this version."""
    if measured.version not in stored.versions():
        return [f"Nothing is stored of MindSpore {measured.version}: keep this with --store."]
    held = {
        row.operator.name: row for row in stored.load(measured.version, [row.operator for row in measured.rows]).rows
    }
    lines = [
        f"{row.operator.name}: not stored; measure all with --store"
        for row in measured.rows
        if row.operator.name not in held
    ]
    for row in measured.rows:
        for key, (old, new) in changed(held.get(row.operator.name, row), row).items():
            lines.append(f"{row.operator.name}, {key}: {new} here, {old} as stored")
    return lines


def as_data(measured: Measured, differing: Sequence[str]) -> dict[str, object]:
    """For --json."""
    rows = [
        {
            "name": row.operator.name, "group": row.operator.group, "status": row.status, "verdict": row.verdict,
            **{variant: row.operator.calls[variant] for variant in ("torch", "port")}, "instead": row.instead(),
            "default": row.operator.default, "note": row.operator.note,
            "outcomes": {key: outcome.as_dict() for key, outcome in row.outcomes.items()},
        }
        for row in measured.rows
    ]  # fmt: skip
    return {"schema": stored.SCHEMA, **measured.about, "changed": list(differing), "operators": rows}
