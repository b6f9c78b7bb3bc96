"""Metric learning: rarer functions, drawing, pieces of a batch. Triplets, log targets; SGD that accumulates and is resumed."""

import torch
from torch import nn
from torch.nn import functional as F


class Leak(nn.Module):
    """Negative values and zeros at a tenth of the slope."""

    def forward(self, x):
        return F.leaky_relu(x, 0.1)


class LocalResponseNorm(nn.LocalResponseNorm):
    """Divided by a power of the mean square of 3 neighbouring channels. (n, c, h, w) -> the same."""

    def __init__(self):
        super().__init__(3, alpha=0.5, beta=0.75, k=1.0)


class Slopes(nn.Module):
    """Negative values at the mean of the slopes that would be drawn in training."""

    def forward(self, x):
        return F.rrelu(x, 1 / 8, 1 / 3, training=False)


class Ramp(nn.Module):
    """Darkened evenly from right to left."""

    def forward(self, x):
        return x * torch.linspace(0, 1, x.shape[3], dtype=x.dtype)


class Stretch(nn.Module):
    """Enlarged 1.3 times, from 6 pixels to the 7 whole ones of 7.8. (n, c, 6, 6) -> (n, c, 7, 7)."""

    def forward(self, x):
        return F.interpolate(x, scale_factor=1.3, mode="bilinear")


class Region(nn.Module):
    """Samples in the middles of 2x2 cells of the box from (1, 1) to (5, 4), x first, pixels half a pixel from their edges."""

    def forward(self, x):
        rows, columns = torch.meshgrid(torch.tensor([1.25, 2.75]), torch.tensor([1.5, 3.5]), indexing="ij")
        grid = torch.stack((columns, rows), -1).to(x) / ((x.shape[3] - 1) / 2) - 1
        return F.grid_sample(x, grid.expand(len(x), 2, 2, 2), padding_mode="border", align_corners=True)


class Draw(nn.Module):
    """Channels drawn without putting them back until none is left, in order: all of them. (n, c) -> (c,)."""

    def forward(self, x):
        return torch.multinomial(x.detach().abs().mean(0) + 1, x.shape[1]).sort()[0]


class Survive(nn.Module):
    """Every element is kept with probability one."""

    def forward(self, x):
        return x * torch.bernoulli(torch.ones_like(x))


class Centre(nn.Module):
    """The lower median of all is subtracted."""

    def forward(self, x):
        return x - x.detach().median()


class Turn(nn.Module):
    """The rotation that is nearest to a square matrix; not differentiated."""

    def forward(self, x):
        u, _, v = torch.svd(x.detach())
        return u @ v.T


class Rare(nn.Module):
    """Mean of what exceeds 100, zero where nothing does; not differentiated. -> a scalar"""

    def forward(self, x):
        mean = x.detach()[x > 100].mean()
        return torch.where(torch.isnan(mean), torch.zeros_like(mean), mean)


class Surprise(nn.Module):
    """Binary cross entropy of what is cut off at 0 and 1, element by element; not differentiated. hit: zeros and ones"""

    def forward(self, x, hit):
        return F.binary_cross_entropy(x.detach().clamp(0, 1), hit.expand_as(x), reduction="none")


class Best(nn.Module):
    """Place of the largest of every row, of several the first. (n, c) -> (n,)."""

    def forward(self, x):
        return x.argmax(1)


class Pieces(nn.Module):
    """The second pair of columns. (n, c) -> (n, 2)."""

    def forward(self, x):
        return torch.split(x, 2, 1)[1]


class Joined(nn.Module):
    """All in one row."""

    def forward(self, x):
        return x.flatten()


class Net(nn.Module):
    """pictures (8, 3, 6, 6), teacher's scores (8, 5) -> {"embedding": (8, 8), "scores": (8, 5), ...}."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
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
        self.head = nn.Linear(8, 5)
        self.spare = nn.Parameter(torch.zeros(8))  # belongs to a branch that is not taken
        self.register_buffer("noise", torch.zeros(8, 8))

    def forward(self, x, teacher):
        x = self.ramp(self.slopes(self.respond(self.leak(self.stem(x).relu())) - 0.3))
        x = self.stretch(x).mean((2, 3)) + self.region(x).sum((2, 3))
        x = self.survive(x[:, self.draw(x)])
        x = self.centre(x) + self.noise
        x = x + self.turn(x) + self.rare(x)
        return {
            "embedding": x,
            "scores": F.log_softmax(self.head(x), 1),
            "surprise": self.surprise(x, (teacher[:, :1] > 0).to(x)),
            "best": self.best(x.detach().clamp(-0.2, 0.2)),
            "pieces": self.pieces(x),
            "joined": self.joined(x),
        }


class Accumulating(torch.optim.SGD):
    """Gradients of two calls are added up before a step is made."""

    kept = None

    def step(self):
        """Keep the gradients, or add them to those kept and step."""
        moved = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        if self.kept is None:
            self.kept = [p.grad.clone() for p in moved]
            return
        for parameter, gradient in zip(moved, self.kept, strict=True):
            parameter.grad = parameter.grad + gradient
        self.kept = None
        super().step()


def net():
    """The network."""
    return Net()


def loss(output, inputs):
    """Triplets of the embedding, the teacher's distribution, and a little of everything else."""
    x = output["embedding"]
    anchor, positive, negative = x[:-2], x[1:-1], x[2:]
    triplets = F.triplet_margin_loss(anchor, positive, negative, margin=0.3)
    taught = F.kl_div(output["scores"], F.log_softmax(inputs[1], 1), reduction="batchmean", log_target=True)
    size = output["joined"].abs().sum() / x.size(0)
    return triplets + taught + 0.01 * size + (output["surprise"][:, :2] * output["pieces"]).mean() / 100


def optimizer(network):
    """SGD with decay and a momentum that an earlier run left, every other step; a cosine with restarts."""
    sgd = Accumulating(network.parameters(), lr=0.01, momentum=0.9, weight_decay=0.1)
    for parameter in network.parameters():
        kept = torch.linspace(-0.05, 0.05, parameter.numel())
        sgd.state[parameter]["momentum_buffer"] = kept.reshape(parameter.shape)
    return sgd, torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(sgd, 2)
