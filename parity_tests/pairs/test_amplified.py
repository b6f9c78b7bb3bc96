"""Healthy rounding that a network amplifies is let pass; a bug of the same size is not."""

import numpy as np
import pytest

from port.parity import tolerance
from port.parity.amplified import (
    gradients_told_from_bugs,
    norms_told_from_bugs,
    series_told_from_bugs,
    told_from_bugs,
)
from port.parity.compare import Stage
from port.parity.measure import Row
from port.parity.pair_capture import Rounding
from port.parity.pair_compare import (
    compare_sites,
    compare_updates,
)
from port.parity.trace import Trace, TraceWriter

SITE = "forward/m:out"
EXACT = np.random.default_rng(0).standard_normal(1000)


@pytest.fixture
def traced(tmp_path):
    """traced(name, array) -> trace of one site"""

    def write(name, array):
        writer = TraceWriter(tmp_path / name, 1 << 30)
        writer.add(SITE, "output", array, whole=True)
        writer.finish(None, error=None)
        return Trace(tmp_path / name)

    return write


def off(size):
    return (EXACT + size * np.random.default_rng(int(1 / size)).standard_normal(1000)).astype(np.float32)


def judged(traced, port, noisy, forced_reason=None):
    """The accumulated row after the rule, where the reference itself errs by rounding."""
    reference, truth = traced("reference", EXACT.astype(np.float32)), traced("truth", EXACT)
    port, noisy = traced("port", port), traced("noisy", noisy)
    stage = compare_sites("accumulated", reference, port, truth, tolerance.load())
    (row,) = stage.rows
    assert row.reason  # the ratio alone fails it
    forced = Stage("forward", "", [Row(0.0, SITE, "output", "m", reason=forced_reason)])
    told_from_bugs(
        stage, {"forward": forced, "backward": Stage("backward", "")}, port, truth, noisy, reference, tolerance.load()
    )
    return row


def test_no_more_than_noise_grows_to_passes_and_is_noted(traced):
    row = judged(traced, off(1e-3), off(0.8e-3))
    assert row.reason is None
    assert row.note.startswith("amplified rounding")


def test_more_than_noise_grows_to_fails(traced):
    assert judged(traced, off(1e-3), off(1e-4)).reason


def test_one_element_of_another_sign_passes(traced):
    """A kink takes an element away or doubles it; it does not make one larger than all others."""
    port = off(1e-4)
    port[7] = 2 * EXACT[7]
    assert judged(traced, port, off(0.9e-1)).reason is None


def test_one_element_beyond_all_others_fails(traced):
    port = off(1e-4)
    port[7] = 20.0
    assert judged(traced, port, off(0.9)).reason


def test_wrong_on_right_inputs_fails_whatever_noise_does(traced):
    assert judged(traced, off(1e-3), off(1e-2), forced_reason="errs").reason


def test_missing_sites_are_not_excused(traced):
    port = off(1e-3)
    port[3] = np.nan
    assert judged(traced, port, off(1e-2)).reason


def test_noise_has_the_size_that_a_port_is_allowed(traced):
    """8 times the reference's own error, its signs drawn at random; nothing where the reference is exact."""
    reference, truth = traced("a", off(1e-6)), traced("b", EXACT)
    noise = Rounding(reference, truth)(SITE)
    own = reference.whole(SITE) - EXACT
    assert np.allclose(np.abs(noise), tolerance.load().ratio_rms * np.abs(own), rtol=1e-5)
    assert 0.4 < np.mean(np.sign(noise) == np.sign(own)) < 0.6
    assert not Rounding(truth, truth)(SITE).any()


STEP, GRADIENT = "step.01/m.weight@grad", "parameters/m.weight@grad"


