"""Healthy rounding that grows along a network, told from bugs: what errs too much in a run that nobody corrects on its way.

The reference itself, with as much error added at every site as a port may make there, says how much is healthy.
"""

from collections.abc import Callable, Mapping

import numpy as np

from port.parity.compare import Stage
from port.parity.measure import rms
from port.parity.ratio import value_of
from port.parity.tolerance import Tolerances
from port.parity.trace import Trace


def told_from_bugs(
    stage: Stage,
    stages: Mapping[str, Stage],
    port: Trace,
    truth: Trace,
    noisy: Trace,
    reference: Trace,
    limits: Tolerances,
    of_kernel: Callable[[str], np.ndarray | None] = lambda site: None,
) -> None:
    """Pass what is no more than healthy rounding amplified along the network.

    A site of the accumulated run that errs too much is let pass if it is right on right inputs, and if its rms error is at most
    `amplified` times that of the reference itself with noise: as much error added at every site as a port may make there.
    Kinks do that: one ReLU's sign, one pixel's cell that rounding decides. Which elements they hit is chance, so the largest
    error is held against the largest magnitude only: a kink can take away an element, or double it.

    of_kernel  what a kernel that is known to err adds at a site; a trace holds a value as it was before
    """
    right = {row.site for name in ("forward", "backward") for row in stages[name].rows if not row.reason}
    for row in stage.failing:
        if row.site not in right or row.ratio is None or row.kind == "decision" or row.site not in noisy.sites:
            continue
        exact, port_value, noisy_value = (value_of(row.site, trace, reference) for trace in (truth, port, noisy))
        if (known := of_kernel(row.site)) is not None:
            noisy_value = noisy_value + known
        errors = [np.abs(value - exact.astype(np.float64)) for value in (port_value, noisy_value)]
        if rms(errors[0]) <= limits.ratio_amplified * rms(errors[1]) and errors[0].max() <= np.abs(exact).max():
            row.note = f"amplified rounding: {row.reason}; the reference with such rounding errs as much"
            row.reason = None


def gradients_told_from_bugs(
    training: Stage, backward: Stage, reference: Trace, port: Trace, truth: Trace, noise: tuple[Trace, Trace],
    limits: Tolerances,
) -> None:  # fmt: skip
    """The same for gradients of optimiser steps, which nobody corrects on their way through the network.

    reference, port, truth  optimiser steps
    noise                   the noisy and the float64 run before the first step: what rounding grows to there, relative to the
                            gradient, it may grow to at a later step
    """
    right = {row.site for row in backward.rows if not row.reason}
    noisy, exact = noise
    for row in training.failing:
        site = f"parameters/{row.site.partition('/')[2]}"
        if row.kind != "gradient" or row.ratio is None or site not in right or site not in noisy.sites:
            continue
        start, grown = (value_of(site, trace, noisy).astype(np.float64) for trace in (exact, noisy))
        true, found = (value_of(row.site, trace, reference).astype(np.float64) for trace in (truth, port))
        allowed = limits.ratio_amplified * rms(grown - start) / (rms(start) or 1.0)
        if rms(found - true) <= allowed * rms(true) and np.abs(found - true).max() <= np.abs(true).max():
            row.note = f"amplified rounding: {row.reason}; the reference with such rounding errs as much"
            row.reason = None


def norms_told_from_bugs(
    stage: Stage, port: Trace, truth: Trace, noise: tuple[Trace, Trace], limits: Tolerances
) -> None:
    """The same for the norm over all gradients: it may err, relatively, as much as all of them together do with noise.

    Not as much as their norm does: that is one number, and errors may cancel in it by chance.
    """
    noisy, exact = noise
    names = [name for name in exact.sites if name.startswith("parameters/") and noisy.whole(name) is not None]
    true, grown = ([trace.whole(name).astype(np.float64) for name in names] for trace in (exact, noisy))
    apart = sum(float(np.square(a - b).sum()) for a, b in zip(true, grown, strict=True))
    length = sum(float(np.square(a).sum()) for a in true)
    allowed = limits.ratio_amplified * np.sqrt(apart / length) if length else 0.0
    for row in stage.failing:
        if row.kind != "grad_norm" or row.ratio is None:
            continue
        true, found = (float(trace.whole(row.site)) for trace in (truth, port))
        if abs(found - true) <= allowed * abs(true):
            row.note = f"amplified rounding: {row.reason}; all gradients of the reference with such rounding err as much"
            row.reason = None


def series_told_from_bugs(stage: Stage, reference: Trace, port: Trace, truth: Trace, limits: Tolerances) -> None:
    """The same for loss and gradient norm of a training that each side goes through on its own.

    The two drift apart faster and faster, and each figure is a single number: whether the reference's error in it has grown by
    this step already or will have by the next is chance. So it counts with the largest error that it has shown by then.
    """
    for row in stage.failing:
        if row.kind not in ("loss", "grad_norm") or row.ratio is None:
            continue
        step, kind = int(row.step.removeprefix("step.")), row.site.partition("/")[2]
        near = [site for k in range(step + 2) if (site := f"step.{k:02d}/{kind}") in truth.sites]
        own = max(relative_error(reference, truth, site) for site in near)
        if relative_error(port, truth, row.site) <= limits.ratio_rms * own:
            row.note = f"drift: {row.reason}; by the next step the reference errs by {own:.2g} of it"
            row.reason = None


def relative_error(trace: Trace, truth: Trace, site: str) -> float:
    """Of a single number."""
    exact = float(truth.whole(site))
    return abs(float(trace.whole(site)) - exact) / (abs(exact) or 1.0)
