"""How TTVSR is trained: Adam, the flow network at an eighth of the rate and frozen at first, one cosine down to 1e-7.

Source: the official configuration for REDS.
"""

import mindspore
from mindspore import Tensor, ops
from mindspore.experimental import optim

from ms_model.loss import charbonnier
from ms_model.networks import load_network
from port.models import ttvsr as facts
from port.train.schedule import rate_at


def network(path, model="ttvsr", **options):
    """A network with the weights of a file, in training mode."""
    return load_network(model, path, **options).set_train()


def loss(output, target):
    """Charbonnier distance from an array (n, t, 3, 4h, 4w) in [0, 1]. -> scalar"""
    return charbonnier(output, Tensor(target).astype(output.dtype))


class Recipe:
    """Optimiser and schedule in one. A frozen flow network gets no gradients, and its moments start when it thaws.

    rate    of everything but the flow network
    period  iterations from the full rate down to the last
    frozen  iterations in which the flow network stands still
    warmup  iterations in which the rate grows
    share   of the rate, for the flow network
    """

    def __init__(
        self, net, rate=facts.RATE, period=facts.PERIOD, frozen=facts.FROZEN, warmup=0, last=facts.LAST_RATE,
        share=facts.FLOW_RATE, betas=facts.BETAS,
    ):  # fmt: skip
        self.flow = list(net.spynet.trainable_params())
        rest = [p for p in net.trainable_params() if not p.name.startswith("spynet.")]
        # MindSpore's Adam counts its steps once for all parameters, PyTorch's for each: two optimisers, so that the bias
        # correction of a thawed flow network starts where it starts there. Without decay AdamW is Adam; MindSpore's own Adam
        # adds epsilon in another place.
        how = {"betas": betas, "weight_decay": 0.0}
        self.adams = [optim.AdamW(rest, lr=rate, **how), optim.AdamW(self.flow, lr=rate * share, **how)]
        self.rates = [lambda k, full=full: rate_at(k, full, last, period, warmup) for full in (rate, rate * share)]
        self.frozen, self.taken = frozen, 0
        self._prepare()

    @property
    def param_groups(self):
        """Parameters with their present rates."""
        return [group for adam in self.adams for group in adam.param_groups]

    def __call__(self, gradients):
        """One step along gradients in the order of `param_groups`; those of a frozen flow network may be left out."""
        rest = len(self.adams[0].parameters)
        self.adams[0](gradients[:rest])
        if self.taken >= self.frozen:
            self.adams[1](gradients[rest:])
        self.skip()

    def skip(self):
        """An iteration without a step: the schedule goes on."""
        self.taken += 1
        self._prepare()

    def moments(self):
        """First and second moments so far. -> [(parameter, first, second)] of what has moved, and steps counted by group"""
        steps = [int(adam.state_step) for adam in self.adams]
        moved = [adam for adam, count in zip(self.adams, steps, strict=True) if count]
        held = [zip(adam.parameters, adam.exp_avg, adam.exp_avg_sq, strict=True) for adam in moved]
        return [triple for triples in held for triple in triples], steps

    def restore(self, taken, steps, moments):
        """Go on from iteration `taken`. steps: by group; moments: parameter -> (first, second) arrays"""
        for adam, count in zip(self.adams, steps, strict=True):
            # not set_data: an optimiser that has run keeps the old memory
            ops.assign(adam.state_step, Tensor(count, mindspore.int32))
            for p, first, second in zip(adam.parameters, adam.exp_avg, adam.exp_avg_sq, strict=True) if count else ():
                for held, array in zip((first, second), moments(p), strict=True):
                    ops.assign(held, Tensor(array))
        self.taken = taken
        self._prepare()

    def _prepare(self):
        """Rates and freezing of the coming step."""
        for group, rate in zip(self.param_groups, self.rates, strict=True):
            ops.assign(group["lr"], Tensor(rate(self.taken), mindspore.float32))
        for parameter in self.flow:
            parameter.requires_grad = self.taken >= self.frozen
