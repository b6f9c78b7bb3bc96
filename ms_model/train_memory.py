"""Memory of one training pass of the port; `python -m port train-memory` starts it."""

import sys

from ms_model import device
from ms_model.train import Engine, select
from port.errors import run_command
from port.train.memory import run_measurement


def main(argv=None):
    return run_command(lambda: run_measurement("python -m ms_model.train_memory", device.DEVICES, select, Engine, argv))


if __name__ == "__main__":
    sys.exit(main())
