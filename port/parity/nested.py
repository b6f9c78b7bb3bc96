"""Tensors inside tuples, lists and dictionaries: what modules are given and return."""

from collections.abc import Callable, Mapping
from typing import Any


def walk(value: Any, name: str, visit: Callable[[str, Any], Any]) -> Any:
    """Call visit(name, leaf) for every leaf of a nested value and put together what it returns.

    Parts of `x` are called `x.0`, `x.1` (tuples, lists) and `x.key` (mappings). Objects of other classes are leaves.
    """
    if isinstance(value, Mapping):
        return type(value)((key, walk(part, f"{name}.{key}", visit)) for key, part in value.items())
    if isinstance(value, tuple) and hasattr(value, "_fields"):  # a named tuple takes its parts one by one
        return type(value)(
            *(walk(part, f"{name}.{key}", visit) for key, part in zip(value._fields, value, strict=True))
        )
    if isinstance(value, tuple | list):
        return type(value)(walk(part, f"{name}.{i}", visit) for i, part in enumerate(value))
    return visit(name, value)