def judged_in_training(tmp_path, port, noisy, forced_reason=None):
    """The row of a gradient of an optimiser step, held against the noise of that parameter's gradient."""

    def trace(run, site, array):
        writer = TraceWriter(tmp_path / run, 1 << 30)
        writer.add(site, "gradient", array, whole=True)
        writer.finish(None, error=None)
        return Trace(tmp_path / run)

    near = EXACT.astype(np.float32)
    ours = {"reference": trace("reference", GRADIENT, near), "float64": trace("float64", GRADIENT, EXACT),
            "noisy": trace("noisy", GRADIENT, noisy), "training": trace("training", STEP, near),
            "updates64": trace("updates64", STEP, EXACT)}  # fmt: skip
    theirs, limits = trace("updates", STEP, port), tolerance.load()
    stage = compare_updates(
        "training", ours["training"], theirs, ours["updates64"], limits, {"gradient"}, ours["training"]
    )
    (row,) = stage.rows
    assert row.reason
    backward = Stage("backward", "", [Row(0.0, GRADIENT, "gradient", "m", reason=forced_reason)])
    steps, noise = (ours["training"], theirs, ours["updates64"]), (ours["noisy"], ours["float64"])
    gradients_told_from_bugs(stage, backward, *steps, noise, limits)
    return row


@pytest.mark.parametrize(
    "port, noisy, reason, passes",
    [(1e-3, 0.8e-3, None, True), (1e-3, 1e-4, None, False), (1e-3, 1e-2, "errs", False)],
    ids=["no more than noise", "more than noise", "wrong on right inputs"],
)
def test_gradients_of_optimiser_steps(tmp_path, port, noisy, reason, passes):
    row = judged_in_training(tmp_path, off(port), off(noisy), reason)
    assert (row.reason is None) == passes == (row.note is not None)


def test_one_gradient_beyond_all_others_fails_in_training(tmp_path):
    port = off(1e-4)
    port[7] = 20.0
    assert judged_in_training(tmp_path, port, off(0.9)).reason


@pytest.mark.parametrize("error, passes", [(1e-2, True), (2e-2, False)])  # the limit is 8 x 2e-3
def test_the_norm_of_all_gradients(tmp_path, error, passes):
    """Noise turns the gradient by 2e-3 and leaves its norm alone: what counts is how far the gradient moved."""

    def trace(run, **sites):
        writer = TraceWriter(tmp_path / run, 1 << 30)
        for name, (site, array) in sites.items():
            writer.add(site, name, array, whole=True)
        writer.finish(None, error=None)
        return Trace(tmp_path / run)

    gradient, turned = np.array([1.0, 0.0]), np.array([1.0, 2e-3]) / np.hypot(1.0, 2e-3)
    noise = (trace("noisy", gradient=(GRADIENT, turned)), trace("float64", gradient=(GRADIENT, gradient)))
    site, limits = "step.01/grad_norm", tolerance.load()
    values = {"reference": 1.0 + 1e-7, "port": 1.0 + error, "truth": 1.0}
    traces = [trace(run, grad_norm=(site, np.asarray(value))) for run, value in values.items()]
    stage = compare_updates("training", *traces, limits, {"grad_norm"}, traces[0])
    assert stage.failing
    norms_told_from_bugs(stage, traces[1], traces[2], noise, limits)
    assert stage.passed == passes


@pytest.mark.parametrize(
    "own, port, wrong",
    [
        ([0, 1e-5, 1e-5, 1e-2], [0, 1e-5, 5e-3, 5e-3], []),  # drifts off one step earlier than the reference
        ([0, 1e-5, 1e-5, 1e-2], [0, 5e-3, 5e-3, 5e-3], [1]),  # two steps earlier: that is no chance
        ([0, 1e-5, 1e-5, 1e-5], [0, 1e-5, 1e-5, 1e-3], [3]),
    ],
)
def test_a_training_that_drifts(tmp_path, own, port, wrong):
    def trace(run, errors):
        writer = TraceWriter(tmp_path / run, 1 << 30)
        for k, error in enumerate(errors):
            writer.add(f"step.{k:02d}/loss", "loss", np.asarray(1.0 + error), whole=True)
        writer.finish(None, error=None)
        return Trace(tmp_path / run)

    reference, ported, truth = trace("reference", own), trace("port", port), trace("truth", [0] * len(own))
    limits = tolerance.load()
    stage = compare_updates("accumulated training", reference, ported, truth, limits, {"loss"}, reference, given=False)
    assert stage.failing
    series_told_from_bugs(stage, reference, ported, truth, limits)
    assert [row.site for row in stage.failing] == [f"step.{k:02d}/loss" for k in wrong]
