"""Building blocks shared by the video super-resolution networks.

Source: the official TTVSR and BasicSR networks, from their description in docs/networks.md.
"""

import torch
import torch.nn.functional as F
from torch import nn

from port.models.vsr import LRELU_SLOPE

RESIDUAL_INIT = 0.1  # residual branches start small so that a deep trunk starts near the identity


def lrelu(x):
    """LeakyReLU with the slope of these networks."""
    # Written over x in inference: a result beside it, 236 MB for a frame of 1280x720, makes the upsampler 10 % slower.
    return F.leaky_relu(x, LRELU_SLOPE, inplace=torch.is_inference_mode_enabled())


class Conv3x3(nn.Conv2d):
    """3x3 convolution, zero padding, same size; by the framework's operator, or by Winograd's algorithm once made fast."""

    def __init__(self, in_channels, out_channels):
        super().__init__(in_channels, out_channels, 3, padding=1)
        self.winograd = None

    def forward(self, x):
        if self.winograd is None:
            return super().forward(x)
        return self.winograd(x, self.weight, self.bias)


def conv3x3(in_channels, out_channels):
    """3x3 convolution, zero padding, same size."""
    return Conv3x3(in_channels, out_channels)


def kaiming_init(conv, scale=1.0):
    """Kaiming-normal, fan-in, gain sqrt(2), times `scale`; zero bias."""
    nn.init.kaiming_normal_(conv.weight, a=0, mode="fan_in", nonlinearity="relu")
    conv.weight.data.mul_(scale)
    nn.init.zeros_(conv.bias)


class ResidualBlock(nn.Module):
    """x + conv2(relu(conv1(x))), no normalisation. (n, c, h, w) -> (n, c, h, w)"""

    def __init__(self, channels):
        super().__init__()
        self.conv1 = conv3x3(channels, channels)
        self.conv2 = conv3x3(channels, channels)
        kaiming_init(self.conv1, RESIDUAL_INIT)
        kaiming_init(self.conv2, RESIDUAL_INIT)

    def forward(self, x):
        in_place = torch.is_inference_mode_enabled()  # what a convolution has just made is nobody else's
        change = self.conv2(F.relu(self.conv1(x), inplace=in_place))
        return change.add_(x) if in_place else x + change


class ResidualTrunk(nn.Module):
    """A convolution, LeakyReLU, then residual blocks. (n, in, h, w) -> (n, out, h, w)"""

    def __init__(self, in_channels, out_channels, num_blocks):
        super().__init__()
        self.main = nn.Sequential(
            conv3x3(in_channels, out_channels),
            nn.LeakyReLU(LRELU_SLOPE),
            nn.Sequential(*[ResidualBlock(out_channels) for _ in range(num_blocks)]),
        )

    def forward(self, x):
        return self.main(x)


class PixelShufflePack(nn.Module):
    """Convolution to 4 * out channels, then pixel shuffle. (n, in, h, w) -> (n, out, 2h, 2w)"""

    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.upsample_conv = conv3x3(in_channels, 4 * out_channels)
        kaiming_init(self.upsample_conv)

    def forward(self, x):
        return F.pixel_shuffle(self.upsample_conv(x), 2)
