"""The verb `overhead`: what capture costs, measured."""

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from port import console
from port.errors import PARITY_FAILED, PASSED, PortError, UsageError
from port.files import make_folder, write_text
from port.parity.overhead import CONVOLUTIONS, GOALS, MEMORY_GOAL, REPEATS, check_repeats
from port.parity.pair_verify import ROOT, surroundings
from port.parity.verify import read_input
from port.report.overhead_report import show, write_overhead_report

SCHEMA = 1
COLUMNS = {"torch": "torch_ref.overhead", "mindspore": "ms_model.overhead"}
WEIGHTS, INPUT, FRAMES = Path(".cache/demo/ttvsr_demo.pth"), Path(".cache/demo/lr"), 3


def add_verb(verbs, epilog: str) -> None:
    """`overhead` and its flags."""
    parser = verbs.add_parser("overhead", help="time capture beside the plain run, in both frameworks", epilog=epilog)
    parser.add_argument("model", choices=("ttvsr",), nargs="?", help="without it and --pair: convolutions and ttvsr")
    parser.add_argument("--pair", type=Path, metavar="FILE", help="any two networks, forward and backward")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help=f"of ttvsr (default: {WEIGHTS}, of `port demo`)")
    parser.add_argument("--input", type=Path, default=INPUT, help=f"clip for ttvsr (default: {INPUT})")
    parser.add_argument("--max-frames", type=int, metavar="N", default=FRAMES, help=f"of the clip (default: {FRAMES})")
    parser.add_argument("--repeats", type=int, metavar="N", default=REPEATS, help=f"rounds (default: {REPEATS})")
    parser.add_argument("--work", type=Path, help="folder for traces, each removed at once (default: a temporary one)")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the table as Markdown")
    parser.add_argument("--json", action="store_true", help="print the figures on stdout")
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")


def run_overhead(args: argparse.Namespace) -> int:
    """Measure each network in each framework, one after the other. -> 0 where all goals are reached, otherwise 1"""
    if args.model and args.pair:
        raise UsageError("name a model or a pair by --pair, not both.")
    check_repeats(args.repeats)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="port-overhead-") as temporary:
        subjects = [measured(*subject, args) for subject in prepared(args, make_folder(args.work or temporary))]
    result = {
        "schema": SCHEMA,
        "reached": all(column["reached"] for subject in subjects for column in subject["columns"].values()),
        "goals": {**GOALS, "growth_bytes": MEMORY_GOAL},
        "subjects": subjects,
        "seconds": round(time.perf_counter() - start, 1),
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command": "python -m port " + shlex.join(sys.argv[1:]),
    }
    if args.report:
        write_overhead_report(args.report, result)
    console.print_json(result) if args.json else show(result)
    return PASSED if result["reached"] else PARITY_FAILED


def prepared(args: argparse.Namespace, work: Path) -> list[tuple[str, Path, dict[str, list[str]]]]:
    """What is to be measured: (name, folder, arguments of each column), files written and checked."""
    work = work.resolve()
    found = []
    if args.model is None:
        pair = args.pair.resolve() if args.pair else work / "convolutions.py"
        if args.pair and not pair.is_file():
            raise UsageError(f"--pair: there is no file {args.pair}.")
        if not args.pair:
            write_text(pair, CONVOLUTIONS)
        weights = work / "pair" / "torch" / "weights.safetensors"  # left there by the reference
        name = f"{args.pair.name if args.pair else 'residual convolutions'}, forward and backward"
        found.append((name, work / "pair", {"torch": [str(pair)], "mindspore": [str(pair), "--weights", str(weights)]}))
    if args.pair is None:
        found.append(prepared_ttvsr(args, make_folder(work / "ttvsr")))
    return found


def prepared_ttvsr(args: argparse.Namespace, folder: Path) -> tuple[str, Path, dict[str, list[str]]]:
    """Frames as an array, weights for both frameworks."""
    if not args.weights.is_file():
        raise PortError(f"no weights file {args.weights}. Name a checkpoint by --weights, or run `port demo .cache/demo`.")
    if args.max_frames < 1:
        raise UsageError(f"--max-frames must be at least 1, found {args.max_frames}.")
    frames = read_input(args.input, args.max_frames)
    np.save(folder / "input.npy", frames)
    ported = folder / "port.ckpt"
    start([sys.executable, "convert_weights.py", str(args.weights.resolve()), "-o", str(ported)], "the conversion")
    t, _, h, w = frames.shape
    own = {"torch": args.weights.resolve(), "mindspore": ported}
    arguments = {
        column: ["ttvsr", "--weights", str(path), "--input", str(folder / "input.npy")] for column, path in own.items()
    }
    return f"TTVSR ({args.weights.name}), forward, {t} frames of {w}x{h}", folder, arguments


def measured(name: str, folder: Path, arguments: dict[str, list[str]], args: argparse.Namespace) -> dict[str, object]:
    """Both columns, each in a process of its own and never two at a time."""
    columns = {}
    for column, module in COLUMNS.items():
        out = make_folder(folder / column)
        console.note(f"{name}: {column}")
        flags = ["--out", str(out), "--repeats", str(args.repeats), *["--quiet"] * args.quiet]
        start([sys.executable, "-m", module, *arguments[column], *flags], f"the measurement of {column}")
        columns[column] = json.loads((out / "overhead.json").read_text(encoding="utf-8"))
    return {"name": name, "columns": columns}


def start(command: list[str], what: str) -> None:
    """Run a process as captures are run; its messages go to our stderr. Raises PortError if it fails."""
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, env=surroundings())
    if done.returncode:
        raise PortError(f"{what} ended with exit code {done.returncode}; its message stands above.")
