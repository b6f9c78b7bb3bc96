"""The verb `results`: both frameworks scored on a data set with the same weights, as the tables of a model page.

With the name of a network: its published scores reproduced in both.
"""

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
from port.evaluate.published import networks
from port.evaluate.reproduce import reproduce
from port.files import make_folder
from port.parity import tolerance
from port.report.published_report import show_published, write_published
from port.report.results_report import show, write_results

PUBLISHED_WEIGHTS, PUBLISHED_WORK = Path(".cache/demo"), Path(".cache/results")
WEIGHTS = (".pth", ".ckpt", ".safetensors")


def add_verb(verbs, epilog: str) -> None:
    """`results` and its flags."""
    parser = verbs.add_parser("results", help="score both frameworks on a benchmark, as tables", epilog=epilog)
    parser.add_argument(
        "model", nargs="?", choices=networks(), help="reproduce the published scores of this network's official weights"
    )
    add_what(parser, required=False)
    parser.add_argument(
        "--report", required=True, type=Path, metavar="PATH",
        help="folder for results.md, results.json; of a network: PATH.md, PATH.json",
    )  # fmt: skip
    parser.add_argument("--work", type=Path, help="folder for converted weights and finished clips")
    parser.add_argument("--torch-device", help="where PyTorch runs (default: cpu)")
    parser.add_argument("--ms-device", help="where MindSpore runs (default: cpu)")
    parser.set_defaults(dtype="float32")


def run_results(args: argparse.Namespace) -> int:
    """Both, one after the other, and the tables. -> 0 where every clip's PSNR agrees within the limit, otherwise 1"""
    if args.model:
        return run_published(args)
    if missing := [f"--{name}" for name in ("weights", "dataset", "root") if getattr(args, name) is None]:
        raise UsageError(f"the following arguments are required: {', '.join(missing)}")
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


def run_published(args: argparse.Namespace) -> int:
    """The published scores of a network. -> 0 where every figure comes out in both frameworks, otherwise 1"""
    given = {"--dataset": args.dataset, "--gt": args.gt, "--channel": args.channel, "--crop": args.crop,
             "--max-frames": args.max_frames}  # fmt: skip
    if wrong := [flag for flag, value in given.items() if value is not None]:
        raise UsageError(f"{wrong[0]} does not go with published scores: the publication chose the conditions.")
    if args.root is None:
        raise UsageError("name the folder of Vid4 by --root.")
    args.weights = args.weights or PUBLISHED_WEIGHTS
    if not args.weights.is_dir():
        raise PortError(
            f"--weights {args.weights}: name the folder that holds the official files; `make demo` makes it."
        )
    work = make_folder(args.work or PUBLISHED_WORK / args.model).resolve()
    make_folder(args.report.parent)
    result = reproduce(args, work)
    result["command"] = "python -m port " + shlex.join(sys.argv[1:])
    result["created"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    write_published(args.report, result)
    console.print_json(result) if args.json else show_published(result, args.report)
    return PASSED if result["verdict"] == "pass" else PARITY_FAILED
