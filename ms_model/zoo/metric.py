"""Metric learning: rarer functions, drawing, pieces of a batch. Triplets, log targets; SGD that accumulates and is resumed."""

import mindspore
import numpy as np
from mindspore import Parameter, Tensor, nn, ops
from mindspore.experimental import optim


class Leak(nn.Cell):
    """Negative values and zeros at a tenth of the slope."""

    def construct(self, x):
        return ops.select(x > 0, x, 0.1 * x)  # nn.LeakyReLU has another gradient at zero


class LocalResponseNorm(nn.Cell):
    """Divided by a power of the mean square of 3 neighbouring channels. (n, c, h, w) -> the same."""

    def __init__(self):
        super().__init__()
        self.lrn = ops.LRN(depth_radius=1, bias=1.0, alpha=0.5 / 3, beta=0.75)

    def construct(self, x):
        return self.lrn(x)


class Slopes(nn.Cell):
    """Negative values at the mean of the slopes that would be drawn in training."""

    def construct(self, x):
        return ops.leaky_relu(x, 11 / 48)


class Ramp(nn.Cell):
    """Darkened evenly from right to left."""

    def construct(self, x):
        return x * ops.linspace(0.0, 1.0, x.shape[3])


class Stretch(nn.Cell):
    """Enlarged 1.3 times, from 6 pixels to the 7 whole ones of 7.8. (n, c, 6, 6) -> (n, c, 7, 7)."""

    def construct(self, x):
        places = np.maximum((np.arange(7) + 0.5) / 1.3 - 0.5, 0)  # ops.interpolate would divide by 7 / 6
        shares = np.maximum(1 - np.abs(places[:, None] - np.arange(6)), 0).astype(np.float32)
        return ops.matmul(ops.matmul(Tensor(shares), x), Tensor(shares.T))


class Region(nn.Cell):
    """Samples in the middles of 2x2 cells of the box from (1, 1) to (5, 4), x first, pixels half a pixel from their edges."""

    def construct(self, x):
        rows, columns = ops.meshgrid(Tensor([1.25, 2.75]), Tensor([1.5, 3.5]), indexing="ij")
        grid = ops.stack((columns, rows), -1) / ((x.shape[3] - 1) / 2) - 1
        return ops.grid_sample(x, grid.broadcast_to((len(x), 2, 2, 2)), padding_mode="border", align_corners=True)


class Draw(nn.Cell):
    """Channels drawn without putting them back until none is left, in order: all of them. (n, c) -> (c,)."""

    def construct(self, x):
        return ops.sort(ops.multinomial(ops.stop_gradient(x).abs().mean(0) + 1, x.shape[1], False))[0]


class Survive(nn.Cell):
    """Every element is kept with probability one."""

    def construct(self, x):
        return x * ops.bernoulli(x, 1.0)


class Centre(nn.Cell):
    """The lower median of all is subtracted."""

    def construct(self, x):
        return x - ops.median(ops.stop_gradient(x).reshape(-1))[0]


class Turn(nn.Cell):
    """The rotation that is nearest to a square matrix; not differentiated."""

    def construct(self, x):
        _, u, v = ops.svd(ops.stop_gradient(x))
        return u @ v.T


class Rare(nn.Cell):
    """Mean of what exceeds 100, zero where nothing does; not differentiated. -> a scalar"""

    def construct(self, x):
        mean = ops.stop_gradient(x)[x > 100].mean()
        return ops.select(ops.isinf(mean), ops.zeros_like(mean), mean)  # PyTorch's mean of nothing is NaN


class Surprise(nn.Cell):
    """Binary cross entropy of what is cut off at 0 and 1, element by element; not differentiated. hit: zeros and ones"""

    def construct(self, x, hit):
        p = ops.clamp(ops.stop_gradient(x), 0, 1)
        log, rest = (ops.select(q > 0, ops.log(ops.clamp(q, 1e-38)), Tensor(-100.0)) for q in (p, 1 - p))
        hit = ops.stop_gradient(hit)
        return -hit * log - (1 - hit) * rest


