"""Optimiser steps of one half of a pair, one at a time, so that gradients and parameters can be seen and exchanged."""

import mindspore
import numpy as np
from mindspore import Tensor

from ms_model.pairs import to_numpy
from port.errors import PortError


class Trainer:
    """The network in training mode with its optimiser. Everything goes by the reference's names.

    Raises PortError where the pair names no optimiser.
    """

    def __init__(self, side):
        if side.optimizer is None:
            raise PortError(f"{side.pair.name} names no optimiser, so there is no training to compare.")
        self.side = side
        made = side.optimizer(side.net)
        self.optimizer, self.scheduler = made if isinstance(made, tuple) else (made, None)
        side.net.set_train()
        names = {id(p): side.names.get(name, name) for name, p in side.net.parameters_and_names()}
        self.parameters = {names[id(p)]: p for p in self._held()}
        score = lambda *inputs: side.loss(side.net(*inputs), inputs)  # noqa: E731
        self.graded = mindspore.value_and_grad(score, None, list(self.parameters.values()))

    def _held(self):
        """What the optimiser moves, in the order in which it takes gradients."""
        held = getattr(self.optimizer, "parameters", None)
        if isinstance(held, tuple | list):
            return held
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    def gradients(self):
        """-> loss, {name: gradient} of what the optimiser moves"""
        loss, gradients = self.graded(*self.side.inputs)
        named = zip(self.parameters, gradients, strict=True)
        return to_numpy(loss), {name: to_numpy(gradient).copy() for name, gradient in named}

    def rates(self):
        """The learning rate of the coming step, by parameter."""
        if not hasattr(self.optimizer, "get_lr"):
            groups = self.optimizer.param_groups
            return dict(zip(self.parameters, (float(g["lr"]) for g in groups for _ in g["params"]), strict=True))
        rate = self.optimizer.get_lr()
        rates = rate if isinstance(rate, tuple) else [rate] * len(self.parameters)
        return {name: float(one) for name, one in zip(self.parameters, rates, strict=True)}

    def update(self, gradients):
        """One step along the gradients given, clipped if the pair clips; parameters without one get zeros."""
        zeros = lambda p: np.zeros(p.shape, np.float32)  # noqa: E731
        given = tuple(Tensor(np.array(gradients.get(name, zeros(p)))) for name, p in self.parameters.items())
        given = self.side.clip(given) if self.side.clip else given
        self.optimizer(mindspore.mutable(given))  # or else every step is compiled anew, the gradients as constants
        if self.scheduler:
            self.scheduler.step()

    def describe(self):
        """One line about the optimiser."""
        return type(self.optimizer).__name__
