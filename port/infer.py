"""Super-resolve a clip: everything that is the same on both sides, from the command line to the files written.

The two columns only say how a network is loaded: `torch_ref/infer.py` and `ms_model/infer.py`.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np
from rich.progress import Progress
from rich.table import Table

from port import console
from port.errors import PortError
from port.files import sha256_file
from port.metrics.levels import to_uint8
from port.models import ttvsr as facts
from port.parity.probe import Probe
from port.video.clip import Clip
from port.video.read import read_clip
from port.video.write import check_rate, check_target, write_clip

Upscale = Callable[[np.ndarray, Probe], np.ndarray]  # (1, t, 3, h, w) float32 -> (1, t, 3, 4h, 4w), telling the probe


def infer_arguments(prog: str, devices: Sequence[str], argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of `infer`; the same on both sides but for the devices, of which the first is the default."""
    parser = argparse.ArgumentParser(prog=prog, description="Enlarge a clip by four in each direction.")
    parser.add_argument("--weights", required=True, type=Path, help="weights file of the network")
    parser.add_argument("--input", required=True, type=Path, help="folder of pictures, video file or .npy")
    parser.add_argument("--output", required=True, type=Path, help="folder for PNGs, .mp4 .mov .mkv, or .npy (float32)")
    parser.add_argument("--model", default="auto", choices=("auto", "ttvsr"), help="auto: read off the weights")
    parser.add_argument(
        "--keyframe-stride", type=_positive, default=facts.KEYFRAME_STRIDE, metavar="N", help="frames between keyframes"
    )
    parser.add_argument(
        "--token-stride",
        type=_positive,
        default=facts.TOKEN_STRIDE,
        metavar="N",
        help="pixels along a token, a multiple of 4",
    )
    parser.add_argument("--max-frames", type=_positive, metavar="N", help="read only the first N frames")
    parser.add_argument(
        "--fps", type=_rate, help="rate of the video written, such as 25 or 30000/1001; default: the input's"
    )
    parser.add_argument("--device", default=devices[0], choices=devices)
    parser.add_argument("--eager", action="store_true", help="compile nothing (MindSpore; PyTorch here never does)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")
    parser.add_argument("--debug", action="store_true", help="show the traceback of errors")
    return parser.parse_args(argv)


def _positive(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, found {text!r}")
    return number


def _rate(text: str) -> Fraction:
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= 1000:
        raise argparse.ArgumentTypeError(f"expected frames per second such as 25 or 30000/1001, found {text!r}")
    return rate


def run_inference(
    args: argparse.Namespace,
    load: Callable[[argparse.Namespace], Upscale],
    describe: Callable[[], dict],
) -> int:
    """Read, load, upscale, write, and report on stdout. Returns the exit code; raises PortError.

    load      makes the network of `args` and returns it as a function on arrays
    describe  versions and device of the framework, asked for once the network has run
    """
    kind = check_target(args.output, args.input)
    if not args.weights.is_file():
        raise PortError(f"cannot read the weights {args.weights}: there is no such file.")
    seconds: dict[str, float] = {}
    with console.progress(args.quiet) as display:
        with _stage("read", seconds, args):
            clip = read_clip(args.input, args.max_frames)
            fps = check_rate(args.output, args.fps or clip.fps) if kind == "video" else None
        with _stage("load", seconds, args):
            upscale = load(args)
        with _stage("network", seconds, args), _memory_errors(clip):
            output = upscale(prepare(clip, args.token_stride), NetworkProgress(display, len(clip.frames)))
        output = crop_output(output, clip)
        with _stage("write", seconds, args):
            write_clip(args.output, output[0] if kind == "array" else finish(output), fps, clip.names)
    report(summarise(args, clip, output, seconds, describe()), args.json)
    return 0


@contextmanager
def _stage(name: str, seconds: dict[str, float], args: argparse.Namespace) -> Iterator[None]:
    """Announce a stage and time it."""
    if not args.quiet:
        console.note(f"{name} ...")
    start = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - start


@contextmanager
def _memory_errors(clip: Clip) -> Iterator[None]:
    """Say what to do when memory runs out; frameworks report that in classes of their own."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "memory" not in str(error).lower():
            raise
        t, h, w, _ = clip.frames.shape
        raise PortError(f"not enough memory for {t} frames of {w}x{h}. Take fewer with --max-frames.") from error


def prepare(clip: Clip, token_stride: int = facts.TOKEN_STRIDE) -> np.ndarray:
    """What the network is given. -> (1, t, 3, h, w) float32 RGB in [0, 1], h and w at least 64

    8-bit values are divided by 255 in float32. Sides under 64 are reflected up to it at the right and bottom, as often
    as that takes (a side of one pixel is repeated); every other size stays as it is, multiple of anything or not.
    """
    frames = clip.as_network_input()
    least = max(facts.MIN_SIZE, 2 * token_stride)
    missing = [max(0, least - side) for side in frames.shape[2:]]
    if any(missing):
        frames = np.pad(frames, ((0, 0), (0, 0), (0, missing[0]), (0, missing[1])), mode="reflect")
    return frames[None]


def crop_output(output: np.ndarray, clip: Clip) -> np.ndarray:
    """Cut off what `prepare` added. (1, t, 3, 4h', 4w') -> (1, t, 3, 4h, 4w) of the clip's h and w"""
    t, h, w, _ = clip.frames.shape
    cropped = output[..., : facts.SCALE * h, : facts.SCALE * w]
    if cropped.shape != (1, t, 3, facts.SCALE * h, facts.SCALE * w):
        raise PortError(f"the network gave {output.shape} for {t} frames of {w}x{h}: it does not enlarge by 4.")
    return cropped


def finish(output: np.ndarray) -> np.ndarray:
    """Frames to look at. (1, t, 3, h, w) nominally in [0, 1] -> (t, h, w, 3) uint8, clamped and rounded"""
    return to_uint8(np.ascontiguousarray(output[0].transpose(0, 2, 3, 1)))


class NetworkProgress(Probe):
    """A bar that moves on with every step the network enters."""

    def __init__(self, display: Progress, frames: int):
        self.display = display
        # flows and features of the whole clip, then each frame backward, forward and upsampled
        self.task = display.add_task("network", total=2 + 3 * frames)

    def step(self, label: str) -> None:
        self.display.update(self.task, advance=1, description=f"network {label}")


def summarise(args: argparse.Namespace, clip: Clip, output: np.ndarray, seconds: dict, environment: dict) -> dict:
    """The result as data. Sizes are [width, height]; seconds_per_frame counts the network alone."""
    t, h, w, _ = clip.frames.shape
    return {
        "frames": t,
        "input_size": [w, h],
        "output_size": [output.shape[4], output.shape[3]],
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "seconds_per_frame": round(seconds["network"] / t, 4),
        "device": args.device,
        "environment": environment,
        "weights": str(args.weights),
        "weights_sha256": sha256_file(args.weights),
        "output": str(args.output),
    }


def report(summary: dict, as_json: bool) -> None:
    """Print the summary on stdout, as JSON or as a short table."""
    if as_json:
        return console.print_json(summary)
    table = Table(show_header=False, box=None)
    (w, h), (out_w, out_h) = summary["input_size"], summary["output_size"]
    table.add_row("frames", f"{summary['frames']}, {w}x{h} -> {out_w}x{out_h}")
    table.add_row("seconds", ", ".join(f"{name} {value:.2f}" for name, value in summary["seconds"].items()))
    table.add_row("per frame", f"{summary['seconds_per_frame']:.3f} s on {summary['device']}")
    table.add_row("output", summary["output"])
    console.stdout.print(table)
