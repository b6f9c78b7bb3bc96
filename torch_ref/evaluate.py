"""Score the reference on a data set: `python -m torch_ref.evaluate --weights W --dataset reds4 --root DIR`."""

import sys

from port.errors import run_command
from port.evaluate.arguments import evaluate_arguments
from port.evaluate.run import run_evaluation
from torch_ref import device
from torch_ref.infer import load
from torch_ref.networks import recognise


def run(args):
    """Score one data set as `args` say. Returns the exit code; raises PortError."""
    return run_evaluation(args, load, device.describe, "torch_ref.evaluate", recognise)


def main(argv=None):
    args = evaluate_arguments("python -m torch_ref.evaluate", device.DEVICES, argv)
    return run_command(lambda: run(args), args.debug)


if __name__ == "__main__":
    sys.exit(main())
