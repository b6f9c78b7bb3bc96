"""`python -m port convert-bench` and `python -m port fuzz`: the converter measured and attacked."""

import argparse
import shlex
import sys
import tempfile
from pathlib import Path

from port import console
from port.convert.bench import bench
from port.convert.bench_report import bench_markdown, print_bench
from port.convert.fuzz import fuzz
from port.convert.fuzz_report import fuzz_markdown, print_fuzz
from port.errors import PARITY_FAILED, PASSED, UsageError
from port.files import write_text


def add_verbs(verbs: argparse._SubParsersAction, epilog: str) -> None:
    """convert-bench and fuzz."""
    measure = verbs.add_parser(
        "convert-bench", help="memory and throughput of a streamed conversion of a large checkpoint", epilog=epilog
    )
    measure.add_argument("--size", type=float, default=8.0, metavar="GB", help="of the checkpoint made and removed (8)")
    measure.add_argument("--runs", type=int, default=3, metavar="N", help="of copy and conversion, by turns (3)")
    measure.add_argument("--work", type=Path, metavar="DIR", help="where it is made (default: the temporary folder)")
    measure.add_argument("--report", type=Path, metavar="FILE", help="write the table as Markdown")
    measure.add_argument("--json", action="store_true", help="print the figures on stdout as data")
    measure.add_argument("--debug", action="store_true", help="show tracebacks")
    attack = verbs.add_parser(
        "fuzz", help="feed the readers of checkpoints with broken and hostile files", epilog=epilog
    )
    attack.add_argument("--inputs", type=int, default=110_000, metavar="N", help="files in all (110000)")
    attack.add_argument("--seed", type=int, default=0, metavar="N", help="another one makes other files (0)")
    attack.add_argument("--report", type=Path, metavar="FILE", help="write the table as Markdown")
    attack.add_argument("--json", action="store_true", help="print what was found on stdout as data")
    attack.add_argument("--debug", action="store_true", help="show tracebacks")


def run_fuzz(args: argparse.Namespace) -> int:
    """-> 0, or 1 where a reader did anything but read or refuse"""
    if not 10 <= args.inputs <= 10_000_000:
        raise UsageError(f"--inputs is 10 to 10000000, found {args.inputs}.")
    found = fuzz(args.inputs, args.seed)
    if args.report:
        write_text(args.report, fuzz_markdown(found, "python -m port " + shlex.join(sys.argv[1:])))
    if args.json:
        console.print_json(found)
    else:
        print_fuzz(found)
    return PARITY_FAILED if any(one["findings"] for one in found.values()) else PASSED


def run_convert_bench(args: argparse.Namespace) -> int:
    """-> 0, or 1 where memory or throughput are not what they must be"""
    if not 0.001 <= args.size <= 1000 or not 1 <= args.runs <= 20:
        raise UsageError(f"--size is 0.001 to 1000 GB and --runs 1 to 20, found {args.size} and {args.runs}.")
    found = bench(args.work or Path(tempfile.gettempdir()), args.size, args.runs)
    if args.report:
        write_text(args.report, bench_markdown(found, "python -m port " + shlex.join(sys.argv[1:])))
    if args.json:
        console.print_json(found)
    else:
        print_bench(found)
    return PASSED if found["passed"] else PARITY_FAILED
