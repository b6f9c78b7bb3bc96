"""`evaluate` of a column whose network repeats every pixel four times: `python -m parity_tests.evaluate.stand_in`

STAND_IN_DIES_AT=n  the process is killed at its n-th clip (from 0)
STAND_IN_RESTS=DIR  its first clip takes a minute; a file named by the process's id in DIR says that it has begun
"""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from port.errors import run_command
from port.evaluate.arguments import evaluate_arguments
from port.evaluate.run import run_evaluation

DEVICES = ("cpu", "cuda")
given = []  # shapes of the arrays the network was given


def enlarged(frames):
    """(..., h, w) -> (..., 4h, 4w)"""
    return frames.repeat(4, axis=-2).repeat(4, axis=-1)


def load(args):
    """The network as a function of arrays, stepping like TTVSR."""

    def upscale(lrs, probe):
        if os.environ.get("STAND_IN_DIES_AT") == str(len(given)):
            os.kill(os.getpid(), signal.SIGKILL)
        if folder := os.environ.get("STAND_IN_RESTS"):
            (Path(folder) / str(os.getpid())).touch()
            time.sleep(60)
        given.append(lrs.shape)
        for label in [
            "flows",
            "features",
            *(f"{way}.{i:02d}" for way in ("bwd", "fwd", "up") for i in range(lrs.shape[1])),
        ]:
            probe.step(label)
        return enlarged(lrs).astype(np.float32)

    return upscale


def describe():
    """Facts of the process that matter when clips are shared out."""
    names = ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")
    return {"framework": "none", "version": "1", "device": "cpu", **{name: os.environ.get(name) for name in names}}


def run(argv, load=load):
    """One evaluation in this process, errors raised. -> exit code"""
    args = evaluate_arguments("stand_in", DEVICES, [str(word) for word in argv])
    return run_command(lambda: run_evaluation(args, load, describe, "parity_tests.evaluate.stand_in"), debug=True)


def main(argv=None):
    args = evaluate_arguments("stand_in", DEVICES, argv)
    return run_command(lambda: run_evaluation(args, load, describe, "parity_tests.evaluate.stand_in"), args.debug)


if __name__ == "__main__":
    sys.exit(main())
