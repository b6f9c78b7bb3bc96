"""Score the port on a data set: `python -m ms_model.evaluate --weights W --dataset reds4 --root DIR`."""

import sys

from ms_model import device
from ms_model.infer import load
from ms_model.networks import recognise
from port.errors import run_command
from port.evaluate.arguments import evaluate_arguments
from port.evaluate.run import run_evaluation


def run(args):
    """Score one data set as `args` say. Returns the exit code; raises PortError."""
    return run_evaluation(args, load, device.describe, "ms_model.evaluate", recognise)


def main(argv=None):
    args = evaluate_arguments("python -m ms_model.evaluate", device.DEVICES, argv)
    return run_command(lambda: run(args), args.debug)


if __name__ == "__main__":
    sys.exit(main())
