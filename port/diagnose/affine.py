"""Factors and offsets, of the whole value or per channel."""

import numpy as np

from port.diagnose.around import other_loss
from port.diagnose.evidence import Evidence, Finding
from port.diagnose.tools import channels_first, comparable, found, per_channel, port_of, reference_of


def missing_bias(evidence: Evidence) -> Finding | None:
    """The port's value is the reference's without the module's bias."""
    bias = evidence.parameters.get("bias")
    if not comparable(evidence) or bias is None or evidence.kind != "output":
        return None
    a = reference_of(evidence)
    if bias.size != channels_first(a).shape[0]:
        return None
    predicted = a - per_channel(bias.astype(np.float64), a)
    return found(
        evidence,
        "missing_bias",
        predicted,
        "what is missing is exactly the bias",
        "Give the layer has_bias=True and load its bias.",
        (3,),
    )


def missing_term(evidence: Evidence) -> Finding | None:
    """One of the inputs was not added, or not subtracted."""
    if not comparable(evidence):
        return None
    for i, given in enumerate(evidence.inputs):
        if given.shape == evidence.reference.shape and given.dtype.kind == "f":
            finding = found(
                evidence,
                "missing_term",
                reference_of(evidence) - given,
                f"input {i} of the module is not added",
                "Add the residual connection.",
            )
            if finding.explained > 0.98:
                return finding
    return None


def term_from_before(evidence: Evidence) -> Finding | None:
    """The difference is a multiple of something that the network had at hand: an earlier value, or one of its parameters."""
    before = evidence.context.get("before") or {}
    if not comparable(evidence) or "before" not in evidence.context or evidence.port.dtype.kind != "f":
        return None
    error = port_of(evidence) - reference_of(evidence)
    own = evidence.parameters if evidence.kind != "parameter" else {}
    fits = {n: p for n, p in own.items() if p.ndim and p.shape == error.shape[-p.ndim :] and p.dtype.kind == "f"}
    terms = {
        name: np.broadcast_to(value.astype(np.float64), error.shape).reshape(-1)
        for name, value in {**before, **fits}.items()
    }
    for name, term in terms.items():
        share_of = float((error.reshape(-1) * term).sum() / max((term * term).sum(), 1e-300))
        predicted = reference_of(evidence) + share_of * term.reshape(error.shape)
        finding = found(evidence, "missing_term", predicted, told(name, share_of), MEND_TERM)
        if finding.explained > 0.98:
            return finding
    return two_terms(evidence, error.reshape(-1), terms)


MEND_TERM = "Compare the sum at this place with the reference's: residual connections, positions, masks."


def told(name: str, share_of: float) -> str:
    """In words what a multiple of a known value in the difference means."""
    if abs(share_of + 1) < 1e-3:
        return f"{name} is not added"
    return f"{name} is there {share_of:+.4g} times too often"


def two_terms(evidence: Evidence, error: np.ndarray, terms: dict[str, np.ndarray]) -> Finding | None:
    """One value taken in place of another: the difference of the two, each once."""
    names = list(terms)[-24:]
    for left in names:
        for right in names:
            if left != right and np.linalg.norm(error - terms[left] + terms[right]) < 0.02 * np.linalg.norm(error):
                predicted = reference_of(evidence) + (terms[left] - terms[right]).reshape(evidence.port.shape)
                return found(evidence, "missing_term", predicted, f"{left} is taken in place of {right}", MEND_TERM)
    return None


def factor(evidence: Evidence) -> Finding | None:
    """One factor on everything; a whole number of elements tells a reduction."""
    if not comparable(evidence):
        return None
    a, b = reference_of(evidence), port_of(evidence)
    squares = float((a * a).sum())
    if not squares or not b.any():
        return None
    ratio = float((a * b).sum()) / squares
    if reduction := whole_number(ratio, evidence):
        return found(
            evidence,
            "reduction",
            a * ratio,
            f"{reduction} elements' worth of the reference: sum for mean, or the other way round",
            "Give the loss reduction='mean' (MindSpore's defaults differ).",
            (91, 96),
        )
    if evidence.kind == "value" and a.size == 1:
        return other_loss(evidence)  # any factor fits one number
    label = (
        "gradient_scale"
        if "gradient" in evidence.kind
        else "learning_rate"
        if evidence.kind == "lr"
        else "optimizer"
        if evidence.kind == "update"
        else "scale"
    )
    return found(
        evidence,
        label,
        a * ratio,
        f"{ratio:.6g} times the reference",
        "Look for a factor that is missing or applied twice.",
    )


