"""A healthy pair: convolution, batch norm, leaky ReLU, pooling, layer norm, GELU, square dense layers, a residual; SGD.

Tests plant mistakes by replacing text in a copy of this file.
"""

import numpy as np


def torch_net():
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)
            self.norm = nn.BatchNorm2d(8)
            self.act = nn.LeakyReLU(0.1)
            self.pool = nn.AvgPool2d(2)
            self.first = nn.Linear(32, 32)
            self.layer_norm = nn.LayerNorm(32)
            self.gelu = nn.GELU()
            self.second = nn.Linear(32, 32)

        def forward(self, x):
            x = self.pool(self.act(self.norm(self.conv(x))))
            x = self.gelu(self.layer_norm(self.first(x.flatten(1))))
            return {"sum": x + self.second(x), "parts": (x * 2, 3)}

    torch.manual_seed(5)
    net = Net()
    with torch.no_grad():  # statistics of a network that has been trained
        net.norm.running_mean.uniform_(-0.3, 0.3)
        net.norm.running_var.uniform_(0.3, 2.0)
    return net


def ms_net():
    from mindspore import nn

    class Net(nn.Cell):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 8, 3, stride=2, pad_mode="pad", padding=1, has_bias=True)
            self.norm = nn.BatchNorm2d(8, momentum=0.9)
            self.act = nn.LeakyReLU(0.1)
            self.pool = nn.AvgPool2d(2, stride=2)
            self.first = nn.Dense(32, 32)
            self.layer_norm = nn.LayerNorm((32,), epsilon=1e-5)
            self.gelu = nn.GELU(approximate=False)
            self.second = nn.Dense(32, 32)

        def construct(self, x):
            x = self.pool(self.act(self.norm(self.conv(x))))
            x = self.gelu(self.layer_norm(self.first(x.flatten(start_dim=1))))
            return {"sum": x + self.second(x), "parts": (x * 2, 3)}

    return Net()


def inputs():
    return np.random.default_rng(3).standard_normal((4, 3, 8, 8)).astype(np.float32)


def loss(output, inputs):
    return (output["sum"] ** 2).mean() + output["parts"][0].mean()


def torch_optimizer(net):
    import torch

    return torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)


def ms_optimizer(net):
    from mindspore import nn

    return nn.SGD(net.trainable_params(), learning_rate=0.05, momentum=0.9)
