"""Moving and resizing pictures: a warp by a flow, resizing, folding, shuffling. Charbonnier loss; Adam on a cosine."""

import mindspore
from mindspore import Tensor, nn, ops
from mindspore.experimental import optim


class Positions(nn.Cell):
    """Grid of pixel positions plus a flow in pixels, scaled to -1 ... 1. flow (n, 2, h, w) -> (n, h, w, 2), x first."""

    def construct(self, flow):
        h, w = flow.shape[2:]
        rows, columns = ops.meshgrid(ops.arange(h), ops.arange(w), indexing="ij")
        x = 2 * (columns + flow[:, 0]) / (w - 1) - 1
        y = 2 * (rows + flow[:, 1]) / (h - 1) - 1
        return ops.stack((x, y), -1)


class Warp(nn.Cell):
    """Sampled at positions between pixels, the border repeated."""

    def construct(self, x, positions):
        return ops.grid_sample(x, positions, mode="bilinear", padding_mode="border", align_corners=True)


class Pool(nn.Cell):
    """Averaged down to 4x4."""

    def construct(self, x):
        return ops.adaptive_avg_pool2d(x, 4)


class Enlarge(nn.Cell):
    """Bilinear, to 12x12."""

    def construct(self, x):
        return ops.interpolate(x, size=(12, 12), mode="bilinear", align_corners=False)


class Repeat(nn.Cell):
    """Nearest, to 12x12."""

    def construct(self, x):
        return ops.interpolate(x, size=(12, 12), mode="nearest")


class Overlap(nn.Cell):
    """Cut into overlapping 6x6 pieces and put together again, divided by how many lie on each pixel."""

    def construct(self, x):
        size = Tensor(x.shape[2:], mindspore.int32)
        n, c = x.shape[:2]
        pieces, ones = (ops.unfold(y, 6, padding=1, stride=4).reshape(n, c, 36, -1) for y in (x, ops.ones_like(x)))
        return ops.fold(pieces, size, 6, 1, 1, 4) / ops.fold(ones, size, 6, 1, 1, 4)


class Average(nn.Cell):
    """Means of windows of two, as a picture's pyramid is made."""

    def construct(self, x):
        return ops.avg_pool2d(x, 2, 2)


class Net(nn.Cell):
    """x (n, 3, 12, 12) -> (n, 3, 24, 24)."""

    def __init__(self):
        super().__init__()
        self.features = nn.Conv2d(3, 8, 3, pad_mode="pad", padding=1, has_bias=True)
        self.flow = nn.Conv2d(8, 2, 3, pad_mode="pad", padding=1, has_bias=True)
        self.positions = Positions()
        self.warp = Warp()
        self.pool = Pool()
        self.enlarge = Enlarge()
        self.average = Average()
        self.repeat = Repeat()
        self.overlap = Overlap()
        self.down = nn.PixelUnshuffle(2)
        self.mix = nn.Conv2d(32, 48, 1, has_bias=True)
        self.up = nn.PixelShuffle(4)
        self.skip = nn.Upsample(size=(24, 24), mode="bilinear", align_corners=False)

    def construct(self, x):
        y = self.features(x)
        y = self.warp(y, self.positions(self.flow(y)))
        y = y + self.enlarge(self.pool(y)) + self.repeat(self.average(y))
        y = self.mix(self.down(self.overlap(y)))
        return self.up(y) + self.skip(x)


def net():
    """The network."""
    return Net()


def loss(output, inputs):
    """Charbonnier distance from the mean of the input."""
    return ((output - inputs[0].mean()) ** 2 + 1e-12).sqrt().mean()


def optimizer(network):
    """Adam, an eighth of the rate for the flow, along half a cosine."""
    slow = list(network.flow.trainable_params())
    fast = [p for p in network.trainable_params() if not p.name.startswith("flow")]
    groups = [{"params": fast}, {"params": slow, "lr": 0.00025}]
    # without decay AdamW is Adam, and it adds epsilon where PyTorch does; MindSpore's own Adam does not
    adam = optim.AdamW(groups, lr=0.002, betas=(0.9, 0.99), weight_decay=0.0)
    return adam, optim.lr_scheduler.CosineAnnealingLR(adam, 4, 1e-5)
