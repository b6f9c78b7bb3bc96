"""A residual network of convolutions as large as they are in use: what `python -m port overhead` captures."""

from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    """Two convolutions with batch norms between and behind, and the way around them. (n, c, h, w) -> the same."""

    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.act = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x):
        return F.relu(x + self.norm2(self.conv2(self.act(self.norm1(self.conv1(x))))))


class Net(nn.Module):
    """Pictures (n, 3, h, w) -> (n, 10)."""

    def __init__(self, channels=64, blocks=6):
        super().__init__()
        self.stem = nn.Conv2d(3, channels, 7, stride=2, padding=3)
        self.blocks = nn.Sequential(*(Block(channels) for _ in range(blocks)))
        self.head = nn.Linear(channels, 10)

    def forward(self, x):
        return self.head(self.blocks(F.relu(self.stem(x))).mean((2, 3)))


def net():
    """The network."""
    return Net()
