"""What the profiles of this folder run: TTVSR with 64 channels, weights drawn, and the flags that say of what size."""

import argparse
import tempfile
from contextlib import contextmanager
from pathlib import Path

from port.bench.request import read_size
from port.errors import UsageError, run_command
from port.train.initial import initial_weights
from port.weights import tensors_file
from port.weights.ttvsr import TTVSRConfig

LEAST = {"frames": 2, "blocks": 1, "rounds": 1}  # of what a profile takes


def parser_of(name, about, frames, size):
    """With the flags that all profiles have. name, about: of the module; frames, size: what they take by default"""
    parser = argparse.ArgumentParser(prog=f"python -m parity_tests.bench.{name}", description=about)
    parser.add_argument("--frames", type=int, default=frames)
    parser.add_argument("--size", default=size, metavar="HxW", help="rows and columns")
    parser.add_argument("--blocks", type=int, default=60, help="residual blocks; fewer for a try")
    parser.add_argument("--json", action="store_true")
    return parser


def request_of(args):
    """The clip that is asked for, as port/bench/worker.py takes it. Raises UsageError for a number that is too small."""
    for name, number in LEAST.items():
        if getattr(args, name, number) < number:
            raise UsageError(f"--{name} must be at least {number}, found {getattr(args, name)}.")
    height, width = read_size(args.size)
    return {"frames": args.frames, "height": height, "width": width}


def run_profile(parse, measure, argv=None):
    """A whole command. parse(argv) -> args; measure(args) -> exit code"""
    args = parse(argv)
    return run_command(lambda: measure(args), debug=False)


@contextmanager
def drawn_weights(blocks):
    """A file of them, as long as the context lasts."""
    with tempfile.TemporaryDirectory(prefix="port-profile-") as folder:
        weights = Path(folder) / "weights.safetensors"
        tensors_file.save(weights, initial_weights(TTVSRConfig(64, blocks), 0))
        yield weights
