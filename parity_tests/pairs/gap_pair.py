"""A healthy pair whose port computes with kernels that are known to err: tanh as a module and between modules, Mish, bicubic.

Tests plant mistakes by replacing text in a copy of this file.
"""

import numpy as np


def torch_net():
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3, padding=1)
            self.tanh = nn.Tanh()
            self.larger = nn.Upsample((20, 13), mode="bicubic", align_corners=True)
            self.mish = nn.Mish()
            self.last = nn.Conv2d(4, 4, 3, padding=1)

        def forward(self, x):
            x = self.larger(self.tanh(5 * self.conv(x)))
            x = self.mish(5 * x)
            return torch.tanh(self.last(x))

    torch.manual_seed(5)
    net = Net()
    with torch.no_grad():
        net.last.weight *= 5
    return net


def ms_net():
    from mindspore import nn, ops

    class Upsample(nn.Cell):
        def construct(self, x):
            return ops.interpolate(x, size=(20, 13), mode="bicubic", align_corners=True)

    class Net(nn.Cell):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3, pad_mode="pad", padding=1, has_bias=True)
            self.tanh = nn.Tanh()
            self.larger = Upsample()
            self.mish = nn.Mish()
            self.last = nn.Conv2d(4, 4, 3, pad_mode="pad", padding=1, has_bias=True)

        def construct(self, x):
            x = self.larger(self.tanh(5 * self.conv(x)))
            x = self.mish(5 * x)
            return ops.tanh(self.last(x))

    return Net()


def inputs():
    return np.random.default_rng(3).standard_normal((2, 3, 9, 8)).astype(np.float32)


def torch_optimizer(net):
    import torch

    return torch.optim.SGD(net.parameters(), lr=0.05)


def ms_optimizer(net):
    from mindspore import nn

    return nn.SGD(net.trainable_params(), learning_rate=0.05)
