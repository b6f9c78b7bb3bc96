"""The verb `results`: both frameworks scored on a data set with the same weights, as the tables of a model page."""

import argparse
import shlex
import sys
import time
from pathlib import Path

from port import console
from port.errors import PARITY_FAILED, PASSED, PortError, UsageError
from port.evaluate.arguments import add_what
from port.evaluate.both import SIDES, compare, evaluate_side, weights_for
from port.evaluate.conditions import conditions_of
from port.files import make_folder
from port.parity import tolerance
from port.report.results_report import show, write_results

WEIGHTS = (".pth", ".ckpt", ".safetensors")


def add_verb(verbs, epilog: str) -> None:
    """`results` and its flags."""
    parser = verbs.add_parser("results", help="score both frameworks on a benchmark, as tables", epilog=epilog)
    add_what(parser)
    parser.add_argument("--report", required=True, type=Path, metavar="DIR", help="folder for results.md, results.json")
    parser.add_argument("--work", type=Path, help="folder for converted weights and finished clips (default: DIR/work)")
    parser.add_argument("--torch-device", help="where PyTorch runs (default: cpu)")
    parser.add_argument("--ms-device", help="where MindSpore runs (default: cpu)")
    parser.set_defaults(dtype="float32")


def run_results(args: argparse.Namespace) -> int:
    """Both, one after the other, and the tables. -> 0 where every clip's PSNR agrees within the limit, otherwise 1"""
    conditions_of(args)
    if args.weights.suffix not in WEIGHTS:
        raise UsageError(f"--weights takes {', '.join(WEIGHTS)}, found {args.weights.name}.")
    if not args.weights.is_file():
        raise PortError(f"no weights file {args.weights}. Name a checkpoint by --weights.")
    start = time.perf_counter()
    work = make_folder(args.work or args.report / "work").resolve()
    found = {}
    for (side, column), device in zip(SIDES.items(), (args.torch_device, args.ms_device), strict=True):
        if not args.quiet:
            console.note(f"{side}: {column}")
        found[side] = evaluate_side(side, args, weights_for(column, args.weights, work), work, device)
    result = compare(found["reference"], found["port"], tolerance.load().psnr_delta_db)
    result["weights"] = args.weights.name
    result["command"] = "python -m port " + shlex.join(sys.argv[1:])
    result["created"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    result["wall_seconds"] = round(time.perf_counter() - start, 1)
    write_results(args.report, result)
    console.print_json(result) if args.json else show(result, args.report)
    return PASSED if result["verdict"] == "pass" else PARITY_FAILED
