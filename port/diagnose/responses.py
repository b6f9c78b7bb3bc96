"""Modules of rarer kinds computed again with one argument changed: local response norms, slopes drawn at random."""

import re

import numpy as np

from port.diagnose.evidence import Evidence, Finding
from port.diagnose.modules import given
from port.diagnose.tools import found, port_of, reference_of
from port.diagnose.windows import close

CERTAIN = 0.98


def local_response(evidence: Evidence) -> Finding | None:
    """A local response norm whose alpha is, or is not, divided by the size, or of another number of channels."""
    x = given(evidence)
    stated = re.match(r"LocalResponseNorm\((\d+), alpha=([^,]+), beta=([^,]+), k=([^)]+)\)", evidence.description)
    if x is None or not stated or x.ndim < 3 or x.shape != evidence.port.shape:
        return None
    size, alpha, beta, k = int(stated[1]), *(float(word) for word in stated.groups()[1:])
    forms = {f"alpha {alpha * f:.4g} times the sum": (size, alpha * f) for f in (1.0, size**-2, size**-0.5)}
    forms |= {f"{n} neighbours": (n, alpha / size) for n in range(1, 2 * x.shape[1]) if n != size}
    for words, (n, factor) in forms.items():
        hint = f"ops.LRN({size // 2}, {k:g}, {alpha:g} / {size}, {beta:g}): a radius, and PyTorch divides alpha by the size."
        value = x / (k + factor * channel_sums(x * x, n)) ** beta
        says = f"{words}; in the reference {alpha / size:.4g} times the sum over {size}"
        finding = found(evidence, "local_response", value, says, hint, (22,))
        if finding.explained > CERTAIN:
            return finding
    return None


def channel_sums(x: np.ndarray, size: int) -> np.ndarray:
    """Of every channel of (n, c, ...) and its neighbours, `size` together, zeros beyond the ends."""
    width = [(0, 0)] * x.ndim
    width[1] = (size // 2, (size - 1) // 2)
    padded = np.pad(x, width)
    return sum(padded[:, i : i + x.shape[1]] for i in range(size))


def drawn_slopes(evidence: Evidence) -> Finding | None:
    """Negative values at slopes that differ from element to element, where the reference has one slope."""
    x = given(evidence)
    if x is None or x.shape != evidence.port.shape or (x < 0).sum() < 24:
        return None
    negative, a, b = x < 0, reference_of(evidence), port_of(evidence)
    own, slopes = a[negative] / x[negative], b[negative] / x[negative]
    kept = close(b[~negative], x[~negative]) and close(a[~negative], x[~negative]) and np.ptp(own) < 1e-4
    spread = slopes.std() > 0.02 and slopes.min() >= 0 and slopes.max() <= 1
    if not kept or not spread or len(np.unique(slopes.round(4))) < len(slopes) / 2 or follows(x[negative], slopes):
        return None
    says = f"negative values are multiplied by slopes from {slopes.min():.4g} to {slopes.max():.4g}, drawn at random"
    hint = f"ops.rrelu draws in evaluation, too: write ops.leaky_relu(x, {own.mean():.4g})."
    return Finding("training_mode", says, hint, 1.0, (33,))


def follows(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether y rises or falls with x."""
    ranks = [np.argsort(np.argsort(values)).astype(np.float64) for values in (x, y)]
    return bool(abs(np.corrcoef(*ranks)[0, 1]) > 0.5)


EXPLANATIONS = (local_response, drawn_slopes)
