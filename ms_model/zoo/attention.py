"""One transformer block over words, with a mask, and a projection to unit length. Cross entropy; AdamW in two groups."""

import numpy as np
from mindspore import Parameter, Tensor, nn, ops
from mindspore.experimental import optim


class Attend(nn.Cell):
    """Scaled dot products of 2 heads; words see themselves and those before them. (n, t, 16) each -> (n, t, 16)."""

    def construct(self, query, key, value):
        n, t, c = query.shape
        query, key, value = (x.reshape(n, t, 2, c // 2).permute(0, 2, 1, 3) for x in (query, key, value))
        scores = query @ key.permute(0, 1, 3, 2) / (c // 2) ** 0.5
        hidden = Tensor(np.triu(np.full((t, t), -1e9, np.float32), 1))
        weights = ops.softmax(scores + hidden, -1)
        return (weights @ value).permute(0, 2, 1, 3).reshape(n, t, c)


class Unit(nn.Cell):
    """Vectors of length one along the last axis."""

    def construct(self, x):
        return x / ops.maximum((x * x).sum(-1, keepdims=True).sqrt(), Tensor(1e-12))


class Net(nn.Cell):
    """words (n, t) integers below 11 -> scores (n, t, 5)."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 16)
        self.position = Parameter(Tensor(np.zeros((6, 16), np.float32)))
        self.norm = nn.LayerNorm((16,), epsilon=1e-5)
        self.query = nn.Dense(16, 16)
        self.key = nn.Dense(16, 16)
        self.value = nn.Dense(16, 16)
        self.attend = Attend()
        self.project = nn.Dense(16, 16)
        self.second_norm = nn.LayerNorm((16,), epsilon=1e-5)
        self.wide = nn.Dense(16, 32)
        self.gelu = nn.GELU(approximate=False)
        self.narrow = nn.Dense(32, 16)
        self.unit = Unit()
        self.head = nn.Dense(16, 5)

    def construct(self, words):
        x = self.embedding(words) + self.position
        y = self.norm(x)
        x = x + self.project(self.attend(self.query(y), self.key(y), self.value(y)))
        x = x + self.narrow(self.gelu(self.wide(self.second_norm(x))))
        return self.head(self.unit(x * 1e-5))


def net():
    """The network."""
    return Net()


def loss(output, inputs):
    """Cross entropy of guessing the word itself, modulo 5."""
    return ops.cross_entropy(output.reshape(-1, 5), inputs[0].reshape(-1) % 5)


def optimizer(network):
    """AdamW, no decay for the biases and norms."""
    decayed = [p for p in network.trainable_params() if p.ndim > 1]
    others = [p for p in network.trainable_params() if p.ndim < 2]
    groups = [{"params": decayed, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}]
    return optim.AdamW(groups, lr=0.01)
