"""What `--fast tf32` would do to a score, without a GPU: `python -m parity_tests.bench.tf32_score`, flags of `evaluate`.

TF32 rounds both operands of a product to 10 bits of mantissa and adds up in float32. Here input and weight of every
convolution are rounded so before the framework computes it; biases, and all that is no convolution, stay as they are.
"""

import sys

import torch
from torch.nn import functional

from port.errors import UsageError, run_command
from port.evaluate.arguments import evaluate_arguments
from port.evaluate.run import run_evaluation
from torch_ref import device
from torch_ref.infer import load
from torch_ref.networks import recognise

CUT = 13  # bits of float32's mantissa (23) that TF32 leaves out
exact = functional.conv2d


def rounded(x):
    """Float32 numbers with the mantissa of TF32, to the nearest; halfway, away from zero."""
    bits = x.view(torch.int32) + (1 << CUT - 1)
    return (bits & -(1 << CUT)).view(torch.float32)


def coarse(x, weight, *rest, **named):
    """A convolution as a GPU computes it in TF32."""
    return exact(rounded(x), rounded(weight), *rest, **named)


def run(args):
    """Score with every convolution rounded. -> the exit code"""
    functional.conv2d = coarse
    try:
        return run_evaluation(args, load, describe, "parity_tests.bench.tf32_score", recognise)
    finally:
        functional.conv2d = exact


def describe():
    """As of the reference, with a version of its own: no score of it is taken for an exact one."""
    told = device.describe()
    return told | {"version": f"{told['version']}, convolutions in TF32"}


def parse(argv=None):
    """Raises UsageError for ways whose convolutions are others than PyTorch's, or in other types."""
    args = evaluate_arguments("python -m parity_tests.bench.tf32_score", ("cpu",), argv)
    if wrong := set(args.fast) - {"none", "keep_memory", "channels_last"}:
        raise UsageError(f"--fast {wrong.pop()} does not go with TF32 played through. Leave it out.")
    return args


def main(argv=None):
    return run_command(lambda: run(parse(argv)), debug=False)


if __name__ == "__main__":
    sys.exit(main())
