"""The port's operators on the probe of the kernel gaps: `python -m ms_model.gaps --probe IN --out OUT`."""

import argparse
import sys

import mindspore
import numpy as np
from mindspore import Tensor, ops

from ms_model import device
from port.errors import run_command
from port.files import write_json
from port.weights import tensors_file


def operators():
    """name -> function of the input"""

    def bicubic(corners):
        return lambda x: ops.interpolate(x, size=(30, 26), mode="bicubic", align_corners=corners)

    return {
        "tanh": ops.tanh,
        "mish": ops.mish,
        "bicubic, align_corners=True": bicubic(True),
        "bicubic, align_corners=False": bicubic(False),
        "exp": ops.exp,
        "sigmoid": ops.sigmoid,
        "softmax": lambda x: ops.softmax(x, -1),
        "grid_sample, nearest, ties": nearest,
        "topk, ties": lambda x: ops.topk(x, 4)[1].astype(x.dtype),
    }


def nearest(x):
    """Places of the pixels that are taken at positions half-way between two. x (n, 11) in pixels, on a row of 12."""
    row = ops.arange(12, dtype=x.dtype).reshape(1, 1, 1, 12)
    grid = ops.stack([x.reshape(1, 1, -1) * 2 / 11 - 1, ops.zeros((1, 1, x.size), x.dtype)], -1)
    return ops.grid_sample(row, grid, mode="nearest", padding_mode="border", align_corners=True)


def measured(name, x, direction):
    """-> {name: output, name@grad: gradient along a direction, where there is one}, in the type of x"""
    function = operators()[name]
    given = Tensor(x)
    if direction is None:
        return {name: function(given).asnumpy()}
    gradient = mindspore.grad(lambda t: (function(t) * Tensor(direction)).sum())(given)
    return {name: function(given).asnumpy(), f"{name}@grad": gradient.asnumpy()}


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m ms_model.gaps", description=__doc__)
    parser.add_argument("--probe", required=True, help="inputs by operator, and directions as NAME@grad, .safetensors")
    parser.add_argument(
        "--out", required=True, help="outputs and gradients, .safetensors; beside it a .json on the device"
    )
    parser.add_argument("--device", default=device.DEVICES[0], choices=device.DEVICES)
    args = parser.parse_args(argv)
    return run_command(lambda: run(args))


def run(args):
    """All operators of the probe. -> 0"""
    device.select(args.device)
    probe = tensors_file.load(args.probe).tensors
    made = {}
    for name in operators():
        x, direction = (probe.get(key) for key in (name, f"{name}@grad"))
        made |= measured(name, x, direction)
    tensors_file.save(args.out, {name: np.ascontiguousarray(array) for name, array in made.items()})
    write_json(f"{args.out}.json", device.describe())
    return 0


if __name__ == "__main__":
    sys.exit(main())
