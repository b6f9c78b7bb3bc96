"""A gated recurrent cell over a sequence. Smooth L1; Adam with two rates, a schedule, clipping and a frozen layer."""

import torch
from torch import nn
from torch.nn import functional as F


class Gates(nn.Module):
    """An LSTM's gates, in the order input, forget, cell, output. (n, 32), cell (n, 8) -> hidden, cell (n, 8)."""

    def forward(self, mixed, cell):
        enter, forget, candidate, leave = mixed.chunk(4, dim=1)
        cell = torch.sigmoid(forget) * cell + torch.sigmoid(enter) * torch.sin(candidate)
        return torch.sigmoid(leave) * torch.sin(cell), cell


class Summary(nn.Module):
    """Mean and standard deviation over time, side by side. (t, n, c) -> (n, 2c)."""

    def forward(self, x):
        return torch.cat([x.mean(0), x.std(0)], dim=1)


class Net(nn.Module):
    """x (t, n, 6) -> (n, 4)."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(6, 8)
        self.frozen = nn.Linear(8, 8)
        self.frozen.requires_grad_(False)
        self.from_input = nn.Linear(8, 32)
        self.from_hidden = nn.Linear(8, 32)
        self.gates = Gates()
        self.summary = Summary()
        self.act = nn.PReLU(16)
        self.head = nn.Linear(16, 4)

    def forward(self, x):
        x = self.frozen(self.embed(x))
        hidden = cell = torch.zeros(x.shape[1], 8, dtype=x.dtype)
        states = []
        for step in x:
            hidden, cell = self.gates(self.from_input(step) + self.from_hidden(hidden), cell)
            states.append(hidden)
        return self.head(self.act(self.summary(torch.stack(states))))


def net():
    """The network."""
    return Net()


def loss(output, inputs):
    """Smooth L1 distance from the mean of the input."""
    return F.smooth_l1_loss(output, 2 * inputs[0].mean(0)[:, :4])


def optimizer(network):
    """Adam, a smaller rate for the head, half the rate from the second step on."""
    slow = [p for name, p in network.named_parameters() if name.startswith("head") and p.requires_grad]
    fast = [p for name, p in network.named_parameters() if not name.startswith("head") and p.requires_grad]
    adam = torch.optim.Adam([{"params": fast}, {"params": slow, "lr": 0.00125}], lr=0.01)
    return adam, torch.optim.lr_scheduler.MultiStepLR(adam, [2], 0.5)


def clip(gradients):
    """All gradients together are kept to a length of 0.1."""
    torch.nn.utils.clip_grad_norm_(gradients, 0.1)
