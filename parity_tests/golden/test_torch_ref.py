"""torch_ref reproduces every golden case, within the agreement that the cases state."""

import numpy as np
import pytest
import torch

from parity_tests.golden import agreement
from parity_tests.golden.cases import (
    BESIDE,
    COMMITTED,
    SHARED,
    SMALLEST_SHARE,
    TRAINING,
    is_there,
    load_case,
)
from torch_ref.loss import charbonnier
from torch_ref.ttvsr import TTVSR

GRADIENT_AGREEMENT = 5.0  # times the official network's float32 error, as the golden README derives
LATER_AGREEMENT = 10.0  # for later losses and update norms
LOSS_FLOOR = 1e-7  # the first loss should agree to about this
STEPS = 5


def beside(name):
    """A case that may be absent: skipped with the reason."""
    reason = f"golden case {name} is not in {SHARED} (set PORT_GOLDEN to its folder)"
    marks = [pytest.mark.shared, pytest.mark.skipif(not is_there(name), reason=reason)]
    return pytest.param(name, marks=[*marks, pytest.mark.slow] if name in ("full", *TRAINING) else marks)


@pytest.mark.parametrize("name", [*COMMITTED, *map(beside, BESIDE)])
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


@pytest.mark.parametrize("name", map(beside, TRAINING))
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


def train(case):
    """Five steps of Adam, SPyNet at an eighth of the rate. -> losses before each and after, gradients, norms of the updates"""
    net = TTVSR(num_blocks=case.num_blocks, keyframe_stride=case.keyframe_stride)
    net.load_state_dict({name: torch.from_numpy(array) for name, array in case.weights().items()}, strict=True)
    start = {name: p.detach().double().clone() for name, p in net.named_parameters()}
    flow = [p for name, p in net.named_parameters() if name.startswith("spynet.")]
    rest = [p for name, p in net.named_parameters() if not name.startswith("spynet.")]
    groups = [{"params": rest}, {"params": flow, "lr": 2e-4 * 0.125}]
    optimiser = torch.optim.Adam(groups, lr=2e-4, betas=(0.9, 0.99))
    frames = torch.from_numpy(case.frames())
    truth = torch.from_numpy(case.tensors["gt_u8"].astype(np.float32) / np.float32(255))
    losses, gradients = [], {}
    for step in range(STEPS + 1):
        loss = charbonnier(net(frames), truth)
        losses.append(loss.item())
        if step == STEPS:
            break
        optimiser.zero_grad()
        loss.backward()
        if step == 0:
            gradients = {name: p.grad.numpy().copy() for name, p in net.named_parameters()}
        optimiser.step()
    moved = {name: float((p.detach().double() - start[name]).norm()) for name, p in net.named_parameters()}
    return losses, gradients, moved


def loss_errors(case):
    """Error of each loss, float32 against float64, as the case states it."""
    if "losses_fp64" in case.about:
        return [abs(a - b) for a, b in zip(case.about["losses"], case.about["losses_fp64"], strict=True)]
    return case.about["fp32_vs_fp64"]["loss"]


def gradient_errors(case):
    """Relative L2 error of each gradient, float32 against float64."""
    stated = case.about.get("grad_rel_l2_error_fp32_vs_fp64")
    return stated or case.about["fp32_vs_fp64"]["grad_rel_l2"]


def update_errors(case):
    """Relative error of each update norm, float32 against float64; at least the median over the parameters.

    Norms hide errors that cancel: for single parameters the two runs agree to 1e-7 by chance, which no third run repeats.
    """
    if "param_update_norm_after5_fp64" in case.about:
        exact = case.about["param_update_norm_after5_fp64"]
        errors = {
            name: abs(norm - exact[name]) / exact[name] for name, norm in case.about["param_update_norm_after5"].items()
        }
    else:
        errors = case.about["fp32_vs_fp64"]["param_update_norm_rel"]
    median = float(np.median(list(errors.values())))
    return {name: max(error, median) for name, error in errors.items()}


def relative(value, golden):
    """L2 error over the L2 norm of the golden value."""
    return float(np.linalg.norm(value.astype(np.float64) - golden) / np.linalg.norm(golden.astype(np.float64)))
