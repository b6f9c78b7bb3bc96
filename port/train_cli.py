"""The verbs `train-compare` and `train-memory`: the two trainers side by side."""

import argparse
import shlex
import sys
import tempfile
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from port import console
from port.errors import PARITY_FAILED, PASSED, PortError, UsageError
from port.files import make_folder, write_text
from port.report.curve_report import write_curve_report
from port.train import curves, memory
from port.train.settings import load_preset, preset_names


def add_verbs(verbs, epilog: str) -> None:
    """Both verbs and their flags."""
    compare = verbs.add_parser(
        "train-compare", help="train in both frameworks and compare the loss curves", epilog=epilog
    )
    add_preset(compare)
    compare.add_argument("--root", required=True, type=Path, help="folder that holds the data set")
    compare.add_argument("--gt", type=Path, help="of the data set `folder`: the ground truth, laid out like --root")
    compare.add_argument("--weights", type=Path, help="start from this .safetensors file (default: drawn by `seed`)")
    compare.add_argument(
        "--report", required=True, type=Path, help="folder for report.md, report.json, curves.png and the runs"
    )
    add_output(compare)
    measured = verbs.add_parser("train-memory", help="measure what recomputing activations saves", epilog=epilog)
    add_preset(measured)
    measured.add_argument("--only", choices=memory.COLUMNS, help="one framework (default: both)")
    measured.add_argument(
        "--activations", choices=memory.KEEPING, help="only kept, or only computed again, where the other does not fit"
    )
    measured.add_argument("--report", type=Path, metavar="FILE", help="write the table as Markdown")
    add_output(measured)


def add_preset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("preset", help=f"{', '.join(preset_names())}, or a .toml file of your own")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting; may be repeated"
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")


def run_train_compare(args: argparse.Namespace) -> int:
    """Three trainings, a report. -> 0 where the port's losses stay within what rounding alone explains, otherwise 1"""
    if args.weights and args.weights.suffix != ".safetensors":
        raise UsageError("--weights of train-compare is a .safetensors file, which both trainers read.")
    if args.weights and not args.weights.is_file():
        raise PortError(f"--weights: there is no file {args.weights}.")
    data = ["--root", str(args.root), *(["--gt", str(args.gt)] if args.gt else [])]
    found = curves.compare(args.preset, args.set, data, make_folder(args.report), args.weights)
    facts = {"command": spoken(), "preset": args.preset, "changes": " ".join(args.set) or "none", "versions": versions(),
             "settings": asdict(load_preset(args.preset).changed(args.set))}  # fmt: skip
    result = write_curve_report(args.report, found, facts)
    if args.json:
        console.print_json(result)
    else:
        worst = result["largest_difference"]
        said = f"losses differ by at most {worst['port']:.1e} of their value (rounding alone: {worst['rounded']:.1e})"
        console.stdout.print(f"{result['verdict']}: {result['iterations']} iterations, {said}", soft_wrap=True)
        console.stdout.print(str(args.report / "report.md"), soft_wrap=True)
    return PASSED if result["verdict"] == "pass" else PARITY_FAILED


def run_train_memory(args: argparse.Namespace) -> int:
    """Measure and tell. -> 0"""
    settings = load_preset(args.preset).changed(args.set)
    with tempfile.TemporaryDirectory(prefix="port-train-") as folder:
        columns = [args.only] if args.only else memory.COLUMNS
        activations = [args.activations] if args.activations else tuple(memory.KEEPING)
        rows = memory.measure(settings, Path(folder), columns, activations=activations)
    words = memory.table(rows)
    lines = [f"| {' | '.join(row)} |" for row in (words[0], ("---",) * len(words[0]), *words[1:])]
    if args.report:
        shape = f"{settings.batch} clips of {settings.frames} frames of {settings.patch}x{settings.patch}"
        network = f"{settings.mid_channels} channels, {settings.num_blocks} blocks"
        head = ["# Memory of a training pass", "", f"`{spoken()}`: {shape}, {network}; {versions()}.", ""]
        write_text(args.report, "\n".join([*head, *lines, ""]))
    if args.json:
        console.print_json(rows)
    else:
        for line in lines:
            console.stdout.print(line, markup=False, soft_wrap=True)
    return PASSED


def spoken() -> str:
    return "python -m port " + shlex.join(sys.argv[1:])


def versions() -> str:
    return ", ".join(f"{name} {metadata.version(name)}" for name in ("torch", "mindspore", "numpy"))
