"""The flags of `infer`, the same on both sides but for the devices."""

import argparse
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from port.models import ttvsr as facts
from port.models.speed import fast_names
from port.models.table import NETWORKS
from port.stream.choose import OVERLAP, TILE_OVERLAP, Wanted

DTYPES = ("float32", "bfloat16", "float16")


def infer_arguments(prog: str, devices: Sequence[str], argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of `infer`; of the devices, the first is the default."""
    parser = argparse.ArgumentParser(prog=prog, description="Enlarge a clip by four in each direction.")
    add = parser.add_argument
    add("--weights", required=True, type=Path, help="weights file of the network")
    add("--input", required=True, type=Path, help="folder of pictures, video file or .npy")
    add("--output", required=True, type=Path, help="folder for PNGs, .mp4 .mov .mkv, or .npy (float32)")
    add("--model", default="auto", choices=("auto", *NETWORKS), help="auto: read off the weights")
    add("--keyframe-stride", type=positive, default=facts.KEYFRAME_STRIDE, metavar="N", help="frames between keyframes")
    add(
        "--token-stride",
        type=positive,
        default=facts.TOKEN_STRIDE,
        metavar="N",
        help="pixels along a token, a multiple of 4",
    )
    add("--max-frames", type=positive, metavar="N", help="read only the first N frames")
    add("--fps", type=_rate, help="rate of the video written, such as 25 or 30000/1001; default: the input's")
    _add_cutting(add)
    add("--compare", type=Path, metavar="PATH", help="also write bicubic and result side by side: a video, or .png")
    add(
        "--compare-frame",
        type=_count,
        metavar="N",
        help="frame of a --compare picture, from 0; default: the middle one",
    )
    add("--overwrite", action="store_true", help="replace an output that exists and the pieces of another job")
    add("--device", default=devices[0], choices=devices)
    dtype = parser.add_mutually_exclusive_group()
    dtype.add_argument("--dtype", default=DTYPES[0], choices=DTYPES, help="element type of the convolutions' work")
    dtype.add_argument(
        "--half", action="store_const", dest="dtype", const="float16", help="the same as --dtype float16"
    )
    add(
        "--fast", type=fast_names, default=(), metavar="NAME[,NAME]",
        help="faster ways: docs/speed-modes.md; none: not even the usual",
    )  # fmt: skip
    add("--eager", action="store_true", help="compile nothing (MindSpore; PyTorch compiles where --fast says so)")
    add("--json", action="store_true", help="print the result as JSON")
    add("--quiet", action="store_true", help="no progress on stderr")
    add("--debug", action="store_true", help="show the traceback of errors")
    args = parser.parse_args(argv)
    if isinstance(args.tile, list):
        args.tile = _tile(parser, args.tile)
    return args


def _add_cutting(add) -> None:
    add("--window", type=_or_auto(positive), metavar="N", help="frames that go through the network together, or auto")
    add(
        "--overlap",
        type=_count,
        metavar="N",
        help=f"frames that windows share; default: {OVERLAP}, less for short ones",
    )
    add("--tile", nargs="+", default="auto", metavar="H W", help="size of tiles in pixels of the input, auto, or none")
    add("--tile-overlap", type=_count, default=TILE_OVERLAP, metavar="N", help="pixels that tiles share")
    add("--memory", type=_gibibytes, metavar="GIB", help="memory to plan with; default: what is free")


def wanted(args: argparse.Namespace) -> Wanted:
    """What the command line says about windows and tiles."""
    return Wanted(args.window, args.overlap, args.tile, args.tile_overlap)


def positive(text: str) -> int:
    """A whole number from 1 on."""
    return _whole(text, 1)


def _count(text: str) -> int:
    return _whole(text, 0)


def _whole(text: str, least: int) -> int:
    number = int(text) if text.isascii() and text.isdigit() else -1
    if number < least:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least {least}, found {text!r}")
    return number


def _or_auto(kind):
    return lambda text: None if text == "auto" else kind(text)


def _tile(parser: argparse.ArgumentParser, words: list[str]) -> tuple[int, int] | str | None:
    if words in (["auto"], ["none"]):
        return "auto" if words == ["auto"] else None
    if len(words) != 2 or not all(word.isascii() and word.isdigit() for word in words):
        parser.error(f"argument --tile: expected height and width in pixels, auto, or none, found {' '.join(words)!r}")
    return int(words[0]), int(words[1])


def _gibibytes(text: str) -> float:
    try:
        size = float(text)
    except ValueError:
        size = 0.0
    if not 0 < size < 1e6:
        raise argparse.ArgumentTypeError(f"expected GiB of memory such as 8 or 2.5, found {text!r}")
    return size


def _rate(text: str) -> Fraction:
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= 1000:
        raise argparse.ArgumentTypeError(f"expected frames per second such as 25 or 30000/1001, found {text!r}")
    return rate
