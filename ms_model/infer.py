"""Super-resolve a clip with the port: `python -m ms_model.infer --weights W --input IN --output OUT`."""

import sys

import mindspore as ms

from ms_model import device, speed
from ms_model.half import use_dtype
from ms_model.networks import load_network, recognise
from port.errors import UsageError, run_command
from port.infer import infer_arguments, run_inference


def load(args):
    """The network of `args` as a function of arrays: (1, t, 3, h, w) float32 -> t of (1, 3, 4h, 4w), as they are known"""
    device.select(args.device)
    strides = {"keyframe_stride": args.keyframe_stride, "token_stride": args.token_stride}
    net = use_dtype(load_network(args.model, args.weights, **strides), args.dtype, args.device)
    if args.eager and "compiled" in args.fast:
        raise UsageError("--fast compiled and --eager exclude each other. Name one of them.")
    names = args.fast if args.eager else ("compiled", *args.fast)
    speed.apply(net, names, args.device)

    def upscale(lrs, probe):
        net.watch(probe)
        return (frame.asnumpy() for frame in net.frames(ms.Tensor(lrs)))

    return upscale


def run(args):
    """Upscale one clip as `args` say. Returns the exit code; raises PortError."""
    return run_inference(args, load, device.describe, recognise)


def main(argv=None):
    args = infer_arguments("python -m ms_model.infer", device.DEVICES, argv)
    return run_command(lambda: run(args), args.debug)


if __name__ == "__main__":
    sys.exit(main())
