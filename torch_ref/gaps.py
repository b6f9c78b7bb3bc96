"""The reference's operators on the probe of the kernel gaps: `python -m torch_ref.gaps --probe IN --out OUT`."""

import argparse
import sys

import numpy as np
import torch
from torch.nn import functional

from port.errors import run_command
from port.weights import tensors_file


def operators():
    """name -> function of the input"""

    def bicubic(corners):
        return lambda x: functional.interpolate(x, size=(30, 26), mode="bicubic", align_corners=corners)

    return {
        "tanh": torch.tanh,
        "mish": functional.mish,
        "bicubic, align_corners=True": bicubic(True),
        "bicubic, align_corners=False": bicubic(False),
        "exp": torch.exp,
        "sigmoid": torch.sigmoid,
        "softmax": lambda x: functional.softmax(x, -1),
        "grid_sample, nearest, ties": nearest,
        "topk, ties": lambda x: torch.topk(x, 4)[1].to(x.dtype),
    }


def nearest(x):
    """Places of the pixels that are taken at positions half-way between two. x (n, 11) in pixels, on a row of 12."""
    row = torch.arange(12, dtype=x.dtype).reshape(1, 1, 1, 12)
    grid = torch.stack([x.reshape(1, 1, -1) * 2 / 11 - 1, torch.zeros(1, 1, x.numel(), dtype=x.dtype)], -1)
    return functional.grid_sample(row, grid, mode="nearest", padding_mode="border", align_corners=True)


def measured(name, x, direction):
    """-> {name: output, name@grad: gradient along a direction, where there is one}, in the type of x"""
    function = operators()[name]
    given = torch.from_numpy(x).requires_grad_(direction is not None)
    output = function(given)
    if direction is None:
        return {name: output.detach().numpy()}
    (output * torch.from_numpy(direction).to(output)).sum().backward()
    return {name: output.detach().numpy(), f"{name}@grad": given.grad.numpy()}


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m torch_ref.gaps", description=__doc__)
    parser.add_argument("--probe", required=True, help="inputs by operator, and directions as NAME@grad, .safetensors")
    parser.add_argument("--out", required=True, help="outputs and gradients, .safetensors")
    parser.add_argument("--dtype", default="float32", choices=("float32", "float64"))
    args = parser.parse_args(argv)
    return run_command(lambda: run(args))


def run(args):
    """All operators of the probe. -> 0"""
    probe = tensors_file.load(args.probe).tensors
    made = {}
    for name in operators():
        x, direction = (probe[key].astype(args.dtype) if key in probe else None for key in (name, f"{name}@grad"))
        made |= measured(name, x, direction)
    tensors_file.save(args.out, {name: np.ascontiguousarray(array) for name, array in made.items()})
    return 0


if __name__ == "__main__":
    sys.exit(main())
