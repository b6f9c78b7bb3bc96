"""Medians, ratios within rounds, and how time grows with the number of frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

Row = dict[str, Any]


@dataclass(frozen=True)
class Spread:
    """Of one number over the rounds."""

    median: float
    lowest: float
    highest: float
    rounds: int


def spread(numbers: Sequence[float]) -> Spread:
    return Spread(median(numbers), min(numbers), max(numbers), len(numbers))


def find(rows: Sequence[Row], framework: str, subject: str, place: str) -> Row | None:
    """The row of this name, None where it was not measured."""
    own = {"framework": framework, "subject": subject, "place": place}
    return next((row for row in rows if own.items() <= row.items()), None)


def device_of(row: Row) -> str:
    """Where it was measured: "cpu", "cuda" or "ascend"."""
    return row.get("backend", {}).get("device", "cpu").lower().partition(":")[0]


def series(rows: Sequence[Row], name: str, quantity: str = "seconds") -> list[float] | None:
    """One number a round; None where it was not measured or is not known.

    name      "framework subject place"
    quantity  "seconds", "seconds_per_frame" or "peak_bytes"
    """
    row = find(rows, *name.split(" "))
    if row is None:
        return None
    if quantity == "peak_bytes":
        peaks = row["peaks"]
        return None if None in peaks or not peaks else [float(peak) for peak in peaks]
    return [seconds / (row["frames"] if quantity == "seconds_per_frame" else 1) for seconds in row["seconds"]]


def ratio(rows: Sequence[Row], over: Sequence[str], under: Sequence[str], quantity: str = "seconds") -> Spread | None:
    """Product of one list of series by that of another, round by round, since a slow minute then meets both alike.

    None where one of them is missing. Within one place, rounds that not all of them have come to are left out. Of different
    places, what was measured once stands beside the median of what was measured more often.
    """
    names = (*over, *under)
    found = [series(rows, name, quantity) for name in names]
    known = [numbers for numbers in found if numbers]
    if len(known) < len(found):
        return None
    rounds = min(len(numbers) for numbers in known)
    together = len({name.split(" ")[-1] for name in names}) == 1
    aligned = [numbers[:rounds] if together else _of_rounds(numbers, rounds) for numbers in known]
    above, below = np.prod(aligned[: len(over)], axis=0), np.prod(aligned[len(over) :], axis=0)
    return spread([float(one) for one in np.broadcast_to(above / below, rounds)])


def _of_rounds(numbers: list[float], rounds: int) -> list[float]:
    return numbers if len(numbers) == rounds else [median(numbers)] * rounds


def fit(frames: Sequence[int], seconds: Sequence[float]) -> dict[str, Any] | None:
    """Least squares: seconds = start + each * t, and from four lengths on a quadratic, too. None for less than two lengths.

    -> coefficients from the constant on, and the largest deviation of a measured point, as a share of it
    """
    if len(set(frames)) < 2:
        return None
    t, y = np.asarray(frames, float), np.asarray(seconds, float)
    found: dict[str, Any] = {"frames": list(frames), "seconds": list(seconds)}
    for name, degree, least in (("line", 1, 2), ("quadratic", 2, 4)):
        if len(set(frames)) >= least:
            polynomial = np.polynomial.Polynomial.fit(t, y, degree).convert()
            off = float(np.abs((polynomial(t) - y) / y).max())
            coefficients = [float(one) for one in polynomial.coef]
            found[name] = {
                "coefficients": coefficients + [0.0] * (degree + 1 - len(coefficients)),
                "largest_deviation": off,
            }
    longest, shortest = int(t.argmax()), int(t.argmin())
    found["per_frame_longest_by_shortest"] = float((y[longest] / t[longest]) / (y[shortest] / t[shortest]))
    return found


def growth(rows: Sequence[Row], framework: str) -> dict[str, Any] | None:
    """The fit over all lengths of the network at the main size."""
    own = [
        row for row in rows if row["framework"] == framework and row["subject"] == "network" and row["place"] != "small"
    ]
    points = sorted((row["frames"], median(row["seconds"])) for row in own)
    return fit([frames for frames, _ in points], [seconds for _, seconds in points])
