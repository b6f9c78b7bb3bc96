"""Discrete choices, judged by margin: how far each was from falling the other way.

A choice that differs is excused where its margin, taken in float64, is within the error of what it was chosen from.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from port.parity.measure import EPS32, Row
from port.parity.tolerance import Tolerances
from port.parity.trace import Trace


def rounding_margin(flow: np.ndarray) -> np.ndarray:
    """Distance of each sampling position from the nearest tie of its rounding.

    flow (n, 2, h, w) in cells of the grid, channel 0 along the width -> (n, h, w), the smaller of both axes, in cells.
    Positions are clamped to the grid, so the ties are at 0.5, 1.5, ... size - 1.5.
    """
    _, _, h, w = flow.shape
    y, x = np.meshgrid(np.arange(h), np.arange(w), indexing="ij")
    margins = []
    for position, size in ((flow[:, 0] + x, w), (flow[:, 1] + y, h)):
        nearest_tie = np.clip(np.floor(position), 0, size - 2) + 0.5
        margins.append(np.abs(position - nearest_tie))
    return np.minimum(*margins)


def top_gap(scores: np.ndarray) -> np.ndarray:
    """Gap between the best and the second best. (n, m, ...) -> (n, ...); infinite for a single candidate"""
    if scores.shape[1] == 1:
        return np.full(scores[:, 0].shape, np.inf)
    best = np.partition(scores, -2, axis=1)
    return best[:, -1] - best[:, -2]


@dataclass(frozen=True)
class Rule:
    """How a kind of decision is judged: the site it is chosen from (same step) and the margin of each choice."""

    source: str
    margin: Callable[[np.ndarray], np.ndarray]


RULES = {"location": Rule("token_flow", rounding_margin), "argmax": Rule("corr", top_gap)}


@dataclass
class DecisionCount:
    """All choices of one kind in one run. Margins are in cells (location) or in cosine similarity (argmax)."""

    name: str
    total: int = 0
    ambiguous: int = 0
    disagreeing: int = 0
    unexcused: int = 0
    margins: list[float] = field(default_factory=list)  # float64 margins of the choices that disagree
    steps: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, object]:
        """For report.json; at most ten margins are listed, the largest first."""
        finite = sorted((m for m in self.margins if np.isfinite(m)), reverse=True)
        return {
            "name": self.name,
            "total": self.total,
            "decided": self.total - self.ambiguous,
            "ambiguous": self.ambiguous,
            "disagreeing": self.disagreeing,
            "beyond_margin": self.unexcused,
            "largest_margins": finite[:10],
            "median_margin": float(np.median(finite)) if finite else None,
            "steps": self.steps,
        }


def judge_decision(
    row: Row,
    reference: Trace,
    truth: Trace,
    port: Trace,
    limits: Tolerances,
    count: DecisionCount,
    same_source: bool = False,
) -> None:
    """Compare one decision site choice by choice, fill `row` and add to `count`.

    same_source  both chose from the very same bits: then nothing excuses a difference, not even an exact tie
    """
    rule = RULES[count.name]
    step = row.site.partition("/")[0]
    a, b = reference.whole(row.site), port.whole(row.site)
    source32, source64 = reference.whole(f"{step}/{rule.source}"), truth.whole(f"{step}/{rule.source}")
    margin = rule.margin(source64)
    differs = _choices_that_differ(a, b, margin.shape)
    bound = decision_bound(source32, source64, limits)
    beyond = differs if same_source else differs & (margin > bound)
    row.max_abs = float(np.abs(a.astype(np.float64) - b).max())
    row.identical = not differs.any()
    if beyond.any():
        row.reason = (
            f"{int(beyond.sum())} of {differs.size} choices differ, with margins up to {margin[beyond].max():.3g}"
        )
        row.reason += ", though made from the same values" if same_source else f", beyond the error bound {bound:.3g}"
    count.total += differs.size
    count.ambiguous += int((margin <= bound).sum())
    count.disagreeing += int(differs.sum())
    count.unexcused += int(beyond.sum())
    count.margins += [float(m) for m in margin[differs]]
    if differs.any():
        count.steps.append(step)


def decision_bound(source32: np.ndarray, source64: np.ndarray, limits: Tolerances) -> float:
    """The margin below which two correct implementations may choose differently."""
    own = float(np.abs(source32 - source64).max())
    floor = limits.decision_floor_eps * EPS32 * float(np.abs(source64).max())
    return max(limits.decision_margin_ratio * own, floor)


def _choices_that_differ(a: np.ndarray, b: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """One truth value per choice; maps with several channels (x and y of every keyframe) differ if one channel does."""
    differs = a != b
    if differs.ndim > len(shape):
        differs = differs.any(axis=1)
    return differs.reshape(shape)
