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
    parser.add_argument("--gt", help="the clip's ground truth: adds the mean PSNR of frames against it")
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


def quality(frames, truth):
    """Mean over frames of the PSNR against the truth."""
    squares = [np.square(a.astype(np.float32) - b).mean() for a, b in zip(frames, truth, strict=True)]
    return float(np.mean([decibels(square) for square in squares]))


def change(frames, index):
    return np.abs(frames[index].astype(np.int16) - frames[index - 1]).mean()


def decibels(square):
    return math.inf if square == 0 else 10 * math.log10(255**2 / square)


def cut_up(args, whole, folder):
    """(name, frames, first frames behind cuts in time) of every way of cutting that was asked for."""
    for window, overlap in args.windows:
        flags = ("--window", window, "--overlap", overlap, "--tile", "none")
        cuts = [place.keep_from for place in plan(len(whole), window, overlap)[1:]]
        yield f"window {window}, overlap {overlap}", frames_of(args, folder / f"w{window}-{overlap}", *flags), cuts
    for h, w, overlap in args.tiles:
        flags = ("--window", args.max_frames, "--overlap", 0, "--tile", h, w, "--tile-overlap", overlap)
        yield f"tile {h}x{w}, overlap {overlap}", frames_of(args, folder / f"t{h}-{w}-{overlap}", *flags), ()


def main(argv=None):
    args = parse(argv)
    truth = args.gt and read_clip(args.gt, args.max_frames).frames
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        whole = frames_of(args, folder / "whole", "--window", args.max_frames, "--overlap", 0, "--tile", "none")
        rows = [(row(name, whole, frames, cuts), frames) for name, frames, cuts in cut_up(args, whole, folder)]
    print("| | PSNR | worst frame | worst column | levels | step |" + (" PSNR against the truth |" if args.gt else ""))
    print("|---" * (7 if args.gt else 6) + "|")
    if args.gt:
        print(f"| in one piece | | | | | | {quality(whole, truth):.2f} |")
    for (name, *values, seen), frames in rows:
        cells = [name, *(f"{value:.1f}" for value in values), "" if math.isnan(seen) else f"{seen:.2f}"]
        cells += [f"{quality(frames, truth):.2f}"] if args.gt else []
        print(f"| {' | '.join(cells)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
