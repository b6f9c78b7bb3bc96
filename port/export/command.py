"""`export` on both sides: from the command line to a folder of parts, and the proof that they are the network."""

import argparse
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from port import console
from port.errors import PARITY_FAILED, PASSED, PortError
from port.export.check import Seen, compare, judge, made_clip, result, show
from port.export.driver import Driver, check_clip
from port.export.manifest import Export, read_manifest, write_manifest
from port.export.parts import Part, Sizes, parts_of
from port.files import whole_folder
from port.models import ttvsr as facts
from port.parity.probe import Probe
from port.stream.arguments import positive
from port.video.read import read_clip

KEYFRAMES = 10  # unless asked for otherwise: clips of 31 frames


@dataclass(frozen=True)
class Column:
    """What a column adds to the export.

    kind       "mindir" or "onnx", also the files' extension
    exact      whether the parts run on the very kernels of the network
    load       arguments -> the network
    write      (network, part's name, part, path): write one part
    enlarge    (network, (1, t, 3, h, w), probe) -> (1, t, 3, 4h, 4w), nothing compiled
    to_array   tensor -> array
    open_parts export -> driver
    describe   versions of the framework
    """

    kind: str
    exact: bool
    load: Callable[[argparse.Namespace], Any]
    write: Callable[[Any, str, Part, Path], None]
    enlarge: Callable[[Any, np.ndarray, Probe], np.ndarray]
    to_array: Callable[[Any], np.ndarray]
    open_parts: Callable[[Export], Driver]
    describe: Callable[[], dict]


def export_arguments(prog: str, argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of `export`; the same on both sides."""
    parser = argparse.ArgumentParser(prog=prog, description="Export a network by parts, for frames of one size.")
    parser.add_argument("--weights", required=True, type=Path, help="weights file of the network")
    parser.add_argument(
        "--size", required=True, type=frame_size, metavar="WIDTHxHEIGHT", help="of the frames that go in"
    )
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="new folder for the parts")
    parser.add_argument(
        "--keyframes", type=positive, default=KEYFRAMES, metavar="N", help=f"room for N keyframes (default {KEYFRAMES})"
    )
    for name, default in (("keyframe", facts.KEYFRAME_STRIDE), ("token", facts.TOKEN_STRIDE)):
        parser.add_argument(f"--{name}-stride", type=positive, default=default, metavar="N", help=f"default {default}")
    parser.add_argument(
        "--check",
        nargs="?",
        const=True,
        metavar="CLIP",
        help="read the parts back and compare with the network, on a clip (default: one made for it)",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")
    parser.add_argument("--debug", action="store_true", help="show the traceback of errors")
    return parser.parse_args(argv)


def frame_size(text: str) -> tuple[int, int]:
    """(width, height) from `320x180`."""
    if not (found := re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text, re.ASCII)):
        raise argparse.ArgumentTypeError(f"expected WIDTHxHEIGHT such as 320x180, found {text!r}")
    return int(found[1]), int(found[2])


def run_export(args: argparse.Namespace, column: Column) -> int:
    """Export, check if asked to, report on stdout. Returns the exit code; raises PortError."""
    if not args.weights.is_file():
        raise PortError(f"cannot read the weights {args.weights}: there is no such file.")
    net = column.load(args)
    width, height = args.size
    sizes = Sizes(
        width, height, net.mid_channels, num_blocks(net), args.token_stride, args.keyframe_stride, args.keyframes
    )
    clip = checking_clip(args.check, sizes) if args.check else None
    seconds = write_parts(args, net, sizes, column)
    summary: dict[str, Any] = {"output": str(args.out), "keyframes": sizes.keyframes, "max_frames": sizes.max_frames}
    summary |= {"seconds": seconds, "environment": column.describe()}
    if clip is not None:
        summary["check"] = prove(args.out, net, clip, column)
    if args.json:
        console.print_json(summary)
    else:
        console.stdout.print(f"{args.out}: {len(seconds)} parts for {width}x{height}, up to {sizes.max_frames} frames")
        if clip is not None:
            show(summary["check"])
    return PASSED if clip is None or summary["check"]["equal"] else PARITY_FAILED


def num_blocks(net: Any) -> int:
    """Residual blocks of the trunk."""
    return len(net.resblocks.main[2])


def write_parts(args: argparse.Namespace, net: Any, sizes: Sizes, column: Column) -> dict[str, float]:
    """The folder of parts, whole or not at all. -> seconds by part"""
    parts, seconds, files = parts_of(sizes), {}, {}
    with whole_folder(args.out) as folder, console.progress(args.quiet) as display:
        task = display.add_task("export", total=len(parts))
        for name, part in parts.items():
            display.update(task, description=f"export {name}")
            start = time.perf_counter()
            files[name] = folder / f"{name}.{column.kind}"
            column.write(net, name, part, files[name])
            files[name].chmod(0o644)  # MindSpore leaves files read-only for their owner
            seconds[name] = round(time.perf_counter() - start, 2)
            display.advance(task)
        write_manifest(folder, column.kind, sizes, files, args.weights, column.describe())
    return seconds


def checking_clip(source: str | bool, sizes: Sizes) -> np.ndarray:
    """The clip of the proof. -> (1, t, 3, h, w)"""
    if source is True:
        return made_clip(sizes)
    frames = read_clip(Path(source), sizes.max_frames).as_network_input()[None]
    check_clip(frames.shape, sizes)
    return frames


def prove(folder: Path, net: Any, clip: np.ndarray, column: Column) -> dict:
    """The network and its parts, read back, on one clip."""
    seen, found = Seen(column.to_array), Seen(np.asarray)
    wanted = column.enlarge(net, clip, seen)[0]
    got = column.open_parts(read_manifest(folder, column.kind))(clip, found)[0]
    rows = compare(seen.values, found.values)
    return result(rows, judge(rows, (wanted, got), column.exact), (wanted, got), column.exact)
