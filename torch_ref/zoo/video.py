"""TTVSR with few channels: flow, trajectories, attention, fusion of both directions. Charbonnier loss; Adam, slow flow."""

from unittest.mock import patch

import torch

from port.selftest.video import target
from torch_ref import spynet
from torch_ref.blocks import PixelShufflePack, ResidualTrunk, conv3x3
from torch_ref.loss import charbonnier
from torch_ref.ttvsr import TTVSR

CHANNELS, WIDE = 4, 2  # of the features, of the upsampler
FLOW_CHANNELS = (8, 6, 2)


def net():
    """The network; every frame is a keyframe, so that two of them compete in a clip of three."""
    with patch.object(spynet, "CHANNELS", FLOW_CHANNELS):
        network = TTVSR(mid_channels=CHANNELS, num_blocks=1, keyframe_stride=1)
    network.feat_extractor = ResidualTrunk(3, CHANNELS, 1)
    network.upsample2 = PixelShufflePack(CHANNELS, WIDE)
    network.conv_hr = conv3x3(WIDE, WIDE)
    network.conv_last = conv3x3(WIDE, 3)
    return network


def loss(output, inputs):
    """Charbonnier distance from a high-resolution clip."""
    return charbonnier(output, torch.from_numpy(target()).to(output))


def optimizer(network):
    """Adam, an eighth of the rate for the flow, along half a cosine."""
    slow = list(network.spynet.parameters())
    fast = [p for name, p in network.named_parameters() if not name.startswith("spynet")]
    adam = torch.optim.Adam([{"params": fast}, {"params": slow, "lr": 0.00025}], lr=0.002, betas=(0.9, 0.99))
    return adam, torch.optim.lr_scheduler.CosineAnnealingLR(adam, 4, 1e-5)
