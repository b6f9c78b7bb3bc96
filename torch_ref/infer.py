"""Super-resolve a clip with the reference: `python -m torch_ref.infer --weights W --input IN --output OUT`."""

import sys

import torch

from port.errors import run_command
from port.infer import infer_arguments, run_inference
from torch_ref import device, speed
from torch_ref.half import use_dtype
from torch_ref.networks import load_network, recognise


def load(args):
    """The network of `args` as a function of arrays: (1, t, 3, h, w) float32 -> t of (1, 3, 4h, 4w), as they are known"""
    name = device.select(args.device)
    strides = {"keyframe_stride": args.keyframe_stride, "token_stride": args.token_stride}
    net = use_dtype(load_network(args.model, args.weights, **strides), args.dtype, args.device)
    speed.apply(net, args.fast, args.device)

    def upscale(lrs, probe):
        net.watch(probe)
        return (frame.cpu().numpy() for frame in net.frames(torch.as_tensor(lrs, device=name)))

    return upscale


def run(args):
    """Upscale one clip as `args` say. Returns the exit code; raises PortError."""
    return run_inference(args, load, device.describe, recognise)


def main(argv=None):
    args = infer_arguments("python -m torch_ref.infer", device.DEVICES, argv)
    return run_command(lambda: run(args), args.debug)


if __name__ == "__main__":
    sys.exit(main())
