"""`infer` with a stand-in for the network: a local mean in time and space, every pixel then repeated four times.

Its receptive field is known: RADIUS frames and pixels each way. What lies nearer than that to the edge of a window or of a
tile differs from the whole; everything else is the same to the last bit. Run as a program, it is the process that gets killed.
"""

import sys
import time
from pathlib import Path

import numpy as np

from port.errors import run_command
from port.infer import infer_arguments, run_inference

RADIUS = 2


def local_mean(frames):
    """Mean over 5x5 pixels of 5 frames, edges repeated. (1, t, 3, h, w) float32 -> the same"""
    for axis in (1, 3, 4):
        edges = [(RADIUS, RADIUS) if i == axis else (0, 0) for i in range(5)]
        padded = np.pad(frames, edges, mode="edge")
        count = frames.shape[axis]
        # slice by slice, so that each element is summed in the same order wherever it stands
        frames = sum(padded.take(range(k, k + count), axis) for k in range(2 * RADIUS + 1)) / np.float32(5)
    return frames


def enlarge(frames):
    return local_mean(frames).repeat(4, axis=3).repeat(4, axis=4)


class Calls(list):
    """The shapes the network was given; `load` is what a column hands to run_inference."""

    def __init__(self, pause=0.0):
        super().__init__()
        self.pause = pause

    def load(self, args):
        def upscale(lrs, probe):
            self.append(lrs.shape)
            for k in range(2 + 3 * lrs.shape[1]):
                probe.step(f"step {k}")
            time.sleep(self.pause)
            return enlarge(lrs)

        return upscale


def infer(source, out, *flags, load=None):
    """Run on `source`, with a weights file beside it. -> the exit code; raises PortError"""
    weights = Path(source).parent / "w.bin"
    if not weights.exists():
        weights.write_bytes(b"weights")
    words = ["--weights", weights, "--input", source, "--output", out, *flags]
    args = infer_arguments("infer", ("cpu", "gpu"), [str(word) for word in words])
    return run_command(lambda: run_inference(args, load or Calls().load, lambda: {"framework": "none"}), debug=True)


def words(argv):
    """[seconds to wait in each call, input, output, flags of infer] -> the same, checked for the documents' test."""
    float(argv[0])
    infer_arguments("infer", ("cpu", "gpu"), ["--weights", "w", "--input", argv[1], "--output", argv[2], *argv[3:]])
    return argv


def main(argv):
    return infer(*argv[1:], load=Calls(float(argv[0])).load)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
