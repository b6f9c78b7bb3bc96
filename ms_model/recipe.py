"""How TTVSR is trained: Adam, the flow network at an eighth of the rate and frozen at first, one cosine down to 1e-7.

Source: the official configuration for REDS.
"""

from mindspore import Tensor
from mindspore.experimental import optim

from ms_model.loss import charbonnier
from ms_model.networks import load_network
from port.models import ttvsr as facts


def network(path, **options):
    """TTVSR with the weights of a file, in training mode."""
    return load_network("ttvsr", path, **options).set_train()


def loss(output, target):
    """Charbonnier distance from an array (n, t, 3, 4h, 4w) in [0, 1]. -> scalar"""
    return charbonnier(output, Tensor(target).astype(output.dtype))


class Recipe:
    """Optimiser and schedule in one. A frozen flow network gets no gradients, and its moments start when it thaws.

    rate    of everything but the flow network
    period  iterations from the full rate down to 1e-7
    frozen  iterations in which the flow network stands still
    """

    def __init__(self, net, rate=facts.RATE, period=facts.PERIOD, frozen=facts.FROZEN):
        self.flow = list(net.spynet.trainable_params())
        rest = [p for p in net.trainable_params() if not p.name.startswith("spynet.")]
        # MindSpore's Adam counts its steps once for all parameters, PyTorch's for each: two optimisers, so that the bias
        # correction of a thawed flow network starts where it starts there. Without decay AdamW is Adam; MindSpore's own Adam
        # adds epsilon in another place.
        how = {"betas": facts.BETAS, "weight_decay": 0.0}
        self.adams = [optim.AdamW(rest, lr=rate, **how), optim.AdamW(self.flow, lr=rate * facts.FLOW_RATE, **how)]
        self.schedules = [optim.lr_scheduler.CosineAnnealingLR(adam, period, facts.LAST_RATE) for adam in self.adams]
        self.frozen, self.taken = frozen, 0
        self._freeze()

    @property
    def param_groups(self):
        """Parameters with their present rates."""
        return [group for adam in self.adams for group in adam.param_groups]

    def __call__(self, gradients):
        """One step along gradients in the order of `param_groups`."""
        rest = len(gradients) - len(self.flow)
        self.adams[0](gradients[:rest])
        if self.taken >= self.frozen:
            self.adams[1](gradients[rest:])
        for schedule in self.schedules:
            schedule.step()
        self.taken += 1
        self._freeze()

    def _freeze(self):
        for parameter in self.flow:
            parameter.requires_grad = self.taken >= self.frozen
