"""Ways to compute faster, by name, and where each can be had. What they do, and to the result: docs/speed-modes.md."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from port.errors import UsageError


@dataclass(frozen=True)
class Mode:
    """One way. where: framework -> devices; networks: that it is for"""

    where: dict[str, tuple[str, ...]]
    networks: tuple[str, ...] = ("ttvsr", "basicvsr")


NONE = "none"
TOGETHER = "together"
MODES = {
    NONE: Mode({"torch": ("cpu", "cuda"), "mindspore": ("cpu", "ascend")}),  # without the DEFAULTS below
    "keep_memory": Mode({"torch": ("cpu",)}),
    "channels_last": Mode({"torch": ("cpu", "cuda")}),
    "compile": Mode({"torch": ("cpu", "cuda")}),
    "compiled": Mode({"mindspore": ("cpu", "ascend")}),  # as without --eager
    "winograd": Mode({"torch": ("cpu",), "mindspore": ("cpu",)}),
    TOGETHER: Mode({"torch": ("cpu", "cuda"), "mindspore": ("cpu", "ascend")}, ("ttvsr",)),
    "bfloat16": Mode({"torch": ("cpu", "cuda")}),
    "tf32": Mode({"torch": ("cuda",)}),
    "cuda_graphs": Mode({"torch": ("cuda",)}),
}
# Taken unless `none` is named, or what excludes them: on a CPU the time is convolutions and fresh pages of memory, on cuda
# and ascend launches count for most.
DEFAULTS = {
    ("torch", "cpu"): ("keep_memory", "channels_last"), ("torch", "cuda"): (TOGETHER,),
    ("mindspore", "ascend"): (TOGETHER,),
}  # fmt: skip
EXCLUDE = (
    ("compile", "cuda_graphs"), ("winograd", "channels_last"), ("winograd", "compile"), ("winograd", "bfloat16"),
)  # fmt: skip


def fast_names(text: str) -> tuple[str, ...]:
    """NAME[,NAME] of a command line. Unknown names are refused with the nearest."""
    names = tuple(dict.fromkeys(text.split(",")))
    for name in names:
        if name not in MODES:
            near = get_close_matches(name, MODES, 1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise argparse.ArgumentTypeError(f"{name!r} is unknown: {hint}There are {', '.join(MODES)}.")
    return names


def taken(names: Sequence[str], framework: str, device: str) -> list[str]:
    """What is named, and the defaults that go with it, in the order of MODES: what the numbers of a run depend on."""
    named = set(names)
    usual = () if NONE in named else DEFAULTS.get((framework, device), ())
    excluded = {name for pair in EXCLUDE if set(pair) & named for name in pair}
    return [name for name in MODES if name in named or name in set(usual) - excluded]


def chosen(names: Sequence[str], framework: str, device: str, network: str) -> list[str]:
    """The modes to use, defaults of the device included. Raises UsageError for one that cannot be had."""
    for name in names:
        _check(name, framework, device, network)
    for pair in EXCLUDE:
        if set(pair) <= set(names):
            raise UsageError(f"--fast: {' and '.join(pair)} exclude each other. Name one of them.")
    return [name for name in taken(names, framework, device) if network in MODES[name].networks]


def _check(name: str, framework: str, device: str, network: str) -> None:
    mode = MODES[name]
    if framework not in mode.where:
        raise UsageError(f"--fast {name} is for {' and '.join(mode.where)}, not for {framework}. Leave it out.")
    if device not in mode.where[framework]:
        raise UsageError(f"--fast {name} needs --device {' or '.join(mode.where[framework])}, found {device}.")
    if network not in mode.networks:
        raise UsageError(f"--fast {name} is for {' and '.join(mode.networks)}: {network} has weights of its own for each.")
