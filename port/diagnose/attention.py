"""Scaled dot products computed again: another scale, another axis of the softmax, another mask."""

from collections.abc import Iterator
from itertools import product

import numpy as np

from port.diagnose.evidence import Evidence, Finding
from port.diagnose.tools import comparable, found, reference_of
from port.diagnose.windows import close

CERTAIN = 0.98
LARGEST = 2_000_000  # scores that are worth a second look
MASKS = {
    "no mask": None,
    "a mask of what comes later": (1, 1),
    "a mask of what came before": (-1, -1),
    "a mask of itself and what comes later": (0, 1),
}


def attention(evidence: Evidence) -> Finding | None:
    """A module of query, key and value, all (n, t, c): what was changed, where the reference is recognised."""
    if evidence.kind != "output" or not comparable(evidence) or len(evidence.inputs) < 3:
        return None
    query, key, value = evidence.inputs[:3]
    if not query.shape == key.shape == value.shape == evidence.port.shape or query.ndim != 3:
        return None
    query, key, value = (array.astype(np.float64) for array in (query, key, value))
    n, t, c = query.shape
    heads = [h for h in (1, 2, 4, 8, 16) if c % h == 0 and n * h * t * t <= LARGEST]
    for h in heads:
        made = list(forms(query, key, value, h))
        own = next((form for form, array in made if close(array, reference_of(evidence))), None)
        if own:
            return changed(evidence, own, made)
    return None


def forms(query: np.ndarray, key: np.ndarray, value: np.ndarray, heads: int) -> Iterator[tuple[tuple, np.ndarray]]:
    """((scale, axis of the softmax, mask), output) of every form tried."""
    n, t, c = query.shape
    parts = [array.reshape(n, t, heads, c // heads).transpose(0, 2, 1, 3) for array in (query, key, value)]
    scores = parts[0] @ parts[1].swapaxes(-1, -2)
    scales = {
        "the width of a head": (c / heads) ** -0.5,
        "no scale": 1.0,
        "the whole width": c**-0.5,
        "the width itself": heads / c,
    }
    for (scale, factor), axis, (mask, place) in product(scales.items(), (-1, -2), MASKS.items()):
        hidden = 0.0 if place is None else -1e9 * triangle(t, *place)
        powers = scores * factor + hidden
        powers = np.exp(powers - powers.max(axis, keepdims=True))
        weights = powers / powers.sum(axis, keepdims=True)
        yield (scale, axis, mask), (weights @ parts[2]).transpose(0, 2, 1, 3).reshape(n, t, c)


def triangle(t: int, diagonal: int, side: int) -> np.ndarray:
    """Ones above (side 1) or below (side -1) a diagonal of (t, t)."""
    return np.triu(np.ones((t, t)), diagonal) if side > 0 else np.tril(np.ones((t, t)), diagonal)


def changed(evidence: Evidence, own: tuple, made: list[tuple[tuple, np.ndarray]]) -> Finding | None:
    """The one form that gives the port's value, named by where it differs from the reference's."""
    for form, array in made:
        labels = [
            label for label, a, b in zip(("scale", "softmax_axis", "missing_term"), own, form, strict=True) if a != b
        ]
        if len(labels) != 1:
            continue
        says = f"the scores have {form[0]} as scale, softmax along axis {form[1]}, {form[2]}; in the reference {own}"
        finding = found(evidence, labels[0], array, says, "Compare scale, softmax axis and mask of the scores.", (34,))
        if finding.explained > CERTAIN:
            return finding
    return None


EXPLANATIONS = (attention,)
