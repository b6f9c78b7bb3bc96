"""Train the reference: `python -m torch_ref.train PRESET --root DIR --out DIR [--set key=value ...]`."""

import contextlib
import sys

import numpy as np
import torch
from torch.nn.parallel import DistributedDataParallel

from port.errors import run_command
from port.train.command import run_training, train_arguments
from port.train.loop import FIRST, NET, SECOND
from torch_ref import device, distributed
from torch_ref.checkpoint import load
from torch_ref.pairs import to_numpy
from torch_ref.recipe import Recipe, loss, network


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
        self.recipe = Recipe(
            self.net, settings.rate, settings.period, settings.frozen, settings.warmup, settings.last_rate,
            settings.flow_rate, (settings.beta1, settings.beta2),
        )  # fmt: skip
        self.names = {id(p): name for name, p in self.net.named_parameters()}
        self.narrow = narrowing(settings.precision)
        self.moving, self.shared = None, None
        self._prepare()

    def _moving(self):
        """What takes the coming step, in the optimiser's order."""
        return [p for group in self.recipe.param_groups for p in group["params"] if p.requires_grad]

    def _prepare(self):
        """Make ready for the coming step: other parameters may move than before."""
        self.net.zero_grad()
        moving = self._moving()
        if self.moving is None or len(moving) != len(self.moving):  # the flow network has thawed, which DDP must know
            self.moving = moving
            self.shared = DistributedDataParallel(self.net) if self.ranks > 1 else self.net

    def add_gradients(self, lq, gt, last):
        """Of one pass, added to those of the passes before; shared with the other processes in the last. -> loss"""
        alone = contextlib.nullcontext() if last or self.ranks == 1 else self.shared.no_sync()
        with alone:
            with self.narrow():
                output = self.shared(torch.from_numpy(lq).to(torch.get_default_device()))
            score = loss(output.float(), gt)
            (score / self.settings.accumulate).backward()
        return float(score.detach())

    def norm(self):
        """Length of the gradient over all parameters."""
        return float(np.sqrt(sum(float((p.grad * p.grad).sum()) for p in self.moving)))

    def step(self):
        """Along the gradients that were added."""
        self.recipe.step()
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
        with torch.no_grad(), self.narrow():
            return to_numpy(self.net(torch.from_numpy(lq).to(torch.get_default_device())).float())

    def tensors(self):
        """Weights and moments by name, for a checkpoint."""
        held = {NET + name: to_numpy(tensor).copy() for name, tensor in self.net.state_dict().items()}
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
        net = {
            name.removeprefix(NET): torch.from_numpy(a.copy()) for name, a in tensors.items() if name.startswith(NET)
        }
        self.net.load_state_dict(net, strict=True)
        self.recipe.restore(
            counts["taken"], counts["steps"], lambda p: [tensors[kind + self.names[id(p)]] for kind in (FIRST, SECOND)]
        )
        self._prepare()


def narrowing(precision):
    """-> a context in which a network computes in the precision"""
    if precision == "float32":
        return contextlib.nullcontext
    return lambda: torch.autocast(torch.get_default_device().type, torch.bfloat16)


def main(argv=None):
    argv = sys.argv[1:] if argv is None else argv
    args = train_arguments("python -m torch_ref.train", device.DEVICES, argv)
    run = lambda: run_training(args, argv, "torch_ref", device.select, Engine, load, distributed)  # noqa: E731
    return run_command(run, args.debug)


if __name__ == "__main__":
    sys.exit(main())
