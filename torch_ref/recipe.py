"""How TTVSR is trained: Adam, the flow network at an eighth of the rate and frozen at first, one cosine down to 1e-7.

Source: the official configuration for REDS.
"""

import torch
from torch import optim

from port.models import ttvsr as facts
from port.train.schedule import rate_at
from torch_ref.loss import charbonnier
from torch_ref.networks import load_network


def network(path, model="ttvsr", **options):
    """A network with the weights of a file, in training mode."""
    return load_network(model, path, **options).train()


def loss(output, target):
    """Charbonnier distance from an array (n, t, 3, 4h, 4w) in [0, 1]. -> scalar"""
    return charbonnier(output, torch.from_numpy(target).to(output))


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
        self.flow = list(net.spynet.parameters())
        rest = [p for name, p in net.named_parameters() if not name.startswith("spynet.")]
        groups = [{"params": rest}, {"params": self.flow, "lr": rate * share}]
        self.adam = optim.Adam(groups, lr=rate, betas=betas)
        self.rates = [lambda k, full=full: rate_at(k, full, last, period, warmup) for full in (rate, rate * share)]
        self.frozen, self.taken = frozen, 0
        self._prepare()

    @property
    def param_groups(self):
        """Parameters with their present rates."""
        return self.adam.param_groups

    def step(self):
        """One step along the gradients that the parameters hold."""
        self.adam.step()  # leaves alone what has no gradient
        self.skip()

    def skip(self):
        """An iteration without a step: the schedule goes on."""
        self.taken += 1
        self._prepare()

    def moments(self):
        """First and second moments so far. -> [(parameter, first, second)] of what has moved, and steps counted by group"""
        held = [(p, self.adam.state[p]) for group in self.param_groups for p in group["params"] if p in self.adam.state]
        steps = [next((int(self.adam.state[p]["step"]) for p in group["params"] if p in self.adam.state), 0)
                 for group in self.param_groups]  # fmt: skip
        return [(p, state["exp_avg"], state["exp_avg_sq"]) for p, state in held], steps

    def restore(self, taken, steps, moments):
        """Go on from iteration `taken`. steps: by group; moments: parameter -> (first, second) arrays"""
        for group, count in zip(self.param_groups, steps, strict=True):
            for p in group["params"] if count else ():
                first, second = (torch.from_numpy(array.copy()).to(p) for array in moments(p))
                self.adam.state[p] = {"step": torch.tensor(float(count)), "exp_avg": first, "exp_avg_sq": second}
        self.taken = taken
        self._prepare()

    def _prepare(self):
        """Rates and freezing of the coming step."""
        for group, rate in zip(self.param_groups, self.rates, strict=True):
            group["lr"] = rate(self.taken)
        for parameter in self.flow:
            parameter.requires_grad_(self.taken >= self.frozen)
