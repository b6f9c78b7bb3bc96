"""A small classifier of pictures: convolutions of all kinds, normalisations, pooling. Cross entropy; SGD."""

import torch
from torch import nn
from torch.nn import functional as F


class Reflect(nn.Module):
    """Mirrored border of one pixel."""

    def forward(self, x):
        return F.pad(x, (1, 1, 1, 1), mode="reflect")


class Clamp(nn.Module):
    """Values cut off at -1 and 1."""

    def forward(self, x):
        return x.clamp(-1, 1)


class Net(nn.Module):
    """x (n, 3, 16, 16), labels (n,) -> scores (n, 5)."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.act = nn.LeakyReLU(0.1)
        self.grouped = nn.Conv2d(8, 8, 3, padding=1, groups=4)
        self.group_norm = nn.GroupNorm(4, 8)
        self.average = nn.AvgPool2d(3, stride=1, padding=1)
        self.dilated = nn.Conv2d(8, 8, 3, padding=2, dilation=2)
        self.up = nn.ConvTranspose2d(8, 8, 4, stride=2, padding=1)
        self.reflect = Reflect()
        self.mirrored = nn.Conv2d(8, 8, 3)
        self.clamp = Clamp()
        self.largest = nn.MaxPool2d(2)
        self.dropout = nn.Dropout(0.0)
        self.head = nn.Linear(512, 5)

    def forward(self, x, labels):
        x = self.act(self.norm(self.stem(x)))
        x = x + self.group_norm(self.grouped(x))
        x = self.dilated(self.average(x))
        x = self.mirrored(self.reflect(self.up(x)))
        x = self.dropout(self.largest(self.clamp(self.clamp(x))))  # the second time, values on the bound
        return self.head(x.flatten(1))


def net():
    """The network."""
    return Net()


def loss(output, inputs):
    """Cross entropy against the labels, the second input."""
    return F.cross_entropy(output, inputs[1].long())


def optimizer(network):
    """SGD with momentum."""
    return torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
