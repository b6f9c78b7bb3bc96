"""TTVSR with few channels: flow, trajectories, attention, fusion of both directions. Charbonnier loss; Adam, slow flow."""

from unittest.mock import patch

from mindspore import Tensor
from mindspore.experimental import optim

from ms_model import spynet
from ms_model.blocks import PixelShufflePack, ResidualTrunk, conv3x3
from ms_model.loss import charbonnier
from ms_model.ttvsr import TTVSR
from port.selftest.video import target

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
    return charbonnier(output, Tensor(target()))


def optimizer(network):
    """Adam, an eighth of the rate for the flow, along half a cosine."""
    slow = list(network.spynet.trainable_params())
    fast = [p for name, p in network.parameters_and_names() if p.requires_grad and not name.startswith("spynet")]
    groups = [{"params": fast}, {"params": slow, "lr": 0.00025}]
    # without decay AdamW is Adam, and it adds epsilon where PyTorch does; MindSpore's own Adam does not
    adam = optim.AdamW(groups, lr=0.002, betas=(0.9, 0.99), weight_decay=0.0)
    return adam, optim.lr_scheduler.CosineAnnealingLR(adam, 4, 1e-5)
