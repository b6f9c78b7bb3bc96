"""Optimiser steps of one half of a pair, one at a time, so that gradients and parameters can be seen and exchanged."""

import mindspore
import numpy as np
from mindspore import Tensor

from ms_model.pairs import to_numpy
from port.errors import PortError


class Trainer:
    """The network in training mode with its optimiser. What comes in and out goes by the reference's names.

    Raises PortError where the pair names no optimiser.
    """

    def __init__(self, side):
        if side.optimizer is None:
            raise PortError(f"{side.pair.name} names no optimiser, so there is no training to compare.")
        self.side = side
        made = side.optimizer(side.net)
        self.optimizer, self.scheduler = made if isinstance(made, tuple) else (made, None)
        side.net.set_train()
        names = {id(p): name for name, p in side.net.parameters_and_names()}
        self.parameters = {names[id(p)]: p for p in self._held()}
        self.score = lambda *inputs: side.loss(side.net(*inputs), inputs)
        self.asked, self.graded = None, None  # for whose gradients the network was last prepared

    def _held(self):
        """What the optimiser moves, in the order in which it takes gradients."""
        held = getattr(self.optimizer, "parameters", None)
        if isinstance(held, tuple | list):
            return held
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    def _moving(self):
        """Of these, what is not frozen at present."""
        return {name: p for name, p in self.parameters.items() if p.requires_grad}

    def gradients(self):
        """-> loss, {name: gradient} of what the optimiser moves"""
        moving = self._moving()
        if self.asked != list(moving):  # a frozen part has thawed
            self.asked = list(moving)
            self.graded = mindspore.value_and_grad(self.score, None, list(moving.values()))
        loss, gradients = self.graded(*self.side.inputs)
        named = self.side.by_reference(dict(zip(moving, gradients, strict=True)))
        return to_numpy(loss), {name: to_numpy(gradient).copy() for name, gradient in named}

    def rates(self):
        """The learning rate of the coming step, by parameter."""
        if not hasattr(self.optimizer, "get_lr"):
            rates = [float(group["lr"]) for group in self.optimizer.param_groups for _ in group["params"]]
            named = dict(zip(self.parameters, rates, strict=True))
            return self._of_reference({name: named[name] for name in self._moving()})
        rate = self.optimizer.get_lr()
        rates = rate if isinstance(rate, tuple) else [rate] * len(self.parameters)
        return self._of_reference({name: float(one) for name, one in zip(self.parameters, rates, strict=True)})

    def _of_reference(self, rates):
        """The rates of the port's parameters by the names of the reference's."""
        entries = self.side.map.entries
        return {name: rates[e.port[0]] for e in entries for name in e.torch if e.port[0] in rates}

    def update(self, gradients):
        """One step along the gradients given, clipped if the pair clips; parameters without one get zeros."""
        shapes = self.side.map.torch_shapes()
        own = self.side.map.to_port({name: gradients.get(name, np.zeros(s, np.float32)) for name, s in shapes.items()})
        given = tuple(Tensor(np.array(own[name])) for name in self.parameters)
        given = self.side.clip(given) if self.side.clip else given
        self.optimizer(mindspore.mutable(given))  # or else every step is compiled anew, the gradients as constants
        if self.scheduler:
            self.scheduler.step()

    def describe(self):
        """One line about the optimiser."""
        return type(self.optimizer).__name__
