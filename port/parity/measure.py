"""The difference between one value of the reference and the same value of the port."""

import math
from dataclasses import dataclass

import numpy as np

from port.parity.trace import Site

EPS32 = float(np.finfo(np.float32).eps)
HALVES = {"float16": 2.0**-10, "bfloat16": 2.0**-7}  # unit in the last place of 1
EXTRA = "only in the port"
MISSING = "missing in the port"  # why a site of the reference cannot be compared when the port has none


@dataclass
class Row:
    """One compared site.

    order    place in the reference's execution (a site only the port has stands half a place behind its predecessor)
    module   who computed it: a module, or the function between modules
    max_abs  largest difference; `relative` is that over the reference's rms
    ratio    error against float64 over the reference's own, where measured
    reason   why it fails, in words; None if it passes
    note     what else is to be said of it, also if it passes
    """

    order: float
    site: str
    kind: str
    module: str
    max_abs: float | None = None
    relative: float | None = None
    ratio: float | None = None
    identical: bool = False
    reason: str | None = None
    note: str | None = None

    @property
    def step(self) -> str:
        """`bwd.05` of `bwd.05/LTAM:out`."""
        return self.site.partition("/")[0]

    def as_dict(self) -> dict[str, object]:
        """For report.json: finite numbers only, with the step and its frame spelt out."""
        frame = self.step.rpartition(".")[2]
        return {
            "site": self.site,
            "module": self.module,
            "step": self.step,
            "frame": int(frame) if frame.isdigit() else None,
            "kind": self.kind,
            "max_abs": finite(self.max_abs),
            "max_abs_over_rms": finite(self.relative),
            "error_ratio": finite(self.ratio),
            "identical": self.identical,
            "reason": self.reason,
            "note": self.note,
        }


def finite(value: float | None) -> float | None:
    """The value, or None where JSON has no number for it."""
    return value if value is not None and math.isfinite(value) else None


def mismatch(reference: Site, port: Site | None, check_dtype: bool = True) -> str | None:
    """Why two sites cannot be compared element by element, or None. Comes before any number: NaN > limit is False."""
    if port is None:
        return MISSING
    if reference.shape != port.shape:
        return f"shape {port.shape} in the port, {reference.shape} in the reference"
    if check_dtype and reference.dtype != port.dtype:
        return f"type {port.dtype} in the port, {reference.dtype} in the reference"
    if 0 in reference.shape:
        return "empty: nothing was compared"
    for who, site in (("the reference", reference), ("the port", port)):
        if site.nonfinite:
            return f"{site.nonfinite} NaN or infinite values in {who}"
    return None


def eps_of(dtype: str) -> float:
    """Unit in the last place of 1 of the type that a value was computed in; float64 is that of sums over float32."""
    return HALVES.get(dtype, EPS32)


def rms(array: np.ndarray) -> float:
    """Root mean square, in float64."""
    return float(np.sqrt(np.mean(np.square(array, dtype=np.float64)))) if array.size else 0.0


def difference(row: Row, a: np.ndarray, b: np.ndarray, reference_rms: float) -> None:
    """Fill max_abs and relative of a row. a, b of equal shape; a zero reference gives an infinite relative difference."""
    row.max_abs = float(np.abs(a.astype(np.float64) - b).max())
    row.relative = 0.0 if row.max_abs == 0 else row.max_abs / reference_rms if reference_rms else math.inf


def error_ratio(reference: np.ndarray, port: np.ndarray, truth: np.ndarray, floor_eps: float) -> float:
    """rms error of the port against float64, over the reference's own (at least `floor_eps` units of float32)."""
    truth = truth.astype(np.float64)
    own = max(rms(reference - truth), floor_eps * EPS32 * rms(truth))
    error = rms(port - truth)
    return 0.0 if error == 0 else error / own if own else math.inf
