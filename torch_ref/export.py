"""Export a network by parts as ONNX: `python -m torch_ref.export --weights W --size WIDTHxHEIGHT --out DIR`."""

import logging
import sys
import warnings
from contextlib import contextmanager

import torch
from torch import nn

from port.errors import PortError, run_command
from port.export.command import Column, export_arguments, run_export
from port.export.parts import dtype_of
from torch_ref import device
from torch_ref.ltam import as_stored
from torch_ref.networks import load_network
from torch_ref.run_exported import KIND, open_parts


class Follow(nn.Module):
    """Warp the propagated features and the location maps to the next frame."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, prop, flow, locations):
        grid = (flow.shape[2] // self.net.token_stride, flow.shape[3] // self.net.token_stride)
        return self.net._follow(prop, locations, flow, grid)


class Attention(nn.Module):
    """LTAM over the first `count` of the keyframes there is room for."""

    def __init__(self, net):
        super().__init__()
        self.LTAM = net.LTAM

    def forward(self, feat, anchor, index, s1, s2, s3, locations, count):
        attended, winner = self.LTAM.attend(feat, anchor, index, {"s1": s1, "s2": s2, "s3": s3}, locations, count)
        return attended, winner.to(torch.int32)


class Trunk(nn.Module):
    """The residual blocks that carry features from frame to frame."""

    def __init__(self, net):
        super().__init__()
        self.resblocks = net.resblocks

    def forward(self, feat, prop):
        return self.resblocks(torch.cat([feat, prop], dim=1))


class Tokens(nn.Module):
    """Tokens of a keyframe as they are stored: index, s1, s2, s3."""

    def __init__(self, net):
        super().__init__()
        self.LTAM = net.LTAM

    def forward(self, feat, prop):
        index, values = as_stored(*self.LTAM.tokenize(feat, prop))
        return index, values["s1"], values["s2"], values["s3"]


class Upsample(nn.Module):
    """Fuse both directions and enlarge."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, backward, feat, forward, lr):
        return self.net._upsample(backward, feat, forward, lr)


OPSET = 18  # the newest that the Ascend compiler takes

WHOLE_PARTS = {"flow": lambda net: net.spynet, "features": lambda net: net.feat_extractor}
PARTS = WHOLE_PARTS | {
    "follow": Follow, "attention": Attention, "trunk": Trunk, "tokens": Tokens, "upsample": Upsample
}  # fmt: skip


def load(args):
    """The network of `args`, nothing compiled."""
    device.select(device.DEVICES[0])
    strides = {"keyframe_stride": args.keyframe_stride, "token_stride": args.token_stride}
    return load_network("auto", args.weights, **strides)


def write(net, name, part, path):
    """Write one part for its shapes. Raises PortError where the framework refuses it."""
    module = PARTS[name](net).eval()
    inputs = [torch.zeros(shape, dtype=getattr(torch, dtype_of(entry))) for entry, shape in part.inputs.items()]
    try:
        # The exporter by tracing (dynamo=False) gives wrong flows and refuses two parts: docs/export.md.
        with torch.no_grad(), _quiet():
            names = {"input_names": list(part.inputs), "output_names": list(part.outputs)}
            how = {"dynamo": True, "opset_version": OPSET, "external_data": False, "verbose": False}
            torch.onnx.export(module, tuple(inputs), path, **names, **how)
    except (RuntimeError, TypeError, ValueError) as error:
        raise PortError(f"PyTorch cannot export the part {name!r}: {str(error).strip().splitlines()[0]}") from error


@contextmanager
def _quiet():
    """Keep remarks about packages that are not needed, and about PyTorch's own use of itself, off stderr."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def enlarge(net, lrs, probe):
    """The network on one clip, frame by frame as the parts run, nothing compiled. (1, t, 3, h, w) -> (1, t, 3, 4h, 4w)"""
    net.spynet.forward = one_by_one(net.spynet.forward)
    net.feat_extractor.forward = one_by_one(net.feat_extractor.forward)
    net.watch(probe)
    with torch.no_grad():
        return to_array(net(torch.from_numpy(lrs)))


def one_by_one(method):
    """A method on batches of pictures, given one at a time: for a batch, kernels go other ways and round otherwise."""
    return lambda *batches: torch.cat([method(*[x[i : i + 1] for x in batches]) for i in range(len(batches[0]))])


def to_array(tensor):
    """What a tensor holds."""
    return tensor.cpu().numpy()


COLUMN = Column(KIND, False, load, write, enlarge, to_array, open_parts, device.describe)


def main(argv=None):
    args = export_arguments("python -m torch_ref.export", argv)
    return run_command(lambda: run_export(args, COLUMN), args.debug)


if __name__ == "__main__":
    sys.exit(main())
