"""Updates, learning rates and buffers that move otherwise than the reference's."""

import re

import numpy as np

from port.diagnose.evidence import Evidence, Finding
from port.diagnose.tools import comparable, found, port_of, reference_of


def not_updated(evidence: Evidence) -> Finding | None:
    """Nothing moves under a gradient that is not zero."""
    if evidence.kind != "update" or not stands_still(evidence):
        return None
    hint = "mint optimisers never update on a CPU; or the parameter is missing from what the optimiser was given."
    return Finding("not_updated", "the update is zero", hint, 1.0, (73, 104, 115))


def stands_still(evidence: Evidence) -> bool:
    """Whether the port's change is zero where the reference's is not."""
    if evidence.port is None or evidence.reference is None:
        return False
    return bool(evidence.reference.any()) and not evidence.port.any()


def frozen(evidence: Evidence) -> Finding | None:
    """Moved though the reference leaves it alone."""
    if evidence.kind != "update" or not comparable(evidence) or evidence.reference.any() or not evidence.port.any():
        return None
    held, gradient = evidence.context, evidence.context.get("gradient")
    if held.get("moves") and held.get("lr") and gradient is not None and gradient.any():
        return None  # it waits at this step, as an optimiser that accumulates does
    return Finding(
        "frozen",
        "updated though frozen in the reference",
        "Set requires_grad=False before trainable_params() is taken.",
        1.0,
        (115,),
    )


def stale(evidence: Evidence) -> Finding | None:
    """A buffer that does not move."""
    if evidence.kind != "buffer" or not stands_still(evidence):
        return None
    return Finding(
        "stale_buffer",
        "the buffer does not move",
        "In-place arithmetic does not change a tensor: use ops.assign.",
        1.0,
        (73, 122),
    )


def momentum(evidence: Evidence) -> Finding | None:
    """A running statistic that moves by m of the way where the reference moves by 1 - m."""
    if evidence.kind != "buffer" or not comparable(evidence):
        return None
    a, b = reference_of(evidence), port_of(evidence)
    if not a.any():
        return None
    ratio = float((a * b).sum() / (a * a).sum())
    says = f"it moves {ratio:.4g} times as far as the reference's"
    return found(
        evidence,
        "momentum",
        a * ratio,
        says,
        "MindSpore's momentum is one minus PyTorch's: nn.BatchNorm2d(momentum=0.9) for 0.1.",
        (14,),
    )


def decay(evidence: Evidence) -> Finding | None:
    """The difference is a multiple of the parameter."""
    parameter = evidence.context.get("parameter")
    if evidence.kind != "update" or not comparable(evidence) or parameter is None or not parameter.any():
        return None
    a, b, p = reference_of(evidence), port_of(evidence), parameter.astype(np.float64)
    share = float(((b - a) * p).sum() / (p * p).sum())
    hint = (
        "Check weight_decay: MindSpore leaves out parameters named beta or gamma, AdamWeightDecay is another algorithm."
    )
    return found(
        evidence, "weight_decay", a + share * p, f"the difference is {share:.3g} times the parameter", hint, (99,)
    )


def rate(evidence: Evidence) -> Finding | None:
    """Another learning rate."""
    if evidence.kind != "lr" or not comparable(evidence) or evidence.port.size != 1:
        return None
    step = evidence.context.get("step")
    says = f"{float(evidence.port):.6g} in the port, {float(evidence.reference):.6g} in the reference at step {step}"
    return Finding(
        "learning_rate",
        says,
        "Check rate, groups and schedule: MindSpore's are lists or cells indexed by global_step.",
        1.0,
        (105, 106, 107, 112),
    )


