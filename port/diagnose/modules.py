"""Small modules computed again with one argument changed: what the port would give if that were the mistake."""

import math
import re

import numpy as np

from port.diagnose.evidence import Evidence, Finding
from port.diagnose.tools import comparable, found, per_channel, port_of, reference_of

EPSILONS = (0.0, 1e-12, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
ERF = np.vectorize(math.erf)
ERF_LIMIT = 200_000  # math.erf goes element by element


def given(evidence: Evidence) -> np.ndarray | None:
    """What a module with one input was given, in float64."""
    if not comparable(evidence) or evidence.kind != "output" or not evidence.inputs:
        return None
    first = evidence.inputs[0]
    return first.astype(np.float64) if first.dtype.kind == "f" else None


def slope(evidence: Evidence) -> Finding | None:
    """Positive values right, negative ones times another slope."""
    x = given(evidence)
    if x is None or x.shape != evidence.port.shape or not (x < 0).any():
        return None
    b, negative = port_of(evidence), x < 0
    if any(not np.allclose(y[~negative], x[~negative], rtol=1e-5, atol=1e-7) for y in (b, reference_of(evidence))):
        return None
    value = float((b[negative] * x[negative]).sum() / (x[negative] ** 2).sum())
    a = reference_of(evidence)
    own = float((a[negative] * x[negative]).sum() / (x[negative] ** 2).sum())
    says = f"negative values are multiplied by {value:.4g}, in the reference by {own:.4g}"
    return found(
        evidence,
        "slope",
        np.where(negative, value * x, x),
        says,
        f"nn.LeakyReLU(alpha={own:.4g}): MindSpore's default is 0.2.",
        (26,),
    )


def gelu(evidence: Evidence) -> Finding | None:
    """The tanh form where the reference has the exact one, or the other way round."""
    x = given(evidence)
    if x is None or x.shape != evidence.port.shape or x.size > ERF_LIMIT:
        return None
    tanh = 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    exact = 0.5 * x * (1 + ERF(x / math.sqrt(2)))
    forms = (("tanh form", tanh, "False"), ("exact form", exact, "True"))
    for words, value, argument in forms:
        finding = found(
            evidence, "gelu", value, f"the port has the {words} of GELU", f"nn.GELU(approximate={argument}).", (25,)
        )
        if finding.explained > 0.98:
            return finding
    return None


def layer_norm(evidence: Evidence) -> Finding | None:
    """Normalisation over the last axes with another epsilon or another denominator."""
    x, weight = given(evidence), evidence.parameters.get("weight")
    if x is None or evidence.module_type != "LayerNorm" or x.shape != evidence.port.shape:
        return None
    count = weight.ndim if weight is not None else 1
    axes = tuple(range(-count, 0))
    centred = x - x.mean(axes, keepdims=True)
    scale = weight.astype(np.float64) if weight is not None else 1.0
    bias = evidence.parameters.get("bias", np.zeros(())).astype(np.float64)
    return best_epsilon(
        evidence,
        lambda var, eps: centred / np.sqrt(var + eps) * scale + bias,
        (centred**2).mean(axes, keepdims=True),
        math.prod(x.shape[-count:]),
    )


def batch_norm(evidence: Evidence) -> Finding | None:
    """Statistics of the batch for those kept, or another epsilon."""
    x, p = given(evidence), evidence.parameters
    if x is None or "running_var" not in p or x.shape != evidence.port.shape:
        return None
    axes = tuple(i for i in range(x.ndim) if i != 1)

    def fit(values) -> np.ndarray:
        return per_channel(np.asarray(values, np.float64).reshape(-1), x)

    def normalised(mean, var, eps) -> np.ndarray:
        scaled = (x - fit(mean)) / np.sqrt(fit(var) + eps) * fit(p.get("weight", np.ones(x.shape[1])))
        return scaled + fit(p.get("bias", np.zeros(x.shape[1])))

    batch = found(
        evidence,
        "training_mode",
        normalised(x.mean(axes), x.var(axes), stated_epsilon(evidence)),
        "the statistics of the batch are used",
        "Call net.set_train(False) before evaluation; cells and modules differ in how they start.",
        (17,),
    )
    if batch.explained > 0.98:
        return batch
    unloaded = found(
        evidence,
        "stale_buffer",
        normalised(np.zeros(x.shape[1]), np.ones(x.shape[1]), stated_epsilon(evidence)),
        "mean 0 and variance 1: the statistics were not loaded",
        "Load running_mean and running_var as moving_mean and moving_variance.",
        (15,),
    )
    if unloaded.explained > 0.98:
        return unloaded
    return best_epsilon(evidence, lambda var, eps: normalised(p["running_mean"], var, eps), p["running_var"], None)


def best_epsilon(evidence: Evidence, compute, variance, count: int | None) -> Finding | None:
    """The epsilon (or n - 1 for n) under which a normalisation gives the port's value."""
    stated = stated_epsilon(evidence)
    if count and count > 1:
        other = found(
            evidence,
            "ddof",
            compute(variance * count / (count - 1), stated),
            "variance divided by n - 1",
            "ops.std and ops.var take ddof; PyTorch's layers divide by n.",
            (59,),
        )
        if other.explained > 0.98:
            return other
    tried = [
        (
            eps,
            found(
                evidence,
                "epsilon",
                compute(variance, eps),
                f"epsilon is {eps:g}, in the reference {stated:g}",
                f"Give it epsilon={stated:g}.",
                (18, 23),
            ),
        )
        for eps in EPSILONS
        if eps != stated
    ]
    return max((finding for _, finding in tried), key=lambda f: f.explained)


def stated_epsilon(evidence: Evidence) -> float:
    """eps of the reference module as its description has it."""
    match = re.search(r"eps=([0-9.e+-]+)", evidence.description)
    return float(match.group(1)) if match else 1e-5


def softmax_axis(evidence: Evidence) -> Finding | None:
    """Normalised along another axis."""
    x = given(evidence)
    if x is None or x.shape != evidence.port.shape or x.ndim < 2:
        return None
    for axis in range(x.ndim):
        powers = np.exp(x - x.max(axis, keepdims=True))
        finding = found(
            evidence,
            "softmax_axis",
            powers / powers.sum(axis, keepdims=True),
            f"softmax along axis {axis}",
            "Name the axis of the softmax.",
            (34,),
        )
        if finding.explained > 0.98:
            return finding
    return None


def other_function(evidence: Evidence) -> Finding | None:
    """Another pointwise function of the input."""
    x = given(evidence)
    if x is None or x.shape != evidence.port.shape:
        return None
    clipped = np.clip(x, -60, 60)
    functions = {
        "relu": np.maximum(x, 0),
        "the input unchanged": x,
        "sigmoid": 1 / (1 + np.exp(-clipped)),
        "tanh": np.tanh(x),
        "silu": x / (1 + np.exp(-clipped)),
        "relu6": np.clip(x, 0, 6),
        "abs": np.abs(x),
    }
    for name, value in functions.items():
        finding = found(
            evidence, "activation", value, f"the port's value is {name}", "Use the activation of the reference."
        )
        if finding.explained > 0.98:
            return finding
    return None


def dropped(evidence: Evidence) -> Finding | None:
    """Some elements are zero, the others what the reference has, all times one factor: a dropout is at work."""
    if not comparable(evidence) or evidence.kind != "output" or evidence.port.size < 64:
        return None
    a, b = reference_of(evidence), port_of(evidence)
    kept = b != 0
    share = float(np.mean(kept[a != 0])) if a.any() else 1.0
    if not 0.02 < share < 0.98:
        return None
    factor = float((a * b)[kept].sum() / (a * a)[kept].sum())
    says = f"{1 - share:.0%} of the elements are zero, the others {factor:.4g} times the reference's"
    hint = "Call net.set_train(False); ops.dropout is active unless training=False; nn.Dropout(p=...) takes p by name."
    return found(evidence, "training_mode", np.where(kept, factor * a, 0), says, hint, (31, 32))


LAST = (dropped,)
EXPLANATIONS = (slope, gelu, layer_norm, batch_norm, softmax_axis, other_function)
