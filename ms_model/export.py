"""Export a network by parts as MindIR: `python -m ms_model.export --weights W --size WIDTHxHEIGHT --out DIR`."""

import sys

import mindspore as ms
import mindspore.ops as F
import numpy as np
from mindspore import nn

from ms_model import device
from ms_model.ltam import as_stored
from ms_model.networks import load_network
from ms_model.run_exported import KIND, open_parts
from port.errors import PortError, run_command
from port.export.command import Column, export_arguments, run_export
from port.export.parts import dtype_of


class Follow(nn.Cell):
    """Warp the propagated features and the location maps to the next frame."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def construct(self, prop, flow, locations):
        grid = (flow.shape[2] // self.net.token_stride, flow.shape[3] // self.net.token_stride)
        return self.net._follow(prop, locations, flow, grid)


class Attention(nn.Cell):
    """LTAM over the first `count` of the keyframes there is room for."""

    def __init__(self, net):
        super().__init__()
        self.LTAM = net.LTAM

    def construct(self, feat, anchor, index, s1, s2, s3, locations, count):
        return self.LTAM.attend(feat, anchor, index, {"s1": s1, "s2": s2, "s3": s3}, locations, count)


class Trunk(nn.Cell):
    """The residual blocks that carry features from frame to frame."""

    def __init__(self, net):
        super().__init__()
        self.resblocks = net.resblocks

    def construct(self, feat, prop):
        return self.resblocks(F.cat([feat, prop], axis=1))


class Tokens(nn.Cell):
    """Tokens of a keyframe as they are stored: index, s1, s2, s3."""

    def __init__(self, net):
        super().__init__()
        self.LTAM = net.LTAM

    def construct(self, feat, prop):
        index, values = as_stored(*self.LTAM.tokenize(feat, prop))
        return index, values["s1"], values["s2"], values["s3"]


class Upsample(nn.Cell):
    """Fuse both directions and enlarge."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def construct(self, backward, feat, forward, lr):
        return self.net._upsample(backward, feat, forward, lr)


WHOLE_PARTS = {"flow": lambda net: net.spynet, "features": lambda net: net.feat_extractor}
PARTS = WHOLE_PARTS | {
    "follow": Follow, "attention": Attention, "trunk": Trunk, "tokens": Tokens, "upsample": Upsample
}  # fmt: skip


def load(args):
    """The network of `args`, nothing compiled."""
    device.select(device.DEVICES[0])
    device.one_after_the_other()
    strides = {"keyframe_stride": args.keyframe_stride, "token_stride": args.token_stride}
    return load_network("auto", args.weights, **strides)


def write(net, name, part, path):
    """Write one part for its shapes. Raises PortError where the framework refuses it."""
    cell = PARTS[name](net).set_train(False)
    inputs = [ms.Tensor(np.zeros(shape, dtype_of(entry))) for entry, shape in part.inputs.items()]
    try:
        ms.export(cell, *inputs, file_name=str(path), file_format="MINDIR")
    except (RuntimeError, TypeError, ValueError) as error:
        raise PortError(f"MindSpore cannot export the part {name!r}: {str(error).strip().splitlines()[0]}") from error


def enlarge(net, lrs, probe):
    """The network on one clip, frame by frame as the parts run, nothing compiled. (1, t, 3, h, w) -> (1, t, 3, 4h, 4w)"""
    net.spynet.construct = one_by_one(net.spynet.construct)
    net.feat_extractor.construct = one_by_one(net.feat_extractor.construct)
    net.watch(probe)
    return to_array(net(ms.Tensor(lrs)))


def one_by_one(method):
    """A method on batches of pictures, given one at a time: for a batch, kernels go other ways and round otherwise."""
    return lambda *batches: F.cat([method(*[x[i : i + 1] for x in batches]) for i in range(len(batches[0]))])


def to_array(tensor):
    """What a tensor holds."""
    return tensor.asnumpy()


COLUMN = Column(KIND, True, load, write, enlarge, to_array, open_parts, device.describe)


def main(argv=None):
    args = export_arguments("python -m ms_model.export", argv)
    return run_command(lambda: run_export(args, COLUMN), args.debug)


if __name__ == "__main__":
    sys.exit(main())
