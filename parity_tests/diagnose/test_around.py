"""Explanations from what else the network had at hand: each is given the mistake, the right value, and another mistake."""

from dataclasses import replace

import numpy as np
import pytest

from port.diagnose.around import exchanged, grid, made_from_before, missing, other_loss, sum_of_two, warped
from port.diagnose.diagnose import diagnose
from port.diagnose.evidence import Evidence
from port.diagnose.modules import dropped
from port.diagnose.windows import kernel, matrix, resize, sample

RANDOM = np.random.default_rng(3)
X = RANDOM.standard_normal((1, 4, 16, 16))
FLOW = RANDOM.uniform(-3, 3, (1, 2, 16, 16))
OTHER = RANDOM.uniform(-3, 3, (1, 2, 16, 16))


def evidence(reference, port, kind="value", **context):
    held = {name: {str(i): array for i, array in enumerate(arrays)} for name, arrays in context.items()}
    cast = lambda array: None if array is None else np.asarray(array, np.float32)  # noqa: E731
    return Evidence("forward", kind, "fwd.01/x", reference=cast(reference), port=cast(port), context=held)


def along(flow, mode="bilinear", padding="border", corners=True):
    return sample(X, grid(flow), mode, padding, corners)


@pytest.mark.parametrize("port, label", [
    (along(FLOW[:, ::-1]), "flow"), (along(-FLOW), "flow"), (along(0.5 * FLOW), "flow"), (X, "flow"), (along(OTHER), "flow"),
    (along(FLOW, padding="zeros"), "border"), (along(FLOW, mode="nearest"), "interpolation_mode"),
    (along(FLOW, corners=False), "align_corners"),
], ids=["axes", "sign", "factor", "not moved", "other flow", "zeros", "nearest", "corners"])  # fmt: skip
def test_warp(port, label):
    seen = evidence(along(FLOW), port, before=[X], earlier=[OTHER, FLOW])
    finding = warped(seen)
    assert finding.label == label and finding.explained >= 0.98


def test_warp_is_not_claimed_where_the_reference_is_none():
    assert warped(evidence(X + 1, along(-FLOW), before=[X], earlier=[FLOW])) is None
    noise = warped(evidence(along(FLOW), along(FLOW) + X, before=[X], earlier=[FLOW]))
    assert noise is None


def test_another_value_in_its_place():
    assert exchanged(evidence(X, 2 * X, before=[X + 1], beside=[2 * X])).label == "exchanged"
    assert exchanged(evidence(X, 3 * X, before=[X + 1], beside=[2 * X])) is None


def test_a_plain_sum():
    one, two = X, np.flip(X, 2) ** 2
    assert sum_of_two(evidence(one + two * 0.3, one + two, before=[one, two])).label == "missing_term"
    assert sum_of_two(evidence(one + two * 0.3, one + two * 0.5, before=[one, two])) is None


@pytest.mark.parametrize(
    "mode, corners, label", [("bilinear", True, "align_corners"), ("nearest", False, "interpolation_mode")]
)
def test_resized_and_added(mode, corners, label):
    large = RANDOM.standard_normal((1, 4, 32, 32))
    right = large + resize(X, (32, 32), "bilinear", False)
    seen = evidence(right, large + resize(X, (32, 32), mode, corners), before=[large], earlier=[np.concatenate([X + 1, X])])
    assert made_from_before(seen).label == label
    assert made_from_before(replace(seen, port=np.float32(right + 1))) is None


def test_pooled_and_scaled():
    """A flow brought to tokens: means of windows, divided by their size."""
    flow = RANDOM.uniform(1, 3, (1, 2, 16, 16))
    pooled = flow.reshape(1, 2, 4, 4, 4, 4).mean((3, 5)) / 4
    seen = evidence(pooled, resize(flow, (4, 4), "bilinear", False) / 4, earlier=[flow])
    assert made_from_before(seen).label == "pooling_replaced"


def test_slope_of_an_earlier_value():
    leaky = lambda slope: np.where(X < 0, slope * X, X)  # noqa: E731
    finding = made_from_before(evidence(leaky(0.1), leaky(0.2), "input", before=[X], earlier=[X]))
    assert finding.label == "slope" and "0.2" in finding.says


def test_never_made():
    assert missing(evidence(X, None)).label == "missing"
    assert missing(evidence(X, X)) is None


def test_loss():
    seen = replace(evidence(0.5, 0.7), site="end/loss")
    assert other_loss(seen).label == "loss" and diagnose(seen)[0].label == "loss"
    assert diagnose(replace(seen, port=np.float32(0.5 * 48)))[0].label == "reduction"
    assert other_loss(replace(seen, site="end/output")) is None


def test_some_channels_wrong():
    """Values laid side by side: what the wrong ones look like, not the whole."""
    wrong = X.copy()
    wrong[:, 2:, :, 1:] = X[:, 2:, :, :-1]
    finding = diagnose(evidence(X, wrong, "input"))[0]
    assert finding.label == "shift" and finding.says.startswith("channels 2 to 3: the picture is moved by 1")


def test_dropout():
    kept = RANDOM.random(X.shape) < 0.5
    assert dropped(evidence(X, np.where(kept, 2 * X, 0), "output")).label == "training_mode"
    assert dropped(evidence(X, np.where(kept, X**2, 0), "output")).explained < 0.9
    assert dropped(evidence(X, 2 * X, "output")) is None


def test_bicubic_of_mindspore():
    """Its coefficient is -0.5 and taps outside count for nothing: shares of a first pixel, by hand."""
    near, far = kernel(np.array([0.25, 1.25]), "bicubic 0.5")  # the first of eight lies a quarter left of the first of four
    assert np.allclose([near, far], [0.8671875, -0.0703125])  # the cubic convolution of Keys, 1981
    assert np.allclose(matrix(4, 8, "bicubic 0.5", False)[0], [near / (near + far), far / (near + far), 0, 0])
