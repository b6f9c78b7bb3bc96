"""torch_ref reproduces every golden case, within the agreement that the cases state."""

import numpy as np
import pytest
import torch

from parity_tests.golden import agreement
from parity_tests.golden.cases import (
    BESIDE,
    OFFICIAL,
    OWN,
    OWN_TRAINING,
    SHARED,
    SMALLEST_SHARE,
    TRAINING,
    is_there,
    load_case,
)
from parity_tests.golden.training import gradient_errors, loss_errors, relative, train, update_errors

GRADIENT_AGREEMENT = 5.0  # times the official network's float32 error, as the golden README derives
LATER_AGREEMENT = 10.0  # for later losses and update norms
LOSS_FLOOR = 1e-7  # the first loss should agree to about this


def beside(name):
    """A case that may be absent: skipped with the reason."""
    reason = f"golden case {name} is not in {SHARED} (set PORT_GOLDEN to its folder)"
    marks = [pytest.mark.shared, pytest.mark.skipif(not is_there(name), reason=reason)]
    return pytest.param(name, marks=[*marks, pytest.mark.slow] if name in ("full", *TRAINING) else marks)


@pytest.mark.parametrize("name", [*OFFICIAL, *OWN, *map(beside, BESIDE)])
def test_forward(name):
    found = agreement.measure(load_case(name))
    assert "output" in found and "flows_backward" in found
    for row in found.values():
        if row.allowed is None:
            assert row.differing <= (1 - SMALLEST_SHARE) * row.elements, f"{row.kind}: {row.differing} choices differ"
        else:
            assert row.max_abs <= row.allowed, f"{row.kind}: {row.max_abs:.3g}, allowed {row.allowed:.3g}"


def no_attention(self, query, anchor, keyframes, locations):
    return anchor


def newest_keyframe(self, query, keyframes, position):
    """Scores that rise from the oldest keyframe to the newest."""
    return torch.arange(position.shape[1])[None, :, None].expand(position.shape) / 9


def bilinear_for_pooling(x, size):
    return RESIZE(x, size=size, mode="bilinear")


def align_corners_off(x, **how):
    return RESIZE(x, **{**how, "align_corners": False})


RESIZE = torch.nn.functional.interpolate
BREAKS = {
    "torch_ref.ltam.LTAM.forward": no_attention,
    "torch_ref.ltam.LTAM._similarity": newest_keyframe,
    "torch_ref.tokens.F.adaptive_avg_pool2d": bilinear_for_pooling,
    "torch_ref.spynet.F.interpolate": align_corners_off,
}


@pytest.mark.parametrize("place", BREAKS)
def test_forward_can_fail(place, monkeypatch):
    """The committed case notices each of these; without that, agreement would mean nothing."""
    monkeypatch.setattr(place, BREAKS[place])
    found = agreement.measure(load_case("synthetic"))
    assert found["output"].max_abs > 100 * found["output"].allowed


@pytest.mark.parametrize("name", [*OWN_TRAINING, *map(beside, TRAINING)])
def test_training(name):
    """Loss, gradients and five Adam steps of the official network."""
    case = load_case(name)
    losses, gradients, updates = train(case)
    allowed = loss_errors(case)
    for step, (loss, golden) in enumerate(zip(losses, case.about["losses"], strict=True)):
        assert abs(loss - golden) <= max(LOSS_FLOOR, LATER_AGREEMENT * allowed[step]), f"loss before step {step}"
    errors = gradient_errors(case)
    for key, golden in case.tensors.items():
        if key.startswith("grad."):
            parameter = key.removeprefix("grad.")
            assert relative(gradients[parameter], golden) <= GRADIENT_AGREEMENT * errors[parameter], key
    for parameter, golden in case.about["grad_norm_step0"].items():
        norm = np.linalg.norm(gradients[parameter].astype(np.float64))
        assert abs(norm - golden) <= GRADIENT_AGREEMENT * errors[parameter] * golden, parameter
    for parameter, golden in case.about["param_update_norm_after5"].items():
        assert abs(updates[parameter] - golden) <= LATER_AGREEMENT * update_errors(case)[parameter] * golden, parameter
