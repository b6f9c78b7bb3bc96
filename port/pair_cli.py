"""The verbs for any pair of networks: `verify --pair`, `capture`, `compare`."""

import argparse
import shlex
import sys
import tempfile
import time
from pathlib import Path

from port import console
from port.errors import PARITY_FAILED, PASSED, UsageError
from port.files import make_folder
from port.parity.pair import load_pair
from port.parity.pair_capture import DTYPES
from port.parity.pair_verify import SIDES, capture_side, compare_folders, make_report
from port.report.pair_report import show, write_junit, write_pair_report


def add_verbs(verbs, epilog: str) -> None:
    """`capture` and `compare`: the two halves of `verify --pair`, for runs on different machines."""
    capture = verbs.add_parser("capture", help="run one side of a pair and leave its traces", epilog=epilog)
    capture.add_argument("side", choices=tuple(SIDES), help="torch: the reference; ms: the port")
    capture.add_argument("pair", type=Path, help="the pair's Python file")
    capture.add_argument("--out", type=Path, required=True, help="folder for the traces")
    capture.add_argument("--reference", type=Path, help="ms: folder of the reference's traces")
    capture.add_argument("--weights", type=Path, help="torch: weights by the reference's names, .safetensors")
    add_types(capture)
    capture.add_argument("--quiet", action="store_true")
    capture.add_argument("--debug", action="store_true", help="show tracebacks")
    compare = verbs.add_parser("compare", help="compare the traces of two sides; needs no framework", epilog=epilog)
    compare.add_argument("reference", type=Path, help="folder that `capture torch` wrote")
    compare.add_argument("port", type=Path, help="folder that `capture ms` wrote")
    add_output(compare)
    compare.add_argument("--debug", action="store_true", help="show tracebacks")


def add_types(parser: argparse.ArgumentParser) -> None:
    """Element types of the networks."""
    parser.add_argument("--dtype", choices=DTYPES, help="pairs: cast both networks (default float32)")
    parser.add_argument("--port-dtype", choices=DTYPES, help="pairs: cast the port only, against the reference in --dtype")


def add_output(parser: argparse.ArgumentParser) -> None:
    """Where the result goes."""
    parser.add_argument("--report", type=Path, help="folder for report.html, report.md, report.json and sites.csv")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="every site as a test case, for a build server")
    parser.add_argument("--json", action="store_true", help="print report.json on stdout")


def run_capture(args: argparse.Namespace) -> int:
    """One side of a pair."""
    load_pair(str(args.pair))  # what is wrong with the file is better said before a framework is loaded
    if args.side == "ms" and args.reference is None:
        raise UsageError("the port is fed with the reference's values: name its traces by --reference.")
    if args.side == "ms" and args.weights is not None:
        raise UsageError(
            "the port takes the weights that the reference left in its traces; --weights is for `capture torch`."
        )
    if args.side == "ms" and (args.dtype or args.port_dtype):
        raise UsageError("the port runs in the type that its reference was captured for; --dtype is for `capture torch`.")
    types = (args.dtype or DTYPES[0], args.port_dtype)
    capture_side(args.side, args.pair, args.out, args.reference or args.out, args.weights, args.quiet, *types)
    return PASSED


def run_compare(args: argparse.Namespace, name: str = "", seconds: dict[str, float] | None = None) -> int:
    """Compare, report, and say by the exit code what came out."""
    compared = compare_folders(args.reference, args.port)
    report = make_report(name, compared, args.reference, args.port, seconds or {})
    report["command"] = "python -m port " + shlex.join(sys.argv[1:])
    if args.report:
        write_pair_report(args.report, report, compared)
    if args.junit:
        write_junit(args.junit, compared.stages)
    if args.json:
        console.print_json(report)
    else:
        show(report, args.report)
    return PASSED if compared.passed else PARITY_FAILED


def run_verify_pair(args: argparse.Namespace) -> int:
    """Capture both sides, then compare. -> 0 or 1"""
    load_pair(str(args.pair))
    if args.report:
        make_folder(args.report)  # an impossible place is better known now than after the run
    with tempfile.TemporaryDirectory(prefix="port-pair-") as temporary:
        work = (args.work or Path(temporary)).resolve()
        args.reference, args.port, seconds = work / "reference", work / "port", {}
        for side, out in (("torch", args.reference), ("ms", args.port)):
            start = time.perf_counter()
            weights = args.weights if side == "torch" else None
            types = (args.dtype or DTYPES[0], args.port_dtype)
            capture_side(side, args.pair, out, args.reference, weights, args.quiet, *types)
            seconds[side] = time.perf_counter() - start
        return run_compare(args, args.pair.stem, seconds)
