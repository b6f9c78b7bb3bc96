"""One call of a module, as a trace holds it: its arguments put together again, and the gradients of what it returned."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from port.parity.recorder import GRADIENT
from port.parity.trace import Trace


def arguments_of(site: str, trace: Trace) -> tuple[dict[str, object], dict[str, np.ndarray]] | None:
    """-> (tree, arrays) of the call that a site belongs to, None where a tensor of it was not stored.

    tree    {"arguments": [node, ...], "keywords": {name: node}, "gradients": [path of an output, ...]}; a node is
            {"tensor": key}, {"number": value}, {"list": [node, ...]}, {"dict": {name: node}} or {} for what was no value
    arrays  argument/KEY and output_gradient/PATH
    """
    base, _, nth = site.removesuffix(GRADIENT).partition("#")
    module, suffix = base.partition(":")[0], f"#{nth}" if nth else ""
    given = values_at(f"{module}:in", suffix, trace)
    arriving = values_at(f"{module}:out", suffix + GRADIENT, trace)
    if any(array is None for array in (*given.values(), *arriving.values())):
        return None
    slots: dict[str, dict[str, np.ndarray]] = {}
    for key in given:
        slot, _, rest = key.partition(".")
        slots.setdefault(slot, {})[rest] = key
    places = [int(slot) for slot in slots if slot.isdigit()]
    tree = {
        "arguments": [node(slots.get(str(i), {}), given) for i in range(max(places, default=-1) + 1)],
        "keywords": {slot: node(parts, given) for slot, parts in slots.items() if not slot.isdigit()},
        "gradients": list(arriving),
    }
    tensors = {f"argument/{key}": array for key, array in given.items() if not is_number(array)}
    return tree, tensors | {f"output_gradient/{path}": array for path, array in arriving.items()}


def values_at(start: str, end: str, trace: Trace) -> dict[str, np.ndarray | None]:
    """What lies between start and end of the names of sites -> their values."""
    names = [name for name in trace.sites if name.startswith(start) and name.endswith(end)]
    middle = {name[len(start) : len(name) - len(end)]: name for name in names}
    return {path: trace.whole(name) for path, name in middle.items() if "#" not in path and "@" not in path}


def is_number(array: np.ndarray) -> bool:
    """Numbers among the arguments are recorded as float64 without axes."""
    return array.shape == () and array.dtype == np.float64


def node(parts: dict[str, str], given: dict[str, np.ndarray]) -> dict[str, object]:
    """parts: path inside one argument -> key of the value."""
    if not parts:
        return {}
    if "" in parts:
        array = given[parts[""]]
        if not is_number(array):
            return {"tensor": parts[""]}
        value = float(array)
        return {"number": int(value) if value.is_integer() else value}
    below: dict[str, dict[str, str]] = {}
    for path, key in parts.items():
        first, _, rest = path.partition(".")
        below.setdefault(first, {})[rest] = key
    if all(name.isdigit() for name in below):
        return {"list": [node(below.get(str(i), {}), given) for i in range(max(map(int, below)) + 1)]}
    return {"dict": {name: node(inner, given) for name, inner in below.items()}}


def first_call(module: str, trace: Trace) -> str | None:
    """The first site of a module's first call, None for one that is never called (a list of modules)."""
    return next((name for name in trace.sites if name.partition("/")[2].partition(":")[0] == module and ":" in name), None)


def build(part: Mapping[str, Any], tensors: Mapping[str, Any]) -> Any:
    """One argument from its node. tensors: key -> tensor of the framework"""
    if "tensor" in part:
        return tensors[part["tensor"]]
    if "list" in part:
        return tuple(build(inner, tensors) for inner in part["list"])
    if "dict" in part:
        return {name: build(inner, tensors) for name, inner in part["dict"].items()}
    return part.get("number")