def adam_epsilon(evidence: Evidence) -> Finding | None:
    """Adam whose epsilon is not bias-corrected."""
    gradients = gradients_of(evidence)
    if gradients is None or not str(evidence.context.get("optimizer", "")).startswith("Adam"):
        return None
    for beta2 in (0.999, 0.99):
        value = adam(gradients, float(evidence.context["lr"]), 0.9, beta2)
        finding = found(
            evidence,
            "optimizer_epsilon",
            value,
            "epsilon is added before the bias correction",
            "Write the update out: nn.Adam scales its epsilon by the bias correction.",
            (98,),
        )
        if finding.explained > 0.98:
            return finding
    return None


def gradients_of(evidence: Evidence) -> list[np.ndarray] | None:
    """All gradients of the parameter up to the step, or None."""
    history = evidence.context.get("history") or []
    if evidence.kind != "update" or not comparable(evidence) or not history or not evidence.context.get("lr"):
        return None
    gradients = [gradient for gradient, _, _ in history]
    return None if any(g is None for g in gradients) else [g.astype(np.float64) for g in gradients]


def adam(gradients: list[np.ndarray], lr: float, beta1: float, beta2: float, eps: float = 1e-8) -> np.ndarray:
    """The last update of Adam in the form whose epsilon is added to the uncorrected root."""
    m = v = np.zeros_like(gradients[0])
    for g in gradients:
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
    t = len(gradients)
    rate = lr * np.sqrt(1 - beta2**t) / (1 - beta1**t)
    return -rate * m / (np.sqrt(v) + eps)


def another_mode(evidence: Evidence) -> Finding | None:
    """The loss of a training step is wrong where evaluation was right: what differs is what training mode switches."""
    if evidence.stage != "training" or evidence.kind != "loss":
        return None
    hint = (
        "Check net.set_train(), the rate of every dropout, and use_batch_statistics: evaluation mode computes the same."
    )
    return Finding("training_mode", "right in evaluation mode and wrong in training mode", hint, 1.0, (17, 24, 31, 32))


def another_rule(evidence: Evidence) -> Finding | None:
    """An update that differs though parameter, gradient and rate are the reference's: the rule is another one."""
    if evidence.kind != "update" or not comparable(evidence):
        return None
    says = "another step from the same parameter along the same gradient"
    hint = "Compare the optimisers' arguments: momentum, betas, dampening, Nesterov, clipping, initial state."
    return Finding("optimizer", says, hint, 1.0, (100, 101, 102, 110, 111))


def larger_epsilon(evidence: Evidence) -> Finding | None:
    """Adam with another epsilon, bias-corrected as in PyTorch."""
    gradients, optimizer = gradients_of(evidence), str(evidence.context.get("optimizer", ""))
    if gradients is None or not optimizer.startswith("Adam"):
        return None
    own, lr = torch_adam(gradients, 1e-8, optimizer), float(evidence.context["lr"])
    for eps in (1e-10, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3):
        value = reference_of(evidence) + lr * (own - torch_adam(gradients, eps, optimizer))
        finding = found(
            evidence,
            "optimizer_epsilon",
            value,
            f"epsilon is {eps:g}",
            "Give the optimiser PyTorch's epsilon 1e-8.",
            (98,),
        )
        if finding.explained > 0.95:
            return Finding(finding.label, finding.says, finding.suggestion, max(finding.explained, 0.98), finding.rows)
    return None


def torch_adam(gradients: list[np.ndarray], eps: float, optimizer: str) -> np.ndarray:
    """Direction of Adam's last step, epsilon added to the corrected root."""
    stated = re.search(r"betas: \(([0-9.]+), ([0-9.]+)\)", optimizer)
    beta1, beta2 = (float(stated[1]), float(stated[2])) if stated else (0.9, 0.999)
    m = v = np.zeros_like(gradients[0])
    for g in gradients:
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
    t = len(gradients)
    return m / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + eps)


LAST = (another_rule,)  # what remains when nothing narrower was found
EXPLANATIONS = (another_mode, not_updated, frozen, stale, momentum, rate, adam_epsilon, larger_epsilon, decay)
