"""What windows and tiles cost: PSNR of the result against that of the whole clip in one piece.

python -m parity_tests.stream.seams torch_ref --weights W --input CLIP --windows 14,4 16,8 --tiles 64,96,32
"""

import argparse
import importlib
import math
import sys
import tempfile
from pathlib import Path

import numpy as np

from port.stream.windows import plan
from port.video.read import read_clip


def parse(argv=None):
    parser = argparse.ArgumentParser(prog="python -m parity_tests.stream.seams", description=__doc__.splitlines()[0])
    parser.add_argument("column", choices=("torch_ref", "ms_model"))
    parser.add_argument("--weights", required=True)
    parser.add_argument("--input", required=True)
    parser.add_argument("--max-frames", type=int, required=True, metavar="N", help="frames of the clip")
    parser.add_argument("--windows", nargs="*", default=[], type=numbers(2), metavar="WINDOW,OVERLAP")
    parser.add_argument("--tiles", nargs="*", default=[], type=numbers(3), metavar="H,W,OVERLAP")
    return parser.parse_args(argv)


def numbers(count):
    def read(text):
        parts = tuple(int(part) for part in text.split(","))
        if len(parts) != count:
            raise argparse.ArgumentTypeError(f"expected {count} numbers with commas between them, found {text!r}")
        return parts

    return read


def frames_of(args, folder, *flags):
    """uint8 frames of one run of the command."""
    main = importlib.import_module(f"{args.column}.infer").main
    words = ["--weights", args.weights, "--input", args.input, "--max-frames", args.max_frames, "--output", folder]
    if main([str(word) for word in (*words, "--quiet", *flags)]):
        sys.exit(3)
    return read_clip(folder).frames


def row(name, whole, frames, cuts=()):
    """PSNR over all frames together, of the worst frame, of the worst column of pixels; the largest difference in levels; the
    step at a cut.

    cuts  the first frame behind each cut in time
    """
    each = [np.square(a.astype(np.float32) - b) for a, b in zip(whole, frames, strict=True)]
    columns = np.mean([square.mean(axis=(0, 2)) for square in each], axis=0)
    means = [float(square.mean()) for square in each]
    return [name, decibels(np.mean(means)), decibels(max(means)), decibels(columns.max()), np.sqrt(max(map(np.max, each))),
            step(whole, frames, cuts)]  # fmt: skip


def step(whole, frames, cuts):
    """How many times as much the picture changes at a cut as it does there in the clip in one piece; of the worst cut.

    The change is the mean difference between a frame and the one before. 1: nothing to be seen in motion.
    """
    return max((change(frames, cut) / change(whole, cut) for cut in cuts), default=math.nan)


def change(frames, index):
    return np.abs(frames[index].astype(np.int16) - frames[index - 1]).mean()


def decibels(square):
    return math.inf if square == 0 else 10 * math.log10(255**2 / square)


def main(argv=None):
    args = parse(argv)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        whole = frames_of(args, Path(scratch) / "whole", "--window", args.max_frames, "--overlap", 0, "--tile", "none")
        for window, overlap in args.windows:
            flags = ("--window", window, "--overlap", overlap, "--tile", "none")
            rows.append(
                row(
                    f"window {window}, overlap {overlap}",
                    whole,
                    frames_of(args, Path(scratch) / f"w{len(rows)}", *flags),
                    [place.keep_from for place in plan(len(whole), window, overlap)[1:]],
                )
            )
        for h, w, overlap in args.tiles:
            flags = ("--window", args.max_frames, "--overlap", 0, "--tile", h, w, "--tile-overlap", overlap)
            rows.append(
                row(f"tile {h}x{w}, overlap {overlap}", whole, frames_of(args, Path(scratch) / f"t{len(rows)}", *flags))
            )
    print("| | PSNR | worst frame | worst column | levels | step |\n|---|---|---|---|---|---|")
    for name, *values, seen in rows:
        print(
            f"| {name} | {' | '.join(f'{value:.1f}' for value in values)} | {'' if math.isnan(seen) else f'{seen:.2f}'} |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
