"""Whether a set of arrays is a network's weights: names, shapes, element type, finite values."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from port.errors import PortError
from port.weights.canonical import Canonical
from port.weights.model import Model, Shapes
from port.weights.rules import nearest, quote

LISTED = 5  # problems of one kind that are spelt out
FLOAT32 = np.dtype("float32")


def check_names(path: Path, model: Model, names: Iterable[str], expected: Shapes) -> None:
    """Refuse missing and extra tensors. Raises PortError naming them and the nearest rule."""
    names = set(names)
    missing = [name for name in expected if name not in names]
    extra = sorted(names - expected.keys())
    lines = _list(f"{len(missing)} of {len(expected)} tensors are missing", [_label(model, name) for name in missing])
    lines += _list(f"{len(extra)} tensors are not part of {model.name}", [_label(model, name) for name in extra])
    if lines:
        hint = f"A tensor left out on purpose is listed in DROPPED in port/weights/{model.name}.py with a reason."
        raise PortError("\n  ".join([f"{path} does not hold the weights of {model.name}:", *lines, hint]))


def check_arrays(path: Path, model: Model, found: Canonical, expected: Shapes) -> dict[str, np.ndarray]:
    """The arrays in the network's order, as float32, once shapes and values are right.

    Other floating types are taken where float32 holds every value of the tensor exactly (always so for float16 and
    bfloat16), and that is noted; otherwise they are refused, like anything that would change a weight.
    Raises PortError naming the tensors and their rules.
    """
    problems, weights = [], {}
    for name, shape in expected.items():
        array = found.weights[name]
        wrong = _wrong_shape(array, shape) or _wrong_values(array)
        if wrong:
            problems.append(f"{_label(model, name)}: {wrong}")
        else:
            weights[name] = np.ascontiguousarray(array, dtype=FLOAT32).reshape(shape)
    if problems:
        raise PortError("\n  ".join([f"{path} does not hold usable weights of {model.name}:", *_list("", problems)]))
    for dtype in sorted(set(found.dtypes.values()) - {FLOAT32.name}):
        count = sum(kind == dtype for kind in found.dtypes.values())
        found.notes.append(f"{count} tensors are {dtype}; written as float32, which holds their values exactly.")
    return weights


def _wrong_shape(array: np.ndarray, shape: tuple[int, ...]) -> str:
    return "" if array.shape == shape else f"shape {array.shape}, expected {shape}"


def _wrong_values(array: np.ndarray) -> str:
    if array.dtype.kind != "f":
        return f"element type {array.dtype}, expected float32"
    finite = np.isfinite(array)
    if not finite.all():
        first = tuple(int(i) for i in np.argwhere(~finite)[0])
        nan = int(np.isnan(array).sum())
        return f"{nan} NaN and {array.size - int(finite.sum()) - nan} infinite values, the first at {first}"
    if array.dtype != FLOAT32:
        with np.errstate(over="ignore"):
            changed = int((array.astype(FLOAT32).astype(array.dtype) != array).sum())
        if changed:
            return f"{array.dtype}, and {changed} of {array.size} values would change in float32. Save it as float32"
    return ""


def _label(model: Model, name: str) -> str:
    return f"{quote(name)} (nearest rule '{nearest(name, model.rules.rules)}')"


def _list(title: str, items: list[str]) -> list[str]:
    """Title and items, the first few spelt out, as lines of a message."""
    if not items:
        return []
    more = [f"  and {len(items) - LISTED} more"] if len(items) > LISTED else []
    return ([f"{title}:"] if title else []) + [f"  {item}" for item in items[:LISTED]] + more
