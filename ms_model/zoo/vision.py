"""A small classifier of pictures: convolutions of all kinds, normalisations, pooling. Cross entropy; SGD."""

from mindspore import nn, ops


class Reflect(nn.Cell):
    """Mirrored border of one pixel."""

    def construct(self, x):
        return ops.pad(x, (1, 1, 1, 1), mode="reflect")


class Clamp(nn.Cell):
    """Values cut off at -1 and 1."""

    def construct(self, x):
        return ops.clamp(x, -1, 1)


class Net(nn.Cell):
    """x (n, 3, 16, 16), labels (n,) -> scores (n, 5)."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, pad_mode="pad", padding=1, has_bias=True)
        self.norm = nn.BatchNorm2d(8, momentum=0.9)
        self.act = nn.LeakyReLU(0.1)
        self.grouped = nn.Conv2d(8, 8, 3, pad_mode="pad", padding=1, group=4, has_bias=True)
        self.group_norm = nn.GroupNorm(4, 8)
        self.average = nn.AvgPool2d(3, stride=1, pad_mode="pad", padding=1)
        self.dilated = nn.Conv2d(8, 8, 3, pad_mode="pad", padding=2, dilation=2, has_bias=True)
        self.up = nn.Conv2dTranspose(8, 8, 4, stride=2, pad_mode="pad", padding=1, has_bias=True)
        self.reflect = Reflect()
        self.mirrored = nn.Conv2d(8, 8, 3, pad_mode="valid", has_bias=True)
        self.clamp = Clamp()
        self.largest = nn.MaxPool2d(2, stride=2)
        self.dropout = nn.Dropout(p=0.0)
        self.head = nn.Dense(512, 5)

    def construct(self, x, labels):
        x = self.act(self.norm(self.stem(x)))
        x = x + self.group_norm(self.grouped(x))
        x = self.dilated(self.average(x))
        x = self.mirrored(self.reflect(self.up(x)))
        x = self.dropout(self.largest(self.clamp(self.clamp(x))))  # the second time, values on the bound
        return self.head(x.flatten(start_dim=1))


def net():
    """The network."""
    return Net()


def loss(output, inputs):
    """Cross entropy against the labels, the second input."""
    return ops.cross_entropy(output, inputs[1])


def optimizer(network):
    """SGD with momentum."""
    return nn.SGD(network.trainable_params(), learning_rate=0.05, momentum=0.9)
