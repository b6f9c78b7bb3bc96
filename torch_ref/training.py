"""Optimiser steps of one half of a pair, one at a time, so that gradients and parameters can be seen and exchanged."""

import numpy as np
import torch

from port.errors import PortError
from torch_ref.pairs import to_numpy


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
        side.net.train()

    def gradients(self):
        """-> loss, {name: gradient} of what the loss depends on"""
        self.side.net.zero_grad()
        loss = self.side.loss(self.side.net(*self.side.inputs), self.side.inputs)
        loss.backward()
        graded = {name: p.grad for name, p in self.side.trained().items() if p.grad is not None}
        return to_numpy(loss), {name: to_numpy(gradient).copy() for name, gradient in graded.items()}

    def rates(self):
        """The learning rate of the coming step, by parameter."""
        names = {id(p): name for name, p in self.side.trained().items()}
        groups = self.optimizer.param_groups
        return {names[id(p)]: float(group["lr"]) for group in groups for p in group["params"] if id(p) in names}

    def update(self, gradients):
        """One step along the gradients given, clipped if the pair clips; parameters without one are left alone."""
        for name, parameter in self.side.trained().items():
            given = gradients.get(name)
            parameter.grad = None if given is None else torch.from_numpy(np.array(given)).to(parameter)
        if self.side.clip:
            self.side.clip([p for p in self.side.trained().values() if p.grad is not None])
        self.optimizer.step()
        if self.scheduler:
            self.scheduler.step()

    def describe(self):
        """One line about the optimiser."""
        return " ".join(repr(self.optimizer).split())
