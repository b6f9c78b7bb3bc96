"""Differences that the numbers alone give away: NaN, shape, type, half precision, nothing there."""

import numpy as np

from port.diagnose.choices import costs, find_rule
from port.diagnose.evidence import Evidence, Finding
from port.diagnose.tools import comparable, found, reference_of, unexplained


def not_finite(evidence: Evidence) -> Finding | None:
    """NaN or infinity in the port where the reference has none."""
    if evidence.port is None or evidence.port.dtype.kind != "f" or np.isfinite(evidence.port).all():
        return None
    count = int((~np.isfinite(evidence.port)).sum())
    says = f"{count} of {evidence.port.size} values are NaN or infinite"
    return Finding(
        "nan", says, "Look for a division by zero, a root or log of zero, or overflow in half precision.", 1.0, (81,)
    )


def other_shape(evidence: Evidence) -> Finding | None:
    """The two sides have different shapes."""
    a, b = evidence.reference, evidence.port
    if a is None or b is None or a.shape == b.shape:
        return None
    says = f"shape {list(b.shape)} in the port, {list(a.shape)} in the reference"
    hint = "Check kernel, stride, padding and axis: nn.Conv2d pads by default (pad_mode='same'), pools have stride 1."
    return Finding("shape", says, hint, 1.0, (1, 35, 64, 65))


def other_type(evidence: Evidence) -> Finding | None:
    """The two sides have different element types."""
    a, b = evidence.reference, evidence.port
    if a is None or b is None or a.dtype == b.dtype:
        return None
    label = "half_cast" if b.dtype == np.float16 else "dtype"
    return Finding(
        label,
        f"type {b.dtype} in the port, {a.dtype} in the reference",
        "Remove the cast (.astype, to_float).",
        1.0,
        (116,),
    )


def half_precision(evidence: Evidence) -> Finding | None:
    """Every element off by what rounding to float16 or bfloat16 costs; most values of the port are exactly such numbers, or
    the error is of their size."""
    if not comparable(evidence) or evidence.port.dtype.kind != "f":
        return None
    scale = np.sqrt(np.mean(reference_of(evidence) ** 2))
    error = np.sqrt(np.mean(unexplained(evidence) ** 2)) / scale if scale else 0.0
    as_half = evidence.port.astype(np.float16).astype(evidence.port.dtype)
    as_brain = (
        (evidence.port.astype(np.float32).view(np.uint32) & 0xFFFF) == 0
        if evidence.port.dtype == np.float32
        else np.array([False])
    )
    kind = "float16" if np.mean(as_half == evidence.port) > 0.95 else "bfloat16" if np.mean(as_brain) > 0.95 else None
    if kind is None or not 1e-5 < error < 2e-2:
        return None
    says = f"the port's values are {kind} numbers; the difference is {error:.1e} of the rms"
    return Finding(
        "half_cast", says, "Remove the cast to half precision (to_float, amp_level, .astype).", 1.0, (88, 116)
    )


def other_choice(evidence: Evidence) -> Finding | None:
    """Whole numbers that a network chose (places of a maximum, an order) are other ones, from the same values."""
    a, b = evidence.reference, evidence.port
    if (
        a is None
        or b is None
        or a.shape != b.shape
        or not (evidence.kind == "decision" or (a.dtype.kind in "iu" and b.dtype.kind in "iu"))
        or (a == b).all()
    ):
        return None
    if tie := broken_tie(evidence):
        return tie
    says = f"{int((a != b).sum())} of {a.size} choices differ, made from the same values"
    hint = "Compare axis and direction of argmax, topk and sort; ties are broken differently by ops.topk."
    return Finding("wrong_choice", says, hint, 1.0, (60, 62, 63))


def broken_tie(evidence: Evidence) -> Finding | None:
    """Every choice that differs was one among equal values, of which the port takes another."""
    a, b = np.atleast_1d(evidence.reference), np.atleast_1d(evidence.port)
    for source in evidence.inputs:
        choice = find_rule(source, a)
        if choice is None or (costs(choice, source, a, b)[a != b] > 0).any():
            continue
        says = f"{int((a != b).sum())} of {a.size} choices differ, each between equal values: {choice.rule} of a tie"
        hint = "Break ties alike: ops.topk orders equal values differently, nearest sampling rounds halves up."
        return Finding("tie", says, hint, 1.0, (48, 62))
    return None


def no_gradient(evidence: Evidence) -> Finding | None:
    """A gradient that is zero or missing where the reference has one."""
    if "gradient" not in evidence.kind or evidence.reference is None or not evidence.reference.any():
        return None
    if evidence.port is not None and evidence.port.any() and not cut_in_part(evidence):
        return None
    hint = "Look for asnumpy(), item() or ops.stop_gradient on the way: they cut the gradient silently."
    return Finding("gradient_cut", "no gradient comes through", hint, 1.0, (114,))


def cut_in_part(evidence: Evidence) -> bool:
    """Whether the port's gradient is the reference's but for elements that are zero: whole slices, not rounding."""
    if not comparable(evidence):
        return False
    a, b = evidence.reference, evidence.port
    lost = (b == 0) & (a != 0)
    return bool(lost.any() and np.allclose(a[~lost], b[~lost], rtol=1e-3, atol=1e-6 * np.abs(a).max()))


def surplus_gradient(evidence: Evidence) -> Finding | None:
    """A gradient where the reference has none."""
    if "gradient" not in evidence.kind or evidence.port is None or not evidence.port.any():
        return None
    if evidence.reference is not None and evidence.reference.any():
        return None
    return Finding(
        "gradient_not_cut",
        "a gradient where the reference has none",
        "Add ops.stop_gradient where the reference detaches.",
        1.0,
    )


def other_weight(evidence: Evidence) -> Finding | None:
    """The parameters of the two modules differ: transposed, mirrored, cast, or simply other ones."""
    if evidence.kind != "parameter" or not comparable(evidence):
        return None
    a = evidence.reference
    candidates = []
    if a.ndim >= 2 and a.shape[0] == a.shape[1]:
        candidates.append(
            ("transposed_weight", a.swapaxes(0, 1), "nn.Dense and nn.Conv2d keep PyTorch's layout: do not transpose.")
        )
    if a.ndim >= 3:
        candidates += [
            ("flipped_weight", np.flip(a, axes), "Do not mirror the kernel: both frameworks correlate.")
            for axes in ((-1,), (-2,), (-2, -1))
        ]
    if a.dtype == np.float32:
        candidates.append(("half_cast", a.astype(np.float16).astype(np.float32), "Convert in float32."))
    for label, value, hint in candidates:
        if np.array_equal(value, evidence.port):
            return found(
                evidence,
                label,
                value.astype(np.float64),
                "the parameter of the port is the reference's, changed so",
                hint,
                (10,),
            )
    says = "the parameter is another one"
    if np.ptp(evidence.port) == 0:
        return Finding(
            "stale_buffer",
            f"every element is {evidence.port.flat[0]:g}: never loaded",
            "Check the names: load_param_into_net does not raise.",
            1.0,
            (15, 120),
        )
    return Finding(
        "wrong_weight",
        says,
        "Check the rule by which it was converted, and that both lists load_param_into_net returns are empty.",
        1.0,
        (120,),
    )


EXPLANATIONS = (
    other_weight,
    not_finite,
    other_shape,
    other_choice,
    other_type,
    no_gradient,
    surplus_gradient,
    half_precision,
)
