"""Starts a trainer for a test: `python -m parity_tests.train.start COLUMN ARGUMENTS ...`.

The networks take patches of 16x16 here, a sixteenth of the work; they are the real ones otherwise. Environment:

HALT_IN_WRITE=N   the Nth checkpoint stops in the middle of its file, for as long as it takes to be killed; "halted" on stdout
FULL_DISK=N       the disk is full when the Nth checkpoint is written
POISON=N          in iteration N one pixel of the truth is no number
SPIKE=N           in iteration N the truth is a thousand times too bright
PATIENCE=S        seconds that other processes get to end by themselves once one has failed
"""

import errno
import importlib
import os
import sys
import time
from pathlib import Path

from port.data.batches import Batches
from port.models import ttvsr as facts
from port.train import launch
from port.weights import tensors_file

SIDE = 16


def number(name):
    return int(os.environ.get(name, 0))


def hook_writes(write):
    """Writing that goes wrong at the file of the Nth checkpoint."""
    seen = []

    def hooked(path, arrays):
        if "checkpoints" in str(path):
            seen.append(path)
        if "checkpoints" in str(path) and len(seen) == number("FULL_DISK"):
            Path(path).write_bytes(b"\0" * 1000)
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, arrays)
        if "checkpoints" in str(path) and len(seen) == number("HALT_IN_WRITE"):
            whole = Path(path).read_bytes()
            Path(path).write_bytes(whole[: len(whole) // 2])
            print("halted", flush=True)
            time.sleep(600)

    return hooked


def hook_batches(batch):
    def hooked(self, index):
        lq, gt = batch(self, index)
        if index + 1 == number("POISON"):
            gt[0, 0, 0, 0, 0] = float("nan")
        if index + 1 == number("SPIKE"):
            gt *= 1000
        return lq, gt

    return hooked


if __name__ == "__main__":
    facts.MIN_SIZE = SIDE
    launch.PATIENCE = number("PATIENCE") or launch.PATIENCE
    tensors_file.write = hook_writes(tensors_file.write)
    Batches.batch = hook_batches(Batches.batch)
    processes = importlib.import_module(f"{sys.argv[1]}.distributed")
    engine = processes.command  # its processes are to pass through here, too
    processes.command = lambda count, port, logs, module, arguments: engine(
        count, port, logs, "parity_tests.train.start", [sys.argv[1], *arguments]
    )
    sys.exit(importlib.import_module(f"{sys.argv[1]}.train").main(sys.argv[2:]))
