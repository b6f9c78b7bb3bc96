"""What shows that a root cause is one: the wrong value element by element, against the reference's and float64."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from port.diagnose.evidence import Evidence
from port.parity.measure import EPS32
from port.parity.tolerance import Tolerances

ELEMENTS = 6  # worst elements shown side by side


@dataclass(frozen=True)
class Element:
    """One element of a wrong value; numbers as text, None where there is no float64 run to go by."""

    index: str
    reference: str
    port: str
    truth: str | None
    error: str
    own: str | None


@dataclass(frozen=True)
class Slice:
    """The last two axes of an array where its largest error lies.

    index  of the axes before, "2, 5"; worst  row and column of the largest error
    """

    error: np.ndarray
    index: str
    worst: tuple[int, int]


@dataclass(frozen=True)
class Shown:
    """Evidence as the report shows it. missing: why there are no elements, in words."""

    site: str
    shape: str = ""
    share: str = ""
    elements: list[Element] = field(default_factory=list)
    slice: Slice | None = None
    missing: str = ""


def show_evidence(evidence: Evidence | None, limits: Tolerances) -> Shown | None:
    """The elements that err most, how many err too much, and the slice to draw. None without evidence."""
    if evidence is None:
        return None
    if why := unfit(evidence):
        return Shown(evidence.site, missing=why)
    a, b = wide(evidence.reference), wide(evidence.port)
    exact = wide(evidence.truth) if fits(evidence.truth, a) else None
    error = magnitude(b, a if exact is None else exact)
    own = None if exact is None else magnitude(a, exact)
    places = worst_places(error)
    return Shown(
        evidence.site,
        shape=f"{list(a.shape)}" if a.ndim else "a single number",
        share=share_beyond(error, own, exact, limits),
        elements=[element(place, a, b, exact, error, own) for place in places],
        slice=worst_slice(error),
    )


def unfit(evidence: Evidence) -> str:
    """Why two values cannot be held side by side, empty if they can."""
    if evidence.reference is None or evidence.port is None:
        side = "the port" if evidence.port is None else "the reference"
        return f"{side} has no value here"
    if evidence.reference.shape != evidence.port.shape:
        return f"shape {list(evidence.port.shape)} in the port, {list(evidence.reference.shape)} in the reference"
    return "" if evidence.reference.size else "the value is empty"


def fits(truth: np.ndarray | None, like: np.ndarray) -> bool:
    return truth is not None and truth.shape == like.shape


def wide(array: np.ndarray) -> np.ndarray:
    """In float64, complex numbers in complex128."""
    return array.astype(np.complex128 if np.iscomplexobj(array) else np.float64)


def magnitude(array: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Error of every element. What is not finite on one side only errs infinitely; equal infinities do not err."""
    with np.errstate(invalid="ignore"):
        error = np.array(np.abs(array - exact))  # an array also of a single number
    error[np.isnan(error)] = np.inf
    error[(array == exact) | (np.isnan(array) & np.isnan(exact))] = 0
    return error


def worst_places(error: np.ndarray) -> np.ndarray:
    """Flat places of the largest errors, the largest first; of equal ones the first. Nothing that does not err."""
    flat = error.reshape(-1)
    count = min(ELEMENTS, flat.size)
    least = np.partition(flat, flat.size - count)[flat.size - count]
    above, equal = np.flatnonzero(flat > least), np.flatnonzero(flat == least)
    places = np.concatenate([above, equal])[:count]
    return places[np.argsort(-flat[places], kind="stable")][: np.count_nonzero(flat)]


def element(place: int, a: np.ndarray, b: np.ndarray, exact: np.ndarray | None, error: np.ndarray,
            own: np.ndarray | None) -> Element:  # fmt: skip
    """One line of the table."""
    index = np.unravel_index(place, a.shape)
    return Element(
        index="[" + ", ".join(str(i) for i in index) + "]" if index else "",
        reference=number(a[index]),
        port=number(b[index]),
        truth=None if exact is None else number(exact[index]),
        error=f"{error[index]:.3g}",
        own=None if own is None else f"{own[index]:.3g}",
    )


def number(value: complex) -> str:
    """In the nine digits that tell two float32 numbers apart."""
    return f"{value:.9g}"


def share_beyond(error: np.ndarray, own: np.ndarray | None, exact: np.ndarray | None, limits: Tolerances) -> str:
    """How many elements err more than any element may, in words; empty for a single number."""
    if error.ndim == 0:
        return ""
    if own is None or exact is None:
        return f"{np.count_nonzero(error)} of {error.size} elements differ"
    largest = own[np.isfinite(own)].max(initial=0.0)
    floor = limits.ratio_floor_eps * EPS32 * np.abs(exact[np.isfinite(exact)]).max(initial=0.0)
    allowed = limits.ratio_largest * max(largest, floor)
    whose = "the reference's own largest error" if largest >= floor else "what float32 rounding explains"
    beyond = np.count_nonzero(error > allowed)
    return f"{beyond} of {error.size} elements err by more than {allowed:.2g}, {limits.ratio_largest:g} times {whose}"


def worst_slice(error: np.ndarray) -> Slice | None:
    """The last two axes around the largest error; None with less than two axes, or axes of one element."""
    if error.ndim < 2 or min(error.shape[-2:]) < 2:
        return None
    index = np.unravel_index(int(np.argmax(error)), error.shape)
    before: Sequence[int] = index[:-2]
    words = ", ".join(str(i) for i in before)
    return Slice(error[tuple(before)], words, (int(index[-2]), int(index[-1])))
