"""Discrete choices and the numbers they were made from: by which rule, and how close was each to falling otherwise?"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

ROUNDINGS = {"round": np.round, "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc}
LEVELS = (0.0, 0.5, 1.0)  # thresholds that networks use; tried before any other that separates the two classes
FEWEST = 8  # truth values from which a threshold may be guessed


@dataclass(frozen=True)
class Choice:
    """A rule. argmax, topk: sign -1 for the smallest, along `axis`. threshold: above `level`, sign -1 for below."""

    rule: str
    axis: int = 0
    sign: int = 1
    level: float | None = None


def find_rule(source: np.ndarray, chosen: np.ndarray) -> Choice | None:
    """The first rule by which `chosen` follows from `source`, None if there is none. Equal values count as equally chosen."""
    if source.dtype.kind != "f" or not source.size or not chosen.size:
        return None
    return next((choice for choice in candidates(source, chosen) if reproduces(choice, source, chosen)), None)


def candidates(source: np.ndarray, chosen: np.ndarray) -> Iterator[Choice]:
    """Rules whose result would have the shape of `chosen`."""
    if chosen.shape == source.shape:
        yield from (Choice(rule) for rule in ROUNDINGS)
        if chosen.size >= FEWEST and set(np.unique(chosen)) == {0, 1}:
            yield from (Choice("threshold", sign=sign, level=level) for sign in (1, -1) for level in (*LEVELS, None))
    if chosen.dtype.kind not in "iu":  # whole numbers kept as floats are rounded values, no places
        return
    for axis in reversed(range(source.ndim)):
        if source.shape[axis] < 2:
            continue
        rest = source.shape[:axis] + source.shape[axis + 1 :]
        if chosen.shape in (rest, (*source.shape[:axis], 1, *source.shape[axis + 1 :])):
            yield from (Choice("argmax", axis, sign) for sign in (1, -1))
        elif chosen.ndim == source.ndim and chosen.shape[:axis] + chosen.shape[axis + 1 :] == rest:
            yield from (Choice("topk", axis, sign) for sign in (1, -1) if chosen.shape[axis] <= source.shape[axis])


def reproduces(choice: Choice, source: np.ndarray, chosen: np.ndarray) -> bool:
    """Whether these are the choices, or choices among equal values."""
    if choice.rule in ROUNDINGS:
        return bool((ROUNDINGS[choice.rule](source) == chosen).all())
    if choice.rule == "threshold":
        low, high = interval(choice, source, chosen)
        return low < high if choice.level is None else low <= choice.sign * choice.level <= high
    picked = values_at(choice, source, chosen)
    if picked is None or not distinct(choice, source, chosen).all():
        return False
    best = -np.sort(-choice.sign * source, axis=choice.axis)
    return bool((choice.sign * picked == np.take(best, range(picked.shape[choice.axis]), choice.axis)).all())


def margins(choice: Choice, source: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """How far each choice is from falling otherwise, in units of the source. -> the shape of `chosen`"""
    s = source.astype(np.float64)
    if choice.rule == "round":
        return np.abs(s - np.floor(s) - 0.5)
    if choice.rule in ROUNDINGS:
        return np.abs(s - np.round(s))
    if choice.rule == "threshold":
        return from_threshold(choice, s, chosen)
    ranked = -np.sort(-choice.sign * s, axis=choice.axis)
    gaps = -np.diff(ranked, axis=choice.axis)  # below each rank
    nothing = np.full_like(np.take(gaps, [0], choice.axis), np.inf)
    below, above = np.concatenate([gaps, nothing], choice.axis), np.concatenate([nothing, gaps], choice.axis)
    places = range(1 if choice.rule == "argmax" else chosen.shape[choice.axis])
    return np.take(np.minimum(below, above), places, choice.axis).reshape(chosen.shape)


def costs(choice: Choice, source: np.ndarray, chosen: np.ndarray, other: np.ndarray) -> np.ndarray:
    """By how much the source would have to differ for `other` to be chosen; infinite where no small change does it.

    -> the shape of `chosen`; 0 for an exact tie
    """
    s = source.astype(np.float64)
    if choice.rule in ROUNDINGS:
        upwards = np.trunc(s) == np.ceil(s) if choice.rule == "trunc" else choice.rule == "ceil"
        offset = 0.5 if choice.rule == "round" else np.where(upwards, 0.0, 1.0)
        return np.where(np.abs(chosen - other) > 1, np.inf, np.abs(s - np.minimum(chosen, other) - offset))
    if choice.rule == "threshold":
        return np.where(np.isin(other, (0, 1)), from_threshold(choice, s, chosen), np.inf)
    picked, others = values_at(choice, s, chosen), values_at(choice, s, other)
    if others is None:
        return np.full(chosen.shape, np.inf)
    return np.where(distinct(choice, s, other), np.abs(picked - others), np.inf).reshape(chosen.shape)


def values_at(choice: Choice, source: np.ndarray, chosen: np.ndarray) -> np.ndarray | None:
    """What was chosen, with the axis kept; None for places that the source does not have."""
    if chosen.min() < 0 or chosen.max() >= source.shape[choice.axis]:
        return None
    return np.take_along_axis(source, with_axis(choice, source, chosen), choice.axis)


def distinct(choice: Choice, source: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Whether no place was taken twice, for every row of choices; with the axis kept."""
    ranked = np.sort(with_axis(choice, source, chosen), axis=choice.axis)
    return (np.diff(ranked, axis=choice.axis) > 0).all(choice.axis, keepdims=True)


def with_axis(choice: Choice, source: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    return chosen if chosen.ndim == source.ndim else np.expand_dims(chosen, choice.axis)


def interval(choice: Choice, source: np.ndarray, chosen: np.ndarray) -> tuple[float, float]:
    """Between which values of the source, times the sign, the threshold must lie."""
    s, taken = choice.sign * source.astype(np.float64), chosen.astype(bool)
    low, high = s[~taken].max(initial=-np.inf), s[taken].min(initial=np.inf)
    return float(low), float(high)


def from_threshold(choice: Choice, s: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Distance from the level; where only an interval is known, from its far end, which excuses less."""
    if choice.level is not None:
        return np.abs(s - choice.level)
    low, high = interval(choice, s, chosen)
    return np.abs(choice.sign * s - np.where(chosen.astype(bool), low, high))
