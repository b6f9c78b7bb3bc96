"""Train the port: `python -m ms_model.train PRESET --root DIR --out DIR [--set key=value ...]`."""

import sys

import mindspore
import numpy as np
from mindspore import Tensor, amp, nn, ops

from ms_model import device, distributed
from ms_model.checkpoint import load
from ms_model.pairs import to_numpy
from ms_model.recipe import Recipe, loss, network
from port.errors import PortError, run_command
from port.train.command import run_training, train_arguments
from port.train.loop import FIRST, NET, SECOND
from port.weights.ttvsr import RULES


class Engine:
    """TTVSR with its optimiser, as port/train/loop.py drives it.

    settings  port.train.settings.Settings
    weights   file to start from
    ranks     processes that train together; their gradients are averaged
    """

    def __init__(self, settings, weights, ranks):
        self.settings, self.ranks = settings, ranks
        strides = {"token_stride": settings.token_stride, "keyframe_stride": settings.keyframe_stride}
        sizes = {"mid_channels": settings.mid_channels, "num_blocks": settings.num_blocks}
        self.net = network(weights, **strides, **sizes)
        if settings.recompute:
            self.net.recompute_parts()
        elif settings.compiled and settings.precision == "float32":  # in 16 bits untried: no device at hand has them
            self.net.compile_parts()
        self.recipe = Recipe(
            self.net, settings.rate, settings.period, settings.frozen, settings.warmup, settings.last_rate,
            settings.flow_rate, (settings.beta1, settings.beta2),
        )  # fmt: skip
        self.names = {id(p): RULES.inverse(p.name) for p in self.net.get_parameters()}
        narrowing(settings.precision)(self.net)
        self.moving, self.shared = None, None
        self._prepare()

    def _moving(self):
        """What takes the coming step, in the optimiser's order."""
        return [p for group in self.recipe.param_groups for p in group["params"] if p.requires_grad]

    def _prepare(self):
        """Make ready for the coming step: other parameters may move than before."""
        self.gradients = None
        moving = self._moving()
        if self.moving is None or len(moving) != len(self.moving):  # the flow network has thawed
            self.moving = moving
            self.graded = mindspore.value_and_grad(self._score, None, moving)
            self.shared = nn.DistributedGradReducer(moving, mean=True, degree=self.ranks) if self.ranks > 1 else None

    def _score(self, lq):
        # The division stands inside, or the gradients would have to be divided one by one.
        return loss(self.net(lq).astype(mindspore.float32), self.target) / self.settings.accumulate

    def add_gradients(self, lq, gt, last):
        """Of one pass, added to those of the passes before; shared with the other processes in the last. -> loss"""
        self.target = gt
        score, found = self.graded(Tensor(lq))
        self.gradients = tuple(a + b for a, b in zip(self.gradients, found, strict=True)) if self.gradients else found
        if last and self.ranks > 1:
            self.gradients = self.shared(self.gradients)
        return float(score) * self.settings.accumulate

    def norm(self):
        """Length of the gradient over all parameters."""
        return float(np.sqrt(sum(float((g * g).sum()) for g in self.gradients)))

    def step(self):
        """Along the gradients that were added."""
        self.recipe(
            mindspore.mutable(self.gradients)
        )  # or else every step is compiled anew, the gradients as constants
        self._prepare()

    def skip(self):
        """Forget them."""
        self.recipe.skip()
        self._prepare()

    def rate(self):
        """The learning rate of the coming step, of everything but the flow network."""
        return float(self.recipe.param_groups[0]["lr"])

    def upscale(self, lq):
        """(n, t, 3, h, w) float32 in [0, 1] -> (n, t, 3, 4h, 4w)"""
        return to_numpy(self.net(Tensor(lq)).astype(mindspore.float32))

    def tensors(self):
        """Weights and moments by name, for a checkpoint."""
        held = {NET + self.names[id(p)]: to_numpy(p).copy() for p in self.net.get_parameters()}
        for p, first, second in self.recipe.moments()[0]:
            held[FIRST + self.names[id(p)]], held[SECOND + self.names[id(p)]] = (
                to_numpy(first).copy(),
                to_numpy(second).copy(),
            )
        return held

    def counts(self):
        """What else the optimiser is made of: iterations, and steps by group of parameters."""
        return {"taken": self.recipe.taken, "steps": self.recipe.moments()[1]}

    def restore(self, tensors, counts):
        """Go on from a checkpoint of either column."""
        for p in self.net.get_parameters():
            ops.assign(p, Tensor(tensors[NET + self.names[id(p)]]))  # not set_data: what was compiled would keep the old ones
        self.recipe.restore(
            counts["taken"], counts["steps"], lambda p: [tensors[kind + self.names[id(p)]] for kind in (FIRST, SECOND)]
        )
        self._prepare()


def narrowing(precision):
    """-> what makes a network compute in the precision from then on. Raises PortError where the device cannot"""
    if precision == "float32":
        return lambda net: None
    try:
        ops.conv2d(ops.ones((1, 1, 4, 4), mindspore.bfloat16), ops.ones((1, 1, 3, 3), mindspore.bfloat16)).asnumpy()
    except (RuntimeError, TypeError, ValueError) as error:
        target = mindspore.get_context("device_target")
        raise PortError(f"MindSpore has no bfloat16 convolution on {target}. Use --set precision=float32.") from error
    return lambda net: amp.auto_mixed_precision(net, "auto", mindspore.bfloat16)


def select(name, threads):
    """The device of this process."""
    device.select(name, threads)
    if name == "cpu":
        device.one_after_the_other()


def main(argv=None):
    argv = sys.argv[1:] if argv is None else argv
    args = train_arguments("python -m ms_model.train", device.DEVICES, argv)
    run = lambda: run_training(args, argv, "ms_model", select, Engine, load, distributed)  # noqa: E731
    return run_command(run, args.debug)


if __name__ == "__main__":
    sys.exit(main())
