"""Moving and resizing pictures: a warp by a flow, resizing, folding, shuffling. Charbonnier loss; Adam on a cosine."""

import torch
from torch import nn
from torch.nn import functional as F


class Positions(nn.Module):
    """Grid of pixel positions plus a flow in pixels, scaled to -1 ... 1. flow (n, 2, h, w) -> (n, h, w, 2), x first."""

    def forward(self, flow):
        h, w = flow.shape[2:]
        rows, columns = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
        x = 2 * (columns + flow[:, 0]) / (w - 1) - 1
        y = 2 * (rows + flow[:, 1]) / (h - 1) - 1
        return torch.stack((x, y), -1)


class Warp(nn.Module):
    """Sampled at positions between pixels, the border repeated."""

    def forward(self, x, positions):
        return F.grid_sample(x, positions, mode="bilinear", padding_mode="border", align_corners=True)


class Pool(nn.Module):
    """Averaged down to 4x4."""

    def forward(self, x):
        return F.adaptive_avg_pool2d(x, 4)


class Enlarge(nn.Module):
    """Bilinear, to 12x12."""

    def forward(self, x):
        return F.interpolate(x, size=(12, 12), mode="bilinear", align_corners=False)


class Repeat(nn.Module):
    """Nearest, to 12x12."""

    def forward(self, x):
        return F.interpolate(x, size=(12, 12), mode="nearest")


class Overlap(nn.Module):
    """Cut into overlapping 6x6 pieces and put together again, divided by how many lie on each pixel."""

    def forward(self, x):
        size = x.shape[2:]
        pieces, ones = (F.unfold(y, 6, padding=1, stride=4) for y in (x, torch.ones_like(x)))
        return F.fold(pieces, size, 6, padding=1, stride=4) / F.fold(ones, size, 6, padding=1, stride=4)


class Average(nn.Module):
    """Means of windows of two, as a picture's pyramid is made."""

    def forward(self, x):
        return F.avg_pool2d(x, 2, 2)


class Net(nn.Module):
    """x (n, 3, 12, 12) -> (n, 3, 24, 24)."""

    def __init__(self):
        super().__init__()
        self.features = nn.Conv2d(3, 8, 3, padding=1)
        self.flow = nn.Conv2d(8, 2, 3, padding=1)
        self.positions = Positions()
        self.warp = Warp()
        self.pool = Pool()
        self.enlarge = Enlarge()
        self.average = Average()
        self.repeat = Repeat()
        self.overlap = Overlap()
        self.down = nn.PixelUnshuffle(2)
        self.mix = nn.Conv2d(32, 48, 1)
        self.up = nn.PixelShuffle(4)
        self.skip = nn.Upsample(size=(24, 24), mode="bilinear", align_corners=False)

    def forward(self, x):
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
    slow = list(network.flow.parameters())
    fast = [p for name, p in network.named_parameters() if not name.startswith("flow")]
    adam = torch.optim.Adam([{"params": fast}, {"params": slow, "lr": 0.00025}], lr=0.002, betas=(0.9, 0.99))
    return adam, torch.optim.lr_scheduler.CosineAnnealingLR(adam, 4, 1e-5)
