"""A small denoiser and its port, the example of docs/porting.md: down by a strided convolution, a gate over channels, up again.

The document quotes the port line by line and makes mistakes in it; parity_tests/pairs/test_porting.py makes the same ones.
"""

import numpy as np


def torch_net():
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Gate(nn.Module):
        """Every channel times a factor in (0, 1) made from the means of all channels."""

        def __init__(self, channels):
            super().__init__()
            self.squeeze = nn.Linear(channels, channels // 2)
            self.gelu = nn.GELU()
            self.excite = nn.Linear(channels // 2, channels)

        def forward(self, x):  # (n, c, h, w)
            mean = x.mean((2, 3))  # (n, c)
            factor = torch.sigmoid(self.excite(self.gelu(self.squeeze(mean))))
            return x * factor[:, :, None, None]

    class Denoiser(nn.Module):
        """Noisy pictures (n, 3, h, w), h and w even -> the same without the noise."""

        def __init__(self):
            super().__init__()
            self.head = nn.Conv2d(3, 8, 3, padding=1)
            self.down = nn.Conv2d(8, 16, 3, stride=2, padding=1)
            self.norm = nn.BatchNorm2d(16)
            self.act = nn.LeakyReLU(0.1)
            self.gate = Gate(16)
            self.tail = nn.Conv2d(24, 3, 3, padding=1)

        def forward(self, x):
            fine = self.head(x)  # (n, 8, h, w)
            coarse = self.gate(self.act(self.norm(self.down(fine))))  # (n, 16, h/2, w/2)
            coarse = F.interpolate(coarse, size=fine.shape[2:], mode="bilinear", align_corners=False)
            return x - self.tail(torch.cat([fine, coarse], 1))  # the network predicts the noise

    torch.manual_seed(11)
    net = Denoiser()
    with torch.no_grad():  # statistics and a gate of a network that has been trained
        net.norm.running_mean.uniform_(-0.3, 0.3)
        net.norm.running_var.uniform_(0.3, 2.0)
        net.gate.squeeze.weight.mul_(8)
    return net


def ms_net():
    from mindspore import nn, ops

    class Gate(nn.Cell):
        """Every channel times a factor in (0, 1) made from the means of all channels."""

        def __init__(self, channels):
            super().__init__()
            self.squeeze = nn.Dense(channels, channels // 2)
            self.gelu = nn.GELU(approximate=False)
            self.excite = nn.Dense(channels // 2, channels)

        def construct(self, x):  # (n, c, h, w)
            mean = x.mean((2, 3))  # (n, c)
            factor = ops.sigmoid(self.excite(self.gelu(self.squeeze(mean))))
            return x * factor[:, :, None, None]

    class Denoiser(nn.Cell):
        """Noisy pictures (n, 3, h, w), h and w even -> the same without the noise."""

        def __init__(self):
            super().__init__()
            self.head = nn.Conv2d(3, 8, 3, pad_mode="pad", padding=1, has_bias=True)
            self.down = nn.Conv2d(8, 16, 3, stride=2, pad_mode="pad", padding=1, has_bias=True)
            self.norm = nn.BatchNorm2d(16, momentum=0.9)
            self.act = nn.LeakyReLU(0.1)
            self.gate = Gate(16)
            self.tail = nn.Conv2d(24, 3, 3, pad_mode="pad", padding=1, has_bias=True)

        def construct(self, x):
            fine = self.head(x)  # (n, 8, h, w)
            coarse = self.gate(self.act(self.norm(self.down(fine))))  # (n, 16, h/2, w/2)
            coarse = ops.interpolate(coarse, size=fine.shape[2:], mode="bilinear", align_corners=False)
            return x - self.tail(ops.cat([fine, coarse], 1))  # the network predicts the noise

    return Denoiser()


def inputs():
    return np.random.default_rng(8).standard_normal((4, 3, 16, 16)).astype(np.float32)


def loss(output, inputs):
    return (output**2).mean()


def torch_optimizer(net):
    import torch

    return torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)


def ms_optimizer(net):
    from mindspore import nn

    return nn.SGD(net.trainable_params(), learning_rate=0.05, momentum=0.9)
