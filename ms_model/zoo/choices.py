"""Tensor functions with conventions of their own: choices, statistics, rounding, steps in place. Mean square; SGD."""

from mindspore import nn, ops


class Spread(nn.Cell):
    """Centred, divided by the standard deviation over the last axis."""

    def construct(self, x):
        return (x - x.mean(-1, keep_dims=True)) / (ops.std(x, -1, 1, True) + 1e-5)


class Best(nn.Cell):
    """Place of the largest of the last axis. (n, k) -> (n,)."""

    def construct(self, x):
        return x.argmax(-1)


class Pick(nn.Cell):
    """One of the last axis for each row. (n, k), (n,) -> (n, 1)."""

    def construct(self, x, place):
        return ops.gather_elements(x, 1, place.expand_dims(1))


class Soft(nn.Cell):
    """log(1 + exp(x))."""

    def construct(self, x):
        return ops.softplus(x)


class Steps(nn.Cell):
    """Rounded to halves, what lies between two to the even; the gradient passes as if it had not been."""

    def construct(self, x):
        return x + ops.stop_gradient(ops.round(x * 2) / 2 - x)


class Running(nn.Cell):
    """Sums from the left."""

    def construct(self, x):
        return ops.cumsum(x, 1)


class Doubled(nn.Cell):
    """Tiled twice along the last axis."""

    def construct(self, x):
        return ops.tile(x, (1, 2))


class Bounded(nn.Cell):
    """Kept within 0 and 1."""

    def construct(self, x):
        return ops.clamp(x, 0, 1)


class Shares(nn.Cell):
    """Non-negative shares of one along the last axis."""

    def construct(self, x):
        return ops.softmax(x / 0.5, -1)


class Distance(nn.Cell):
    """Length of the rows. (n, k) -> (n, 1)."""

    def construct(self, x):
        return ((x**2).sum(-1, keepdims=True) + 1e-6).sqrt()


class Net(nn.Cell):
    """x (8, 8) -> {"picked": (8, 1), "place": (8,), "rest": (8, 16), "length": (8, 1)}."""

    def __init__(self):
        super().__init__()
        self.first = nn.Dense(8, 8)
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
        self.last = nn.Dense(8, 8)

    def construct(self, x):
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
    return nn.SGD(network.trainable_params(), learning_rate=0.05, momentum=0.9, nesterov=True)
