"""Explanations for one wrong value, best first.

Each explanation predicts from the evidence what the port would hold if that one mistake had been made. `explained` is the
share of the difference that the prediction removes; from CERTAIN on it counts as found. Among those found the order of
EXPLANATIONS decides: the narrower one stands first (a missing bias is also an offset per channel). Nothing found: "unknown".
"""

from dataclasses import replace

import numpy as np

from port.diagnose import (
    affine,
    around,
    attention,
    layers,
    modules,
    numbers,
    places,
    pointwise,
    responses,
    training,
    windows,
)
from port.diagnose.evidence import Evidence, Finding
from port.diagnose.tools import comparable, unexplained

CERTAIN = 0.98

EXPLANATIONS = (
    *numbers.EXPLANATIONS,
    *training.EXPLANATIONS,
    *pointwise.FIRST,
    *modules.EXPLANATIONS,
    *layers.EXPLANATIONS,
    *responses.EXPLANATIONS,
    *attention.EXPLANATIONS,
    *around.FIRST,
    pointwise.of_reference,
    *places.EXPLANATIONS,
    *windows.EXPLANATIONS,
    *pointwise.EXPLANATIONS,
    *affine.EXPLANATIONS,
    *around.EXPLANATIONS,
    *modules.LAST,
    *pointwise.LAST,
    *training.LAST,
)


def diagnose(evidence: Evidence) -> list[Finding]:
    """-> findings, best first; never empty."""
    found = [finding for explain in EXPLANATIONS if (finding := explain(evidence)) is not None]
    found = [finding for finding in found if finding.explained >= CERTAIN]
    return found or in_parts(evidence) or [no_known_signature(evidence)]


def in_parts(evidence: Evidence) -> list[Finding]:
    """Where some channels are right and others are not (values laid side by side): what the wrong ones look like.

    The last of them are tried alone, too: what stands first may follow from what stands behind it.
    """
    a = evidence.reference
    if not comparable(evidence) or a.ndim < 3 or "gradient" in evidence.kind or not 2 <= a.shape[1] <= 512:
        return []
    error = np.abs(unexplained(evidence))
    wrong = np.flatnonzero(error.max(tuple(i for i in range(a.ndim) if i != 1)) > 1e-4 * error.max())
    whole = len(wrong) == a.shape[1]
    for start in range(whole, min(len(wrong), 6)):
        if found := diagnose_part(evidence, wrong[start:]):
            return found
    return []


def diagnose_part(evidence: Evidence, channels: np.ndarray) -> list[Finding]:
    """Findings for some of the channels, if there are any."""
    if not channels.size:
        return []
    shape = evidence.port.shape
    taken = lambda array: np.take(array, channels, axis=1) if fits(array, shape) else array  # noqa: E731
    reference, port = taken(evidence.reference), taken(evidence.port)
    held = evidence.context
    alike = {name: array for name, array in (held.get("earlier") or {}).items() if array.shape == port.shape}
    calls = {name: taken(array) for name, array in (held.get("calls") or {}).items()}
    context = {"before": alike, "earlier": held.get("earlier"), "calls": calls}
    part = replace(evidence, reference=reference, port=port, inputs=(), context=context)
    told = [finding for explain in EXPLANATIONS if (finding := explain(part)) is not None]
    words = f"channels {channels[0]} to {channels[-1]}: "
    return [replace(finding, says=words + finding.says) for finding in told if finding.explained >= CERTAIN]


def fits(array: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Whether an array has the channels of a shape."""
    return array.ndim == len(shape) and array.shape[1] == shape[1]


def no_known_signature(evidence: Evidence) -> Finding:
    """The plain figures: how large the difference is, and how much of the value it touches."""
    if not comparable(evidence):
        return Finding("unknown", "there is no pair of values to look at", "Compare the two modules' code.", 0.0)
    error = np.abs(unexplained(evidence))
    touched = float(np.mean(error > 0.01 * error.max())) if error.max() else 0.0
    says = f"differs by up to {error.max():.3g} at an rms of {rms_of(evidence):.3g}, in {touched:.0%} of the elements"
    return Finding("unknown", says, "Compare the two modules' code and arguments.", 0.0)


def rms_of(evidence: Evidence) -> float:
    """Of the reference's value."""
    return float(np.sqrt(np.mean(np.square(evidence.reference, dtype=np.float64))))
