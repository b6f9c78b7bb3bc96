"""Optimiser steps, recorded: loss, gradients, learning rates, and how far every parameter and buffer moved.

Sites are `step.00/loss`, `step.00/grad_norm`, `step.00/lr`, `step.00/NAME@grad`, `@update` (after minus before), and in the
reference's own run `@parameter` (before the step), from which other runs can be started alike.
"""

from collections.abc import Collection, Mapping
from typing import Protocol

import numpy as np

from port.parity.trace import Trace, TraceWriter

TINY_STEPS = 2  # its length at most: the first step shows it already
TINY = 1e-7  # factor on the gradients of the run that shows where an optimiser's epsilon stands


class Steps(Protocol):
    """A column's optimiser around one half of a pair."""

    def gradients(self) -> tuple[np.ndarray, dict[str, np.ndarray]]: ...
    def rates(self) -> dict[str, float]: ...
    def update(self, gradients: Mapping[str, np.ndarray]) -> None: ...


def train(
    trainer: Steps,
    writer: TraceWriter,
    steps: int,
    given: Trace | None = None,
    factor: float = 1.0,
    gradients_at: Collection[int] | None = None,
) -> None:
    """Take `steps` optimiser steps and record them.

    given         trace of the reference's own run: every step starts from its parameters and follows its gradients
    factor        on those gradients
    gradients_at  steps of a given run in which loss and gradients are computed as well; None for all
    """
    for k in range(steps):
        label = f"step.{k:02d}"
        if given:
            trainer.side.set_values(parameters_at(given, label))
        before = trainer.side.values()
        if not given:
            loss, moved_by = trainer.gradients()
            record_gradients(writer, label, loss, moved_by)
        else:
            moved_by = scaled(gradients_of(given, label), factor)
            if factor != 1.0:  # only the rule of the update is looked at, so nothing of the network need run
                record_gradients(writer, label, given.whole(f"{label}/loss"), moved_by)
            elif gradients_at is None or k in gradients_at:
                record_gradients(writer, label, *trainer.gradients())
        record_rates(writer, label, trainer.rates())
        trainer.update(moved_by)
        if not given:
            for name, array in before.items():
                writer.add(f"{label}/{name}@parameter", "parameter", array, whole=True)
        for name, array in trainer.side.values().items():
            kind = "update" if name in moved_by or name in trainer.side.trained() else "buffer"
            moved = array.astype(np.float64) - before[name].astype(np.float64)
            writer.add(f"{label}/{name}@update", kind, moved, whole=True)


def record_gradients(writer: TraceWriter, label: str, loss: np.ndarray, gradients: Mapping[str, np.ndarray]) -> None:
    """Loss, gradients and their norm over all parameters."""
    writer.add(f"{label}/loss", "loss", np.asarray(loss), whole=True)
    for name, array in gradients.items():
        writer.add(f"{label}/{name}@grad", "gradient", array, whole=True)
    squares = sum(float(np.sum(np.square(array, dtype=np.float64))) for array in gradients.values())
    writer.add(f"{label}/grad_norm", "grad_norm", np.asarray(np.sqrt(squares)), whole=True)


def record_rates(writer: TraceWriter, label: str, rates: Mapping[str, float]) -> None:
    """The learning rates of the step by parameter, in the order of the names."""
    for name in sorted(rates):
        writer.add(f"{label}/{name}@lr", "lr", np.asarray(rates[name]), whole=True)


def scaled(gradients: Mapping[str, np.ndarray], factor: float) -> dict[str, np.ndarray]:
    """All gradients times a factor, in their own type."""
    return {name: (array * array.dtype.type(factor)) for name, array in gradients.items()}


def parameters_at(given: Trace, label: str) -> dict[str, np.ndarray]:
    """Parameters and buffers before a step of the reference's run."""
    return by_suffix(given, label, "@parameter")


def gradients_of(given: Trace, label: str) -> dict[str, np.ndarray]:
    """The gradients that the reference followed in a step."""
    return by_suffix(given, label, "@grad")


def by_suffix(given: Trace, label: str, suffix: str) -> dict[str, np.ndarray]:
    """name -> array of all sites `label/NAME<suffix>`."""
    names = [name for name in given.sites if name.startswith(f"{label}/") and name.endswith(suffix)]
    return {name.removeprefix(f"{label}/").removesuffix(suffix): given.whole(name) for name in names}
