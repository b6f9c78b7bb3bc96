"""A pair of networks to be compared, as its file describes it; the networks themselves are built in the two columns.

A pair is a Python file with

    torch_net(), ms_net()      build the networks, each importing its framework inside
    inputs()                   tuple of arrays, given to both in this order
    torch_loss, ms_loss        (output, inputs) -> scalar; or one `loss` that suits both. Without: the mean square
    torch_optimizer(net)       -> optimizer, or (optimizer, scheduler); without one there is no training stage
    ms_optimizer(net)          -> an nn.Optimizer with its schedule inside, or an experimental one, or (one of those, scheduler)
    torch_clip(parameters)     clips gradients in place; ms_clip(gradients) -> gradients
    WEIGHTS                    {torch template: MindSpore template} for names that differ, `{}` for indices
    LEFT_OUT                   {torch name: reason} for what the reference or its checkpoints have and the port does without
    MAP                        "map.toml" beside the file: the whole map, as `convert_weights.py --pair --map` wrote it
    SITES                      {module of the port: module of the reference} where modules are called differently
    IGNORE                     {module: reason} for what is not to be compared; listed in the report
    VALUES(shapes)             name -> array: the weights, instead of those the reference starts with
    STEPS                      optimiser steps of the training stage (4)
    GRADIENTS_AT               of these, the steps at which loss and gradients are computed again from the reference's
                               parameters; all of them if left out. They are most of the cost of a long training stage
    COMPILE                    True (left out): the whole port is compiled once more; a list of module names: only those; False
                               with a COMPILE_REASON: not at all, which the report says
    DECISIONS                  {site or module: (source site, "argmax" | "topk" | "round" | "threshold", axis)}: what a
                               discrete output was chosen from, if not the module's input; a threshold's axis is its level

All but the networks and the inputs may be left out.
"""

import importlib.util
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import xxhash

from port.errors import PortError, UsageError


@dataclass(frozen=True)
class Pair:
    """What both sides need to know. `file` holds the functions that build the networks."""

    name: str
    file: ModuleType
    inputs: tuple[np.ndarray, ...]
    weights: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    map_file: Path | None = None
    sites: Mapping[str, str] = field(default_factory=dict)
    ignore: Mapping[str, str] = field(default_factory=dict)
    values: Callable[[dict[str, tuple[int, ...]]], dict[str, np.ndarray]] | None = None
    steps: int = 4
    gradients_at: frozenset[int] | None = None
    compiled: tuple[str, ...] = ("",)  # modules to be compiled, "" for the whole network
    compile_reason: str = ""  # why none of them is
    decisions: Mapping[str, tuple] = field(default_factory=dict)


def load_pair(spec: str) -> Pair:
    """Read `my_pair.py`. Raises UsageError for no such file, PortError for one that does not describe a pair."""
    path = Path(spec)
    if not path.is_file():
        raise UsageError(
            f"no pair {spec}: there is no such file. Name a Python file with torch_net, ms_net and inputs."
        )
    file = import_file(path)
    missing = [name for name in ("torch_net", "ms_net", "inputs") if not callable(getattr(file, name, None))]
    if missing:
        raise PortError(f"{spec} does not describe a pair: no function {', '.join(missing)}.")
    tables = {name.lower(): dict(getattr(file, name, {})) for name in ("WEIGHTS", "SITES", "IGNORE", "LEFT_OUT")}
    compiled, reason = check_compile(spec, file)
    return Pair(
        name=spec,
        file=file,
        map_file=path.parent / file.MAP if hasattr(file, "MAP") else None,
        compiled=compiled,
        compile_reason=reason,
        decisions=check_decisions(spec, getattr(file, "DECISIONS", {})),
        inputs=check_inputs(spec, file.inputs()),
        values=getattr(file, "VALUES", None),
        steps=int(getattr(file, "STEPS", 4)),
        gradients_at=frozenset(file.GRADIENTS_AT) if hasattr(file, "GRADIENTS_AT") else None,
        **tables,
    )


def import_file(path: Path) -> ModuleType:
    """Run a pair's file. Raises PortError naming what went wrong in it.

    It is known to Python by a name of its own: MindSpore's compiler looks up by it what a `construct` refers to.
    """
    name = f"{path.stem}_{xxhash.xxh3_64_hexdigest(str(path.resolve()).encode())}"
    loader = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(loader)
    sys.modules[name] = module
    try:
        loader.loader.exec_module(module)
    except Exception as error:  # anything may be wrong in somebody's file
        del sys.modules[name]
        raise PortError(f"{path} cannot be read as a pair: {type(error).__name__}: {error}.") from error
    return module


def check_compile(spec: str, file: ModuleType) -> tuple[tuple[str, ...], str]:
    """COMPILE and COMPILE_REASON. -> (modules to be compiled, why none is)"""
    wanted, reason = getattr(file, "COMPILE", True), str(getattr(file, "COMPILE_REASON", ""))
    if wanted is True:
        return ("",), ""
    if wanted is False:
        if not reason.strip():
            raise PortError(f"{spec}: COMPILE = False leaves a stage out; say why by COMPILE_REASON.")
        return (), reason
    if isinstance(wanted, list | tuple) and wanted and all(isinstance(name, str) for name in wanted):
        return tuple(wanted), ""
    raise PortError(f"{spec}: COMPILE is True, False or a list of module names, found {wanted!r}.")


CHOICES = ("argmax", "topk", "round", "threshold")


def check_decisions(spec: str, given: Any) -> dict[str, tuple]:
    """DECISIONS, every entry of the right form."""
    for name, entry in dict(given).items():
        if not isinstance(entry, list | tuple) or len(entry) != 3 or entry[1] not in CHOICES:
            raise PortError(
                f"{spec}: DECISIONS[{name!r}] must be (source site, {' | '.join(CHOICES)}, axis), found {entry!r}."
            )
    return {name: tuple(entry) for name, entry in dict(given).items()}


def check_inputs(spec: str, given: Any) -> tuple[np.ndarray, ...]:
    """One array or a sequence of them, none empty, none with NaN. -> tuple"""
    arrays = (given,) if isinstance(given, np.ndarray) else tuple(given)
    for i, array in enumerate(arrays):
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
            raise PortError(
                f"{spec}: inputs() must give numpy arrays of numbers, found {type(array).__name__} at place {i}."
            )
        if array.size == 0 or not np.isfinite(array).all():
            raise PortError(f"{spec}: input {i} {array.shape} is empty or holds NaN or infinite values.")
    if not arrays:
        raise PortError(f"{spec}: inputs() gives nothing.")
    return arrays


def part(pair: Pair, side: str, name: str) -> Callable | None:
    """A function of one half of the pair: `torch_loss`, or `loss` where one suits both sides; None if there is none."""
    return getattr(pair.file, f"{side}_{name}", None) or getattr(pair.file, name, None)
