"""SPyNet optical flow: a coarse-to-fine pyramid, each level refining the flow of the one before.

Source: Ranjan and Black, CVPR 2017, in the form used by BasicVSR and TTVSR.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from torch import nn

from torch_ref.warp import flow_warp

LEVELS = 6  # the coarsest works at 1/32 of the size
CHANNELS = (8, 32, 64, 32, 16, 2)  # reference, warped support and flow go in; a change of flow comes out
MULTIPLE = 2 ** (LEVELS - 1)


class SPyNetLevel(nn.Module):
    """Five 7x7 convolutions, ReLU between them. (n, 8, h, w) -> (n, 2, h, w)"""

    def __init__(self):
        super().__init__()
        last = len(CHANNELS) - 2
        self.basic_module = nn.Sequential(
            *[
                ConvModule(a, b, 7, padding=3, norm_cfg=None, act_cfg={"type": "ReLU"} if i < last else None)
                for i, (a, b) in enumerate(pairwise(CHANNELS))
            ]
        )

    def forward(self, x):
        return self.basic_module(x)


class SPyNet(nn.Module):
    """Flow from each reference picture to its support picture.

    ref, supp (n, 3, h, w) RGB in [0, 1] -> (n, 2, h, w) in pixels, channel 0 is dx, channel 1 is dy
    """

    def __init__(self):
        super().__init__()
        self.basic_module = nn.ModuleList([SPyNetLevel() for _ in range(LEVELS)])
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))  # ImageNet, RGB
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))

    def forward(self, ref, supp):
        h, w = ref.shape[2:]
        size = (-(-h // MULTIPLE) * MULTIPLE, -(-w // MULTIPLE) * MULTIPLE)
        flow = self._coarse_to_fine(self._pyramid(ref, size), self._pyramid(supp, size))
        flow = F.interpolate(flow, size=(h, w), mode="bilinear", align_corners=False)
        return torch.stack([flow[:, 0] * (w / size[1]), flow[:, 1] * (h / size[0])], dim=1)

    def _pyramid(self, x, size):
        """Resized to `size`, normalised, and halved again and again; coarsest first."""
        x = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
        levels = [(x - self.mean) / self.std]
        for _ in range(LEVELS - 1):
            levels.append(F.avg_pool2d(levels[-1], 2, stride=2, count_include_pad=False))
        return levels[::-1]

    def _coarse_to_fine(self, refs, supps):
        n, _, h, w = refs[0].shape
        flow = refs[0].new_zeros(n, 2, h, w)
        for level, (ref, supp) in enumerate(zip(refs, supps, strict=True)):
            if level > 0:
                flow = F.interpolate(flow, size=ref.shape[2:], mode="bilinear", align_corners=True) * 2.0
            warped = flow_warp(supp, flow)
            flow = flow + self.basic_module[level](torch.cat([ref, warped, flow], dim=1))
        return flow
