"""The judgement on one value: does the port err more against float64 than the reference itself may?"""

import numpy as np

from port.parity.measure import EPS32, Row, difference, eps_of, mismatch, rms
from port.parity.tolerance import Tolerances
from port.parity.trace import Site, Trace

ALL_ZERO = "is zero all over"  # a reason's first words


def judge_row(row: Row, reference: Trace, port: Trace, truth: Trace, limits: Tolerances, scale: float = 0.0) -> None:
    """Fill a row of two traces; `reason` stays None where the port passes.

    scale  magnitude whose last places are lost in any float32 computation of this value, where that is more than the value
           itself shows (an update is the difference of two parameters)
    """
    site = reference.sites[row.site]
    row.reason = mismatch(site, port.sites.get(row.site)) or unfit(site, truth.sites.get(row.site))
    if row.reason:
        return
    a, b, exact = (value_of(row.site, trace, reference) for trace in (reference, port, truth))
    difference(row, a, b, site.rms)
    row.identical = site.hash == port.sites[row.site].hash
    row.ratio, largest = error_ratios(a, b, exact, limits, scale, eps_of(site.dtype))
    if not row.ratio <= limits.ratio_rms:
        row.reason = (
            f"errs {row.ratio:.3g} times as much as the reference (rms against float64), limit {limits.ratio_rms:g}"
        )
    elif not largest <= limits.ratio_largest:
        row.reason = f"its largest error is {largest:.3g} times the reference's, limit {limits.ratio_largest:g}"
    if row.reason and not b.any() and a.any():
        row.reason = f"{ALL_ZERO}; {row.reason}"


def value_of(site: str, trace: Trace, reference: Trace) -> np.ndarray | None:
    """The whole value of a site; one with the reference's elements is not stored a second time, whatever its shape."""
    array, own, other = trace.whole(site), trace.sites.get(site), reference.sites.get(site)
    if array is None and own and other and own.hash == other.hash and (array := reference.whole(site)) is not None:
        return array.reshape(own.shape)
    return array


def unfit(site: Site, truth: Site | None) -> str | None:
    """Why the float64 run says nothing about a site, or None."""
    missing = mismatch(site, truth, check_dtype=False)
    return f"no judgement: {missing.replace('the port', 'the float64 run')}" if missing else None


def error_ratios(
    reference: np.ndarray,
    port: np.ndarray,
    truth: np.ndarray,
    limits: Tolerances,
    scale: float = 0.0,
    eps: float = EPS32,
) -> tuple[float, float]:
    """(rms error over the reference's, largest error over the reference's), each with its floor; 0 where the port is exact.

    eps  unit in the last place of the type that both computed in
    """
    exact = truth.astype(np.float64)
    errors = np.abs(port - exact), np.abs(reference - exact)
    floor = (limits.ratio_floor_eps if eps == EPS32 else limits.ratio_floor_eps_half) * eps
    by_rms = _over(rms(errors[0]), rms(errors[1]), floor * max(rms(exact), scale))
    largest = _over(errors[0].max(), errors[1].max(), floor * max(np.abs(exact).max(), scale))
    return by_rms, largest


def _over(error: float, own: float, floor: float) -> float:
    allowed = max(own, floor)
    return 0.0 if error == 0 else float(error / allowed) if allowed else float("inf")
