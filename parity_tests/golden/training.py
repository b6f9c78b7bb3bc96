"""The official training step on a golden case, and the agreement the cases state for it."""

import numpy as np
import torch

from torch_ref.loss import charbonnier
from torch_ref.ttvsr import TTVSR

STEPS = 5


def train(case, dtype=torch.float32):
    """Five steps of Adam, SPyNet at an eighth of the rate. -> losses before each and after, gradients, norms of the updates"""
    net = TTVSR(num_blocks=case.num_blocks, keyframe_stride=case.keyframe_stride)
    net.load_state_dict({name: torch.from_numpy(array) for name, array in case.weights().items()}, strict=True)
    net.to(dtype)
    start = {name: p.detach().double().clone() for name, p in net.named_parameters()}
    flow = [p for name, p in net.named_parameters() if name.startswith("spynet.")]
    rest = [p for name, p in net.named_parameters() if not name.startswith("spynet.")]
    groups = [{"params": rest}, {"params": flow, "lr": 2e-4 * 0.125}]
    optimiser = torch.optim.Adam(groups, lr=2e-4, betas=(0.9, 0.99))
    frames, truth = torch.from_numpy(case.frames()).to(dtype), torch.from_numpy(case.truth()).to(dtype)
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