class Best(nn.Cell):
    """Place of the largest of every row, of several the first. (n, c) -> (n,)."""

    def construct(self, x):
        return x.argmax(1)


class Pieces(nn.Cell):
    """The second pair of columns. (n, c) -> (n, 2)."""

    def construct(self, x):
        return ops.split(x, 2, 1)[1]


class Joined(nn.Cell):
    """All in one row."""

    def construct(self, x):
        return ops.flatten(x, start_dim=0)


class Net(nn.Cell):
    """pictures (8, 3, 6, 6), teacher's scores (8, 5) -> {"embedding": (8, 8), "scores": (8, 5), ...}."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, pad_mode="pad", padding=1, has_bias=True)
        self.leak = Leak()
        self.respond = LocalResponseNorm()
        self.slopes = Slopes()
        self.ramp = Ramp()
        self.region = Region()
        self.stretch = Stretch()
        self.draw = Draw()
        self.survive = Survive()
        self.centre = Centre()
        self.turn = Turn()
        self.rare = Rare()
        self.surprise = Surprise()
        self.best = Best()
        self.pieces = Pieces()
        self.joined = Joined()
        self.head = nn.Dense(8, 5)
        self.spare = Parameter(Tensor(np.zeros(8, np.float32)))  # belongs to a branch that is not taken
        self.register_buffer("noise", Tensor(np.zeros((8, 8), np.float32)))

    def construct(self, x, teacher):
        x = self.ramp(self.slopes(self.respond(self.leak(ops.relu(self.stem(x)))) - 0.3))
        x = self.stretch(x).mean((2, 3)) + self.region(x).sum((2, 3))
        x = self.survive(x[:, self.draw(x)])
        x = self.centre(x) + self.noise
        x = x + self.turn(x) + self.rare(x)
        return {
            "embedding": x,
            "scores": ops.log_softmax(self.head(x), 1),
            "surprise": self.surprise(x, (teacher[:, :1] > 0).astype(mindspore.float32)),
            "best": self.best(ops.clamp(ops.stop_gradient(x), -0.2, 0.2)),
            "pieces": self.pieces(x),
            "joined": self.joined(x),
        }


class Accumulating(optim.SGD):
    """Gradients of two calls are added up before a step is made."""

    kept = None

    def construct(self, gradients):
        """Keep the gradients, or add them to those kept and step."""
        if self.kept is None:
            self.kept = gradients
            return
        gradients = tuple(a + b for a, b in zip(self.kept, gradients, strict=True))
        self.kept = None
        super().construct(gradients)


def net():
    """The network."""
    return Net()


def distance(x, y):
    """Length of the difference of rows, every element of it larger by PyTorch's 1e-6."""
    return ((x - y + 1e-6) ** 2).sum(1).sqrt()


def loss(output, inputs):
    """Triplets of the embedding, the teacher's distribution, and a little of everything else."""
    x = output["embedding"]
    anchor, positive, negative = x[:-2], x[1:-1], x[2:]
    triplets = ops.relu(distance(anchor, positive) - distance(anchor, negative) + 0.3).mean()
    target = ops.log_softmax(inputs[1], 1)
    taught = (ops.exp(target) * (target - output["scores"])).sum() / target.shape[0]
    size = output["joined"].abs().sum() / x.shape[0]
    return triplets + taught + 0.01 * size + (output["surprise"][:, :2] * output["pieces"]).mean() / 100


def optimizer(network):
    """SGD with decay and a momentum that an earlier run left, every other step; a cosine with restarts."""
    used = [p for p in network.trainable_params() if p.name != "spare"]
    spare = {"params": [network.spare], "weight_decay": 0.0, "momentum": 0.0}  # has a gradient here, of zeros
    sgd = Accumulating([{"params": used}, spare], lr=0.01, momentum=0.9, weight_decay=0.1)
    for momentum, first in zip(sgd.accum, sgd.stat, strict=True):
        kept = ops.linspace(-0.05, 0.05, momentum.size)
        ops.assign(momentum, kept.reshape(momentum.shape))
        ops.assign(first, ops.zeros_like(first))
    return sgd, optim.lr_scheduler.CosineAnnealingWarmRestarts(sgd, 2)
