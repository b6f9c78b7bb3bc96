"""Memory of one training pass of the reference; `python -m port train-memory` starts it."""

import sys

from port.errors import run_command
from port.train.memory import run_measurement
from torch_ref import device
from torch_ref.train import Engine


def main(argv=None):
    return run_command(
        lambda: run_measurement("python -m torch_ref.train_memory", device.DEVICES, device.select, Engine, argv)
    )


if __name__ == "__main__":
    sys.exit(main())
