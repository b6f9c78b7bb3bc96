"""How TTVSR is trained: Adam, the flow network at an eighth of the rate and frozen at first, one cosine down to 1e-7.

Source: the official configuration for REDS.
"""

import torch
from torch import optim

from port.models import ttvsr as facts
from torch_ref.loss import charbonnier
from torch_ref.networks import load_network


def network(path, **options):
    """TTVSR with the weights of a file, in training mode."""
    return load_network("ttvsr", path, **options).train()


def loss(output, target):
    """Charbonnier distance from an array (n, t, 3, 4h, 4w) in [0, 1]. -> scalar"""
    return charbonnier(output, torch.from_numpy(target).to(output))


class Recipe:
    """Optimiser and schedule in one. A frozen flow network gets no gradients, and its moments start when it thaws.

    rate    of everything but the flow network
    period  iterations from the full rate down to 1e-7
    frozen  iterations in which the flow network stands still
    """

    def __init__(self, net, rate=facts.RATE, period=facts.PERIOD, frozen=facts.FROZEN):
        self.flow = list(net.spynet.parameters())
        rest = [p for name, p in net.named_parameters() if not name.startswith("spynet.")]
        groups = [{"params": rest}, {"params": self.flow, "lr": rate * facts.FLOW_RATE}]
        self.adam = optim.Adam(groups, lr=rate, betas=facts.BETAS)
        self.schedule = optim.lr_scheduler.CosineAnnealingLR(self.adam, period, facts.LAST_RATE)
        self.frozen, self.taken = frozen, 0
        self._freeze()

    @property
    def param_groups(self):
        """Parameters with their present rates."""
        return self.adam.param_groups

    def step(self):
        """One step along the gradients that the parameters hold."""
        self.adam.step()  # leaves alone what has no gradient
        self.schedule.step()
        self.taken += 1
        self._freeze()

    def _freeze(self):
        for parameter in self.flow:
            parameter.requires_grad_(self.taken >= self.frozen)
