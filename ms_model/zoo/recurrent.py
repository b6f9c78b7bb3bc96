"""A gated recurrent cell over a sequence. Smooth L1; Adam with two rates, a schedule, clipping and a frozen layer."""

import mindspore
from mindspore import nn, ops
from mindspore.experimental import optim


class Gates(nn.Cell):
    """An LSTM's gates, in the order input, forget, cell, output. (n, 32), cell (n, 8) -> hidden, cell (n, 8)."""

    def construct(self, mixed, cell):
        enter, forget, candidate, leave = mixed.chunk(4, axis=1)
        cell = ops.sigmoid(forget) * cell + ops.sigmoid(enter) * ops.sin(candidate)
        return ops.sigmoid(leave) * ops.sin(cell), cell


class Summary(nn.Cell):
    """Mean and standard deviation over time, side by side. (t, n, c) -> (n, 2c)."""

    def construct(self, x):
        return ops.cat([x.mean(0), ops.std(x, 0, 1)], axis=1)


class Net(nn.Cell):
    """x (t, n, 6) -> (n, 4)."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Dense(6, 8)
        self.frozen = nn.Dense(8, 8)
        self.frozen.weight.requires_grad = self.frozen.bias.requires_grad = False
        self.from_input = nn.Dense(8, 32)
        self.from_hidden = nn.Dense(8, 32)
        self.gates = Gates()
        self.summary = Summary()
        self.act = nn.PReLU(16)
        self.head = nn.Dense(16, 4)

    def construct(self, x):
        x = self.frozen(self.embed(x))
        hidden = cell = ops.zeros((x.shape[1], 8), mindspore.float32)
        states = []
        for step in x:
            hidden, cell = self.gates(self.from_input(step) + self.from_hidden(hidden), cell)
            states.append(hidden)
        return self.head(self.act(self.summary(ops.stack(states))))


def net():
    """The network."""
    return Net()


def loss(output, inputs):
    """Smooth L1 distance from the mean of the input."""
    return ops.smooth_l1_loss(output, 2 * inputs[0].mean(0)[:, :4], reduction="mean")


def optimizer(network):
    """Adam, a smaller rate for the head, half the rate from the second step on."""
    slow = [p for p in network.trainable_params() if p.name.startswith("head")]
    fast = [p for p in network.trainable_params() if not p.name.startswith("head")]
    # without decay AdamW is Adam, and it adds epsilon where PyTorch does; MindSpore's own Adam does not
    adam = optim.AdamW([{"params": fast}, {"params": slow, "lr": 0.00125}], lr=0.01, weight_decay=0.0)
    return adam, optim.lr_scheduler.MultiStepLR(adam, [2], 0.5)


def clip(gradients):
    """All gradients together are kept to a length of 0.1."""
    return ops.clip_by_global_norm(gradients, 0.1)
