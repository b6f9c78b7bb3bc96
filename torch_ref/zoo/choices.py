"""Tensor functions with conventions of their own: choices, statistics, rounding, steps in place. Mean square; SGD."""

import torch
from torch import nn
from torch.nn import functional as F


class Spread(nn.Module):
    """Centred, divided by the standard deviation over the last axis."""

    def forward(self, x):
        return (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + 1e-5)


class Best(nn.Module):
    """Place of the largest of the last axis. (n, k) -> (n,)."""

    def forward(self, x):
        return x.argmax(-1)


class Pick(nn.Module):
    """One of the last axis for each row. (n, k), (n,) -> (n, 1)."""

    def forward(self, x, place):
        return x.gather(1, place.long().unsqueeze(1))


class Soft(nn.Module):
    """log(1 + exp(x))."""

    def forward(self, x):
        return F.softplus(x)


class Steps(nn.Module):
    """Rounded to halves, what lies between two to the even; the gradient passes as if it had not been."""

    def forward(self, x):
        return x + (torch.round(x * 2) / 2 - x).detach()


class Running(nn.Module):
    """Sums from the left."""

    def forward(self, x):
        return torch.cumsum(x, 1)


class Doubled(nn.Module):
    """Tiled twice along the last axis."""

    def forward(self, x):
        return x.repeat(1, 2)


class Bounded(nn.Module):
    """Kept within 0 and 1."""

    def forward(self, x):
        return x.clamp(0, 1)


class Shares(nn.Module):
    """Non-negative shares of one along the last axis."""

    def forward(self, x):
        return F.softmax(x / 0.5, dim=-1)


class Distance(nn.Module):
    """Length of the rows. (n, k) -> (n, 1)."""

    def forward(self, x):
        return ((x**2).sum(-1, keepdim=True) + 1e-6).sqrt()


class Net(nn.Module):
    """x (8, 8) -> {"picked": (8, 1), "place": (8,), "rest": (8, 16), "length": (8, 1)}."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(8, 8)
        self.spread = Spread()
        self.best = Best()
        self.pick = Pick()
        self.soft = Soft()
        self.steps = Steps()
        self.running = Running()
        self.doubled = Doubled()
        self.bounded = Bounded()
        self.shares = Shares()
        self.distance = Distance()
        self.last = nn.Linear(8, 8)

    def forward(self, x):
        x = self.spread(self.first(x))
        place = self.best(x)
        y = self.steps(self.soft(x)) + self.bounded(x)
        y = self.running(self.shares(y))
        y = self.last(y)
        return {
            "picked": self.pick(y, place),
            "place": place,
            "rest": self.doubled(y),
            "length": self.distance(y),
        }


def net():
    """The network."""
    return Net()


def loss(output, inputs):
    """Mean squares of what came out."""
    return (output["picked"] ** 2).mean() + (output["rest"] ** 2).mean() + output["length"].mean()


def optimizer(network):
    """SGD with Nesterov's momentum."""
    return torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9, nesterov=True)
