"""The official training step on a golden case, and the agreement the cases state for it."""

import numpy as np
import torch

from torch_ref.loss import charbonnier
from torch_ref.ttvsr import TTVSR

STEPS = 5
GRADIENT_AGREEMENT = 5.0  # times the official network's float32 error, as the golden README derives
LATER_AGREEMENT = 10.0  # for later losses and update norms
LOSS_FLOOR = 1e-7  # the first loss should agree to about this


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
    """Relative error of each update norm, float32 against float64; at least that of its like (flow net or not, bias or not).

    The stated error is one draw: two runs of one parameter may agree by chance, and a third will not. Adam makes full steps
    of tiny gradients, so the flow network's biases err most; the root mean square over such a group is what to expect.
    """
    if "param_update_norm_after5_fp64" in case.about:
        exact = case.about["param_update_norm_after5_fp64"]
        norms = case.about["param_update_norm_after5"]
        errors = {name: abs(norm - exact[name]) / exact[name] for name, norm in norms.items()}
    else:
        errors = case.about["fp32_vs_fp64"]["param_update_norm_rel"]
    groups = {}
    for name, error in errors.items():
        groups.setdefault(_group(name), []).append(error)
    return {
        name: max(error, float(np.sqrt(np.mean(np.square(groups[_group(name)]))))) for name, error in errors.items()
    }


def _group(name):
    return name.startswith("spynet."), name.endswith(".bias")


def relative(value, golden):
    """L2 error over the L2 norm of the golden value."""
    return float(np.linalg.norm(value.astype(np.float64) - golden) / np.linalg.norm(golden.astype(np.float64)))


def training_shares(case, losses, gradients, updates):
    """Every comparison of a training case: kind -> (how many, the worst by name, its error over the error allowed)."""
    about, loss_error, errors, moved = case.about, loss_errors(case), gradient_errors(case), update_errors(case)
    shares = {"losses": {}, "gradients": {}, "gradient norms": {}, "update norms": {}}
    for step, (loss, golden) in enumerate(zip(losses, about["losses"], strict=True)):
        shares["losses"][f"step {step}"] = abs(loss - golden) / max(LOSS_FLOOR, LATER_AGREEMENT * loss_error[step])
    for key, golden in case.tensors.items():
        if key.startswith("grad."):
            name = key.removeprefix("grad.")
            shares["gradients"][name] = relative(gradients[name], golden) / (GRADIENT_AGREEMENT * errors[name])
    for name, golden in about["grad_norm_step0"].items():
        error = abs(np.linalg.norm(gradients[name].astype(np.float64)) - golden)
        shares["gradient norms"][name] = float(error / (GRADIENT_AGREEMENT * errors[name] * golden))
    for name, golden in about["param_update_norm_after5"].items():
        shares["update norms"][name] = abs(updates[name] - golden) / (LATER_AGREEMENT * moved[name] * golden)
    return {kind: (len(found), max(found, key=found.get), max(found.values())) for kind, found in shares.items()}
