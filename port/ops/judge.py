"""What two results say of each other: the judgement of `port/parity/ratio.py`, and words for what comes before a number."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from port.ops.jobs import BACKWARD, TRUTH, TRUTH_OF_HALF
from port.ops.measure import Found, Results
from port.parity.measure import EPS32, HALVES
from port.parity.ratio import error_ratios
from port.parity.tolerance import Tolerances

# Outcomes, from good to bad. The first two agree; `type` are the same numbers in another element type.
SAME, ROUNDING, TYPE, LENIENT, NOT_COMPARED = "same", "rounding", "type", "lenient", "not compared"
DIFFERENT, SHAPE, RAISES, KERNEL, ABSENT, CRASH = "different", "shape", "raises", "kernel missing", "absent", "crash"
AGREE = (SAME, ROUNDING)
NONE_THERE = (KERNEL, ABSENT, CRASH)
KERNEL_WORDS = (
    "unregistered", "unsupported op", "not supported on cpu", "does not support cpu", "select cpu operator", "select kernel",
    "can not select", "not implemented on cpu", "only support ascend", "only supported on ascend", "not support cpu",
    "unsupported in cpu", "is not supported on this device", "kernel info", "not found in cpu",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What came of one job.

    what    one of the outcomes above
    detail  error, shapes, or where the largest difference is and what stands there
    ratio   error against float64 over the reference's own; `largest`: the largest difference between the two
    """

    what: str
    detail: str = ""
    ratio: float | None = None
    largest: float | None = None

    @property
    def agrees(self) -> bool:
        return self.what in AGREE

    def as_dict(self) -> dict[str, object]:
        """Without what says nothing."""
        whole = {
            "what": self.what,
            "detail": self.detail,
            "ratio": shortened(self.ratio),
            "largest": shortened(self.largest),
        }
        return {key: value for key, value in whole.items() if value not in ("", None)}


def shortened(value: float | None) -> float | None:
    return float(f"{value:.3g}") if value is not None and np.isfinite(value) else None


def judge(key: str, reference: Results, port: Found, limits: Tolerances) -> Outcome:
    """One job of the port, by the reference's job of the same case, element type and direction."""
    _, case, dtype, mode = key.split("/")
    way = "backward" if mode.endswith(BACKWARD) else "forward"
    own = reference.get(f"torch/{case}/{dtype}/{way}")
    truth = reference.get(f"torch/{case}/{TRUTH if dtype == 'float32' else TRUTH_OF_HALF}/{way}")
    if own is None or truth is None:
        return Outcome(NOT_COMPARED, "the reference was not run")
    if own.error and not truth.error and dtype == "float16":  # PyTorch has no kernel of it: the truth, rounded once
        own = Found(truth.structure, tuple(rounded(array, np.float16) for array in truth.arrays))
    if port.error:
        return failed(port, own)
    if own.error or truth.error:
        return Outcome(LENIENT, f"PyTorch raises: {first_line(own.error or truth.error)}")
    return compare(own, port, truth, limits, HALVES["float16"] if dtype == "float16" else EPS32)


def failed(port: Found, own: Found) -> Outcome:
    """The port raised or died."""
    said = port.error.lower()
    if port.kind in ("crash", "hang"):
        return Outcome(CRASH, port.error)
    if own.error:
        return Outcome(SAME, "both raise")
    if port.kind == "AttributeError" and "has no attribute" in said:
        return Outcome(ABSENT, first_line(port.error))
    what = KERNEL if any(words in said for words in KERNEL_WORDS) else RAISES
    return Outcome(what, f"{port.kind}: {first_line(port.error)}")


def first_line(text: str, longest: int = 160) -> str:
    """The line of an error that says something, without the framework's frames around it."""
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith(("-----", "- ", "#"))]
    return lines[0][:longest] if lines else ""


def compare(own: Found, port: Found, truth: Found, limits: Tolerances, eps: float) -> Outcome:
    """All arrays of two results; the worst of them is the result's."""
    if own.structure != port.structure or len(own.arrays) != len(port.arrays):
        return Outcome(SHAPE, f"returns {port.structure}, PyTorch {own.structure}")
    rows = [one(a, b, exact, limits, eps) for a, b, exact in zip(own.arrays, port.arrays, truth.arrays, strict=True)]
    order = (SAME, ROUNDING, TYPE, DIFFERENT, SHAPE)
    return max(rows, key=lambda row: order.index(row.what), default=Outcome(SAME))


def one(a: np.ndarray, b: np.ndarray, exact: np.ndarray, limits: Tolerances, eps: float) -> Outcome:
    """One array of the reference, of the port and of the float64 run."""
    if a.shape != b.shape:
        return Outcome(SHAPE, f"shape {b.shape}, PyTorch {a.shape}")
    if a.dtype.kind not in "fiub" or b.dtype.kind not in "fiub":
        return Outcome(SHAPE, f"type {b.dtype}, PyTorch {a.dtype}")
    found = values(
        a.astype(np.float64), b.astype(np.float64), exact.astype(np.float64), a.dtype.kind == "f", limits, eps
    )
    if found.agrees and a.dtype != b.dtype:
        return Outcome(TYPE, f"{b.dtype} where PyTorch gives {a.dtype}")
    return found


def values(a: np.ndarray, b: np.ndarray, exact: np.ndarray, floating: bool, limits: Tolerances, eps: float) -> Outcome:
    """Elements of equal shape, in float64: NaN and infinities must stand at the same places, the others be near."""
    if not a.size or np.array_equal(a, b, equal_nan=True):
        return Outcome(SAME)
    finite = np.isfinite(a) & np.isfinite(b)
    odd = ~finite & ~((a == b) | (np.isnan(a) & np.isnan(b)))
    if odd.any():
        return Outcome(DIFFERENT, at(a, b, odd), largest=np.inf)
    apart = np.where(finite, np.abs(np.where(finite, a, 0) - np.where(finite, b, 0)), 0)
    worst = float(apart.max())
    if not floating:
        return Outcome(DIFFERENT, at(a, b, apart == worst), largest=worst)
    sound = finite & np.isfinite(exact)  # float64 may hold what overflows in float32
    ratio, most = error_ratios(a[sound], b[sound], exact[sound], limits, eps=eps) if sound.any() else (0.0, 0.0)
    if ratio <= limits.ratio_rms and most <= limits.ratio_largest:
        return Outcome(ROUNDING, ratio=ratio, largest=worst)
    return Outcome(DIFFERENT, at(a, b, apart == worst), ratio, worst)


def at(a: np.ndarray, b: np.ndarray, where: np.ndarray) -> str:
    """The first place where they differ so, and what stands there."""
    place = tuple(int(i) for i in np.argwhere(where)[0])
    count = f"{int(where.sum())} of {a.size} so" if where.sum() > 1 else f"of {a.size}"
    return f"at {list(place)}: {b[place]:.6g}, PyTorch {a[place]:.6g} ({count})"


def rounded(array: np.ndarray, dtype: type) -> np.ndarray:
    with np.errstate(over="ignore"):
        return array.astype(dtype) if array.dtype.kind == "f" else array


def judge_operator(reference: Results, port: Results, limits: Tolerances) -> dict[str, Outcome]:
    """By key of the port's job."""
    return {key: judge(key, reference, found, limits) for key, found in port.items()}


def as_data(outcomes: Mapping[str, Outcome]) -> dict[str, dict[str, object]]:
    return {key: outcome.as_dict() for key, outcome in outcomes.items()}
