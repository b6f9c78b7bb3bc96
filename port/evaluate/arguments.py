"""The flags of `evaluate`, and those that `python -m port results` has in common with it."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from port.data.sets import DEGRADATIONS, SETS
from port.metrics.score import CHANNELS
from port.models.speed import fast_names
from port.models.ttvsr import KEYFRAME_STRIDE, TOKEN_STRIDE

STATE = Path(".cache/evaluate")


def evaluate_arguments(prog: str, devices: Sequence[str], argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags; the same on both sides but for the devices, of which the first is the default.

    -> with `argv`, the words as they were given, for the processes of --devices
    """
    parser = argparse.ArgumentParser(prog=prog, description="Score a network on a data set.")
    add_what(parser)
    parser.add_argument("--device", default=devices[0], choices=devices)
    told = "faster ways: docs/speed-modes.md; none: not even the usual"
    parser.add_argument("--fast", type=fast_names, default=(), metavar="NAME[,NAME]", help=told)
    parser.add_argument("--state", type=Path, default=STATE, help=f"folder for finished clips (default: {STATE})")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)  # names of clips; started by --devices
    parser.set_defaults(model="auto", dtype="float32", argv=list(sys.argv[1:] if argv is None else argv))
    return parser.parse_args(argv)


def add_what(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """What is evaluated, and how it is shown. required: weights and data set must be named"""
    parser.add_argument("--weights", required=required, type=Path, help="weights file of the network")
    parser.add_argument("--dataset", required=required, choices=[name for name in SETS if name not in ("reds", "vimeo90k")])
    parser.add_argument("--root", required=True, type=Path, help="folder of the data set; of `folder`: low resolution")
    parser.add_argument("--gt", type=Path, help="of `folder`: the ground truth, laid out like --root")
    parser.add_argument("--degradation", type=str.upper, choices=DEGRADATIONS, help="default: the data set's")
    parser.add_argument("--channel", choices=CHANNELS, help="scored on RGB or Y; default: the data set's")
    parser.add_argument("--crop", type=int, metavar="N", help="pixels left out on each side; default: the data set's")
    parser.add_argument("--clips", type=lambda text: text.split(","), metavar="A,B", help="only these clips")
    parser.add_argument("--max-frames", type=int, metavar="N", help="only the first N frames of each clip")
    parser.add_argument("--keyframe-stride", type=int, default=KEYFRAME_STRIDE, metavar="N", help="between keyframes")
    parser.add_argument("--token-stride", type=int, default=TOKEN_STRIDE, metavar="N", help="pixels, a multiple of 4")
    parser.add_argument("--save", type=Path, metavar="DIR", help="write the scored frames as DIR/CLIP/NAME.png")
    parser.add_argument("--devices", type=int, default=1, metavar="N", help="processes that share the clips")
    parser.add_argument(
        "--eager", action="store_true", help="compile nothing (MindSpore; PyTorch compiles where --fast says so)"
    )
    parser.add_argument("--fresh", action="store_true", help="start anew, whatever is finished")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")
    parser.add_argument("--debug", action="store_true", help="show the traceback of errors")


def words_of(args: argparse.Namespace) -> list[str]:
    """What `add_what` read, as words again, but for the weights, --save and what is shown."""
    given = {
        "--dataset": args.dataset,
        "--root": args.root.resolve(),
        "--gt": args.gt and args.gt.resolve(),
        "--degradation": args.degradation,
        "--channel": args.channel,
        "--crop": args.crop,
        "--clips": args.clips and ",".join(args.clips),
        "--max-frames": args.max_frames,
        "--keyframe-stride": args.keyframe_stride,
        "--token-stride": args.token_stride,
        "--devices": args.devices,
    }
    words = [word for flag, value in given.items() if value is not None for word in (flag, str(value))]
    return words + [flag for flag in ("--eager", "--fresh", "--quiet", "--debug") if getattr(args, flag[2:])]
