"""What the explanations share: the two values as float64, and the share of their difference that a prediction removes."""

import numpy as np

from port.diagnose.evidence import Evidence, Finding

LARGEST = 1_000_000  # elements looked at; a mistake shows in the first million


def comparable(evidence: Evidence) -> bool:
    """Whether both sides hold finite values of one shape, so that there is a difference to explain."""
    a, b = evidence.reference, evidence.port
    if a is None or b is None or a.shape != b.shape or a.size == 0:
        return False
    return bool(np.isfinite(a).all() and np.isfinite(b).all())


def reference_of(evidence: Evidence) -> np.ndarray:
    """The reference's value in float64."""
    return evidence.reference.astype(np.float64)


def port_of(evidence: Evidence) -> np.ndarray:
    """The port's value in float64."""
    return evidence.port.astype(np.float64)


def unexplained(evidence: Evidence) -> np.ndarray:
    """Port minus reference."""
    return port_of(evidence) - reference_of(evidence)


def share(evidence: Evidence, predicted: np.ndarray | None) -> float:
    """How much of the difference a prediction of the port's value removes, 0 to 1."""
    if predicted is None or predicted.shape != evidence.port.shape or not np.isfinite(predicted).all():
        return 0.0
    before, after = np.linalg.norm(unexplained(evidence)), np.linalg.norm(port_of(evidence) - predicted)
    return float(max(0.0, 1.0 - after / before)) if before else 0.0


def found(
    evidence: Evidence, label: str, predicted: np.ndarray | None, says: str, suggestion: str, rows: tuple[int, ...] = ()
) -> Finding:
    """A finding with the share its prediction explains."""
    return Finding(label, says, suggestion, share(evidence, predicted), rows)


def channels_first(array: np.ndarray) -> np.ndarray:
    """(n, c, ...) -> (c, everything else); arrays of fewer axes by their last axis."""
    axis = 1 if array.ndim >= 3 else array.ndim - 1
    return np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1)


def per_channel(values: np.ndarray, array: np.ndarray) -> np.ndarray:
    """One number per channel in the shape that fits `array` (n, c, ...)."""
    axis = 1 if array.ndim >= 3 else array.ndim - 1
    return values.reshape([-1 if i == axis else 1 for i in range(array.ndim)])
