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

RUNS = ((2, 64), (32, 64), (4, 128), (16, 128), (3, 160))  # frames, pixels of a side


def parse(argv=None):
    parser = argparse.ArgumentParser(prog="python -m parity_tests.stream.memory_table", description=__doc__)
    parser.add_argument("column", choices=("torch_ref", "ms_model"))
    parser.add_argument("--json", action="store_true", help="print what infer printed, a line per run")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    with tempfile.TemporaryDirectory(prefix="port-memory-") as folder:
        weights = Path(folder) / "weights.safetensors"
        tensors_file.save(weights, initial_weights(TTVSRConfig(64, 60), 0))
        for frames, side in RUNS:
            made = measured(args.column, weights, frames, side, Path(folder))
            line = f"{frames} frames of {side}x{side}: measured {made['peak_memory'] / 1e6:.0f} MB, "
            line += f"estimated {made['estimated_memory'] / 1e6:.0f} MB"
            print(json.dumps({"frames": frames, "side": side} | made) if args.json else line, flush=True)
    return 0


def measured(column, weights, frames, side, folder):
    """The JSON of one run."""
    clip, out = folder / "in.npy", folder / f"out{frames}x{side}.npy"
    np.save(clip, np.random.default_rng(0).random((frames, 3, side, side), dtype=np.float32))
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
    words += ["--window", str(frames), "--tile", "none", "--json", "--quiet"]
    done = subprocess.run(words, cwd=ROOT, env=surroundings(), stdout=subprocess.PIPE, check=True, text=True)
    out.unlink()
    return json.loads(done.stdout)


if __name__ == "__main__":
    sys.exit(main())
