"""Explanations for one wrong value, best first.

Each explanation predicts from the evidence what the port would hold if that one mistake had been made. `explained` is the
share of the difference that the prediction removes; from CERTAIN on it counts as found. Among those found the order of
EXPLANATIONS decides: the narrower one stands first (a missing bias is also an offset per channel). Nothing found: "unknown".
"""

import numpy as np

from port.diagnose import affine, attention, layers, modules, numbers, places, pointwise, training, windows
from port.diagnose.evidence import Evidence, Finding
from port.diagnose.tools import comparable, unexplained

CERTAIN = 0.98

EXPLANATIONS = (
    *numbers.EXPLANATIONS,
    *training.EXPLANATIONS,
    *pointwise.FIRST,
    *modules.EXPLANATIONS,
    *layers.EXPLANATIONS,
    *attention.EXPLANATIONS,
    *places.EXPLANATIONS,
    *windows.EXPLANATIONS,
    *pointwise.EXPLANATIONS,
    *affine.EXPLANATIONS,
    *pointwise.LAST,
    *training.LAST,
)


def diagnose(evidence: Evidence) -> list[Finding]:
    """-> findings, best first; never empty."""
    found = [finding for explain in EXPLANATIONS if (finding := explain(evidence)) is not None]
    found = [finding for finding in found if finding.explained >= CERTAIN]
    return found or [no_known_signature(evidence)]


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