def whole_number(ratio: float, evidence: Evidence) -> int | None:
    """The number of elements that a ratio (or its inverse) is, where it is the size of some axes of a value at hand."""
    if evidence.kind not in ("loss", "value", "gradient", "parameter_gradient") or ratio <= 0:
        return None
    if evidence.kind == "value" and evidence.reference.size > 1:
        return None  # what is summed or averaged over all elements is one number
    times = max(ratio, 1 / ratio)
    if times < 1.5 or abs(times - round(times)) > 1e-3 * times:
        return None
    return round(times)


def factor_per_channel(evidence: Evidence) -> Finding | None:
    """A factor, an offset, or both, for every channel."""
    if not comparable(evidence) or evidence.reference.ndim < 2 or evidence.reference.size < 16:
        return None
    a, b = channels_first(reference_of(evidence)), channels_first(port_of(evidence))
    if a.shape[1] < 4:
        return None
    mean_a, mean_b = a.mean(1, keepdims=True), b.mean(1, keepdims=True)
    spread = ((a - mean_a) ** 2).sum(1, keepdims=True)
    slope = ((a - mean_a) * (b - mean_b)).sum(1, keepdims=True) / np.where(spread, spread, 1)
    offset = mean_b - slope * mean_a
    full = lambda v: per_channel(v[:, 0], evidence.reference)  # noqa: E731
    value = reference_of(evidence)
    constant = found(
        evidence,
        "offset",
        value + full(mean_b - mean_a),
        "a constant is added in every channel",
        "Look for a bias or mean that is missing or added twice.",
        (3,),
    )
    scaled = found(
        evidence,
        "scale",
        value * full((a * b).sum(1, keepdims=True) / np.maximum((a * a).sum(1, keepdims=True), 1e-300)),
        "a factor in every channel",
        "Look for a weight of a normalisation that was not loaded.",
        (15,),
    )
    both = found(
        evidence,
        "affine",
        value * full(slope) + full(offset),
        "factor and offset in every channel",
        "Check statistics, epsilon and affine parameters of the normalisation.",
        (14, 15, 17),
    )
    if max(constant.explained, scaled.explained) > 0.98:
        return max((constant, scaled), key=lambda f: f.explained)
    return both if a.shape[1] >= 6 else None  # two numbers fitted to fewer values prove nothing


def factor_per_pixel(evidence: Evidence) -> Finding | None:
    """A factor for every pixel, the same in all pictures and channels: overlaps not counted, a window, a mask."""
    if not comparable(evidence) or evidence.reference.ndim != 4 or np.prod(evidence.reference.shape[:2]) < 6:
        return None
    a, b = reference_of(evidence), port_of(evidence)
    ratio = (a * b).sum((0, 1)) / np.maximum((a * a).sum((0, 1)), 1e-300)
    says = f"a factor from {ratio.min():.4g} to {ratio.max():.4g} depending on the pixel"
    return found(
        evidence, "scale", a * ratio, says, "Divide by the number of overlaps, as F.fold's users do by hand.", (51,)
    )


def of_positions(evidence: Evidence) -> Finding | None:
    """Positions (..., h, w, 2): factor and offset for x and y; or rows and columns exchanged in the grid."""
    if not comparable(evidence) or evidence.reference.ndim != 4 or evidence.reference.shape[-1] != 2:
        return None
    a, b = reference_of(evidence), port_of(evidence)
    h, w = a.shape[1:3]
    rows, columns = np.meshgrid(np.arange(h), np.arange(w), indexing="ij")
    fitted = np.empty_like(a)
    for axis in (0, 1):
        known = np.stack([a[..., axis].reshape(-1), np.ones(a[..., axis].size)], 1)
        fitted[..., axis] = (known @ np.linalg.lstsq(known, b[..., axis].reshape(-1), rcond=None)[0]).reshape(
            a.shape[:3]
        )
    hint = "x is 2 (column + flow) / (w - 1) - 1; flows are in pixels; meshgrid's default is 'xy' in MindSpore."
    affine_ = found(evidence, "affine", fitted, "factor and offset for x, for y", hint, (49,))
    turned = a + np.stack([(rows - columns) * 2 / max(w - 1, 1), (columns - rows) * 2 / max(h - 1, 1)], -1)
    swapped = found(evidence, "permuted_pixels", turned, "rows and columns of the grid are exchanged", hint, (66,))
    return max((affine_, swapped), key=lambda finding: finding.explained)


EXPLANATIONS = (
    missing_bias,
    missing_term,
    factor,
    term_from_before,
    factor_per_channel,
    factor_per_pixel,
    of_positions,
)
