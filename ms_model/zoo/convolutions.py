"""A residual network of convolutions as large as they are in use: what `python -m port overhead` captures."""

from mindspore import nn, ops


class Block(nn.Cell):
    """Two convolutions with batch norms between and behind, and the way around them. (n, c, h, w) -> the same."""

    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, pad_mode="pad", padding=1)
        self.norm1 = nn.BatchNorm2d(channels)
        self.act = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, pad_mode="pad", padding=1)
        self.norm2 = nn.BatchNorm2d(channels)

    def construct(self, x):
        return ops.relu(x + self.norm2(self.conv2(self.act(self.norm1(self.conv1(x))))))


class Net(nn.Cell):
    """Pictures (n, 3, h, w) -> (n, 10)."""

    def __init__(self, channels=64, blocks=6):
        super().__init__()
        self.stem = nn.Conv2d(3, channels, 7, stride=2, pad_mode="pad", padding=3, has_bias=True)
        self.blocks = nn.SequentialCell(*(Block(channels) for _ in range(blocks)))
        self.head = nn.Dense(channels, 10)

    def construct(self, x):
        return self.head(self.blocks(ops.relu(self.stem(x))).mean((2, 3)))


def net():
    """The network."""
    return Net()
