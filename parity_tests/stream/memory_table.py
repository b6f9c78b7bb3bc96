"""What `infer` takes and what it says beforehand that it takes: `python -m parity_tests.stream.memory_table torch_ref`.

The network has the official 64 channels and 60 blocks, which compiled take memory of their own, and sees every clip in
one window. One run a line, each in a process of its own.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from port.processes import ROOT, surroundings
from port.train.initial import initial_weights
from port.weights import tensors_file
from port.weights.ttvsr import TTVSRConfig

RUNS = (  # frames, width, height
    (2, 64, 64), (32, 64, 64), (4, 128, 128), (16, 128, 128), (3, 160, 160),
    (2, 320, 180), (12, 320, 180), (2, 640, 360),
)  # fmt: skip
LONG = ((100, 320, 180),)  # takes a quarter of an hour


def parse(argv=None):
    parser = argparse.ArgumentParser(prog="python -m parity_tests.stream.memory_table", description=__doc__)
    parser.add_argument("column", choices=("torch_ref", "ms_model"))
    parser.add_argument("--long", action="store_true", help="100 frames of 320x180 instead, a quarter of an hour")
    parser.add_argument("--json", action="store_true", help="print what infer printed, a line per run")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    with tempfile.TemporaryDirectory(prefix="port-memory-") as folder:
        weights = Path(folder) / "weights.safetensors"
        tensors_file.save(weights, initial_weights(TTVSRConfig(64, 60), 0))
        for frames, width, height in LONG if args.long else RUNS:
            made = measured(args.column, weights, (frames, 3, height, width), Path(folder))
            line = f"{frames} frames of {width}x{height}: measured {made['peak_memory'] / 1e6:.0f} MB, "
            line += f"estimated {made['estimated_memory'] / 1e6:.0f} MB"
            print(
                json.dumps({"frames": frames, "width": width, "height": height} | made) if args.json else line,
                flush=True,
            )
    return 0


def measured(column, weights, shape, folder):
    """The JSON of one run on a clip (t, 3, h, w)."""
    clip, out = folder / "in.npy", folder / "out.npy"
    np.save(clip, np.random.default_rng(0).random(shape, dtype=np.float32))
    words = [
        sys.executable,
        "-m",
        f"{column}.infer",
        "--weights",
        str(weights),
        "--input",
        str(clip),
        "--output",
        str(out),
    ]
    words += ["--window", str(shape[0]), "--tile", "none", "--json", "--quiet"]
    done = subprocess.run(words, cwd=ROOT, env=surroundings(), stdout=subprocess.PIPE, check=True, text=True)
    out.unlink()
    return json.loads(done.stdout)


if __name__ == "__main__":
    sys.exit(main())
