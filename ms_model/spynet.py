"""SPyNet optical flow: a coarse-to-fine pyramid, each level refining the flow of the one before.

Source: Ranjan and Black, CVPR 2017, in the form used by BasicVSR and TTVSR.
"""

from itertools import pairwise

import mindspore.ops as F
import numpy as np
from mindspore import Parameter, Tensor, nn
from mindspore.common.initializer import HeNormal, initializer

from ms_model.warp import flow_warp

LEVELS = 6  # the coarsest works at 1/32 of the size
CHANNELS = (8, 32, 64, 32, 16, 2)  # reference, warped support and flow go in; a change of flow comes out
MULTIPLE = 2 ** (LEVELS - 1)


class ConvModule(nn.Cell):
    """7x7 convolution, zero padding, with or without ReLU; named and initialised as mmcv's ConvModule."""

    def __init__(self, in_channels, out_channels, activate):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 7, pad_mode="pad", padding=3, has_bias=True)
        self.conv.weight.set_data(
            initializer(HeNormal(mode="fan_out", nonlinearity="relu"), self.conv.weight.shape).init_data()
        )
        self.conv.bias.set_data(initializer("zeros", self.conv.bias.shape).init_data())
        self.activate = nn.ReLU() if activate else None

    def construct(self, x):
        x = self.conv(x)
        return x if self.activate is None else self.activate(x)


class SPyNetLevel(nn.Cell):
    """Five 7x7 convolutions, ReLU between them. (n, 8, h, w) -> (n, 2, h, w)"""

    def __init__(self):
        super().__init__()
        last = len(CHANNELS) - 2
        self.basic_module = nn.SequentialCell(
            *[ConvModule(a, b, activate=i < last) for i, (a, b) in enumerate(pairwise(CHANNELS))]
        )

    def construct(self, x):
        return self.basic_module(x)


class SPyNet(nn.Cell):
    """Flow from each reference picture to its support picture.

    ref, supp (n, 3, h, w) RGB in [0, 1] -> (n, 2, h, w) in pixels, channel 0 is dx, channel 1 is dy
    """

    def __init__(self):
        super().__init__()
        self.basic_module = nn.CellList([SPyNetLevel() for _ in range(LEVELS)])
        # Parameters without gradient, not buffers: parameters_dict(), hence a .ckpt, leaves buffers out.
        self.mean = _constant([0.485, 0.456, 0.406], "mean")  # ImageNet, RGB
        self.std = _constant([0.229, 0.224, 0.225], "std")

    def construct(self, ref, supp):
        h, w = ref.shape[2:]
        size = (-(-h // MULTIPLE) * MULTIPLE, -(-w // MULTIPLE) * MULTIPLE)
        flow = self._coarse_to_fine(self._pyramid(ref, size), self._pyramid(supp, size))
        flow = F.interpolate(flow, size=(h, w), mode="bilinear", align_corners=False)
        return F.stack([flow[:, 0] * (w / size[1]), flow[:, 1] * (h / size[0])], axis=1)

    def _pyramid(self, x, size):
        """Resized to `size`, normalised, and halved again and again; coarsest first."""
        x = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
        levels = [(x - self.mean) / self.std]
        for _ in range(LEVELS - 1):
            levels.append(F.avg_pool2d(levels[-1], 2, stride=2, count_include_pad=False))
        return levels[::-1]

    def _coarse_to_fine(self, refs, supps):
        n, _, h, w = refs[0].shape
        flow = F.zeros((n, 2, h, w), refs[0].dtype)
        for level in range(LEVELS):
            ref, supp = refs[level], supps[level]
            if level > 0:
                flow = F.interpolate(flow, size=ref.shape[2:], mode="bilinear", align_corners=True) * 2.0
            warped = flow_warp(supp, flow)
            flow = flow + self.basic_module[level](F.cat([ref, warped, flow], axis=1))
        return flow


def _constant(values, name):
    """One number per channel, (1, 3, 1, 1), saved with the weights and never trained."""
    return Parameter(Tensor(np.array(values, np.float32).reshape(1, 3, 1, 1)), name=name, requires_grad=False)
