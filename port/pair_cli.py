"""The verbs for any pair of networks: `verify --pair`, `capture`, `compare`, `shrink`."""

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
from port.parity.pair_verify import SIDES, capture_alone, capture_side, compare_folders, make_report
from port.parity.selection import STAGES, Selection, check_names, make_selection
from port.parity.trace import Trace
from port.report.diff import Earlier, make_diff, read_earlier
from port.report.junit import write_junit
from port.report.pair_report import show, write_pair_report
from port.shrink.keep import keep_causes
from port.shrink.make import shrink


def add_verbs(verbs, epilog: str) -> None:
    """`capture` and `compare`: the two halves of `verify --pair`, for runs on different machines."""
    capture = verbs.add_parser("capture", help="run one side of a pair and leave its traces", epilog=epilog)
    capture.add_argument("side", choices=tuple(SIDES), help="torch: the reference; ms: the port")
    capture.add_argument("pair", type=Path, help="the pair's Python file")
    capture.add_argument("--out", type=Path, required=True, help="folder for the traces")
    capture.add_argument("--reference", type=Path, help="ms: folder of the reference's traces")
    capture.add_argument("--weights", type=Path, help="torch: weights by the reference's names, .safetensors")
    add_types(capture)
    capture.add_argument("--stages", metavar="A,B", help=f"run only what these need, of: {', '.join(STAGES)}")
    capture.add_argument("--quiet", action="store_true")
    capture.add_argument("--debug", action="store_true", help="show tracebacks")
    compare = verbs.add_parser("compare", help="compare the traces of two sides; needs no framework", epilog=epilog)
    compare.add_argument("reference", type=Path, help="folder that `capture torch` wrote")
    compare.add_argument("port", type=Path, help="folder that `capture ms` wrote")
    add_output(compare)
    add_selection(compare)
    compare.add_argument("--debug", action="store_true", help="show tracebacks")
    shrink = verbs.add_parser("shrink", help="a small runnable folder that shows one root cause alone", epilog=epilog)
    shrink.add_argument("report", type=Path, help="folder that `verify --pair --report` wrote")
    shrink.add_argument("--cause", type=int, default=1, metavar="N", help="number of the root cause, 1 unless given")
    shrink.add_argument("--out", type=Path, metavar="DIR", help="where to (default: shrunk-N in the report's folder)")
    shrink.add_argument("--quiet", action="store_true")
    shrink.add_argument("--debug", action="store_true", help="show tracebacks")


def add_types(parser: argparse.ArgumentParser) -> None:
    """Element types of the networks."""
    parser.add_argument("--dtype", choices=DTYPES, help="pairs: cast both networks (default float32)")
    parser.add_argument("--port-dtype", choices=DTYPES, help="pairs: cast the port only, against the reference in --dtype")


def add_output(parser: argparse.ArgumentParser) -> None:
    """Where the result goes."""
    parser.add_argument("--report", type=Path, help="folder for report.html, report.md, report.json and sites.csv")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="every site as a test case, for a build server")
    parser.add_argument("--json", action="store_true", help="print report.json on stdout")


def add_selection(parser: argparse.ArgumentParser) -> None:
    """What of a pair is judged, and what it is held against."""
    parser.add_argument("--only", metavar="PATTERN[,PATTERN]", help="judge only the sites of these modules")
    parser.add_argument("--stages", metavar="A,B", help=f"judge only these, of: {', '.join(STAGES)}; of a model: forward, all")
    parser.add_argument("--until", metavar="MODULE", help="judge up to this module's first output")
    parser.add_argument("--diff", type=Path, metavar="OLD_REPORT", help="say what changed since an earlier report")


def selection_of(args: argparse.Namespace) -> Selection:
    """Raises UsageError for a stage that does not exist."""
    return make_selection(getattr(args, "only", None), args.stages, getattr(args, "until", None))


def run_capture(args: argparse.Namespace) -> int:
    """One side of a pair."""
    selection = selection_of(args)
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
    out, reference = args.out, args.reference or args.out
    capture_side(args.side, args.pair, out, reference, args.weights, args.quiet, *types, selection=selection)
    return PASSED


def run_compare(args: argparse.Namespace) -> int:
    """Compare, report, and say by the exit code what came out."""
    earlier = read_earlier(args.diff) if args.diff else None
    return judge(args, selection_of(args), earlier, "", {})


def judge(
    args: argparse.Namespace, selection: Selection, earlier: Earlier | None, name: str, seconds: dict[str, float]
) -> int:
    """Compare the traces in args.reference and args.port, and give out what was asked for. -> 0 or 1"""
    compared = compare_folders(args.reference, args.port, selection=selection)
    if compared.ask_alone and args.verb == "verify":
        console.note("compiled, the port is another network: compiling its modules one by one ...")
        capture_alone(args.pair, args.port, args.reference, args.quiet)
        compared = compare_folders(args.reference, args.port, selection=selection)
    report = make_report(name, compared, args.reference, args.port, seconds)
    report["command"] = "python -m port " + shlex.join(sys.argv[1:])
    if earlier:
        report["diff"] = make_diff(earlier, report, compared.stages)
    if args.report:
        keep_causes(args.report, compared, args.reference, args.port)
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
    selection = selection_of(args)
    load_pair(str(args.pair))
    earlier = read_earlier(args.diff) if args.diff else None  # before it may be written over
    if args.report:
        make_folder(args.report)  # an impossible place is better known now than after the run
    with tempfile.TemporaryDirectory(prefix="port-pair-") as temporary:
        work = (args.work or Path(temporary)).resolve()
        args.reference, args.port, seconds = work / "reference", work / "port", {}
        for side, out in (("torch", args.reference), ("ms", args.port)):
            start = time.perf_counter()
            weights = args.weights if side == "torch" else None
            types = (args.dtype or DTYPES[0], args.port_dtype)
            capture_side(side, args.pair, out, args.reference, weights, args.quiet, *types, selection=selection)
            seconds[side] = time.perf_counter() - start
            if side == "torch":
                check_names(selection, Trace(out / "reference"))  # a wrong name is better known before the port runs
        return judge(args, selection, earlier, args.pair.stem, seconds)


def run_shrink(args: argparse.Namespace) -> int:
    """Write the folder and say where it is and how large. -> 0"""
    made = shrink(args.report, args.cause, args.out or args.report / f"shrunk-{args.cause}", args.quiet)
    console.stdout.print(made.says, markup=False, soft_wrap=True)
    console.stdout.print(str(made.folder), markup=False, soft_wrap=True)
    return PASSED
