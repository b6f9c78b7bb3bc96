"""`run_exported` on both sides: a clip through exported parts, without the network or its weights."""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from port import console
from port.errors import PASSED
from port.export.driver import Driver, check_clip
from port.export.manifest import Export, read_manifest
from port.metrics.levels import to_uint8
from port.models import ttvsr
from port.stream.arguments import positive
from port.stream.network import NetworkProgress
from port.video.read import read_clip
from port.video.write import check_rate, check_target, write_clip


def run_arguments(prog: str, argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of `run_exported`; the same on both sides."""
    parser = argparse.ArgumentParser(prog=prog, description="Enlarge a clip by four with an exported network.")
    parser.add_argument("parts", type=Path, metavar="DIR", help="folder that `export` has written")
    parser.add_argument("--input", required=True, type=Path, help="folder of pictures, video file or .npy")
    parser.add_argument("--output", required=True, type=Path, help="folder for PNGs, .mp4 .mov .mkv, or .npy (float32)")
    parser.add_argument("--max-frames", type=positive, metavar="N", help="read only the first N frames")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")
    parser.add_argument("--debug", action="store_true", help="show the traceback of errors")
    return parser.parse_args(argv)


def run_parts(
    args: argparse.Namespace, kind: str, open_parts: Callable[[Export], Driver], describe: Callable[[], dict]
) -> int:
    """Read, enlarge, write, report on stdout. Returns the exit code; raises PortError."""
    target = check_target(args.output, args.input)
    export = read_manifest(args.parts, kind)
    clip = read_clip(args.input, args.max_frames)
    fps = check_rate(args.output, clip.fps) if target == "video" else None
    lrs = clip.as_network_input()[None]
    check_clip(lrs.shape, export.sizes)
    with console.progress(args.quiet) as display:
        start = time.perf_counter()
        driver = open_parts(export)
        loaded = time.perf_counter()
        output = driver(lrs, NetworkProgress(display, ttvsr.steps_of(lrs.shape[1]), "parts"))[0]
        done = time.perf_counter()
    levels = output if target == "array" else to_uint8(np.ascontiguousarray(output.transpose(0, 2, 3, 1)))
    write_clip(args.output, levels, fps, clip.names)
    summary = {"frames": len(output), "output_size": [output.shape[3], output.shape[2]]}
    summary |= {"seconds": {"load": round(loaded - start, 3), "parts": round(done - loaded, 3)}}
    summary |= {"environment": describe(), "output": str(args.output)}
    if args.json:
        console.print_json(summary)
    else:
        console.stdout.print(f"{args.output}: {len(output)} frames, {done - loaded:.2f} s", markup=False)
    return PASSED
