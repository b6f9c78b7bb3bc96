"""Ways to compute faster, by name: what each does, where it can be had, what it does to the result."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from port.errors import UsageError


@dataclass(frozen=True)
class Mode:
    """One way. where: framework -> devices; networks: that it is for; effect: on the values"""

    does: str
    where: dict[str, tuple[str, ...]]
    effect: str
    networks: tuple[str, ...] = ("ttvsr", "basicvsr")


ROUNDING = "rounding of float32 only"
NONE = "none"
MODES = {
    NONE: Mode(
        "without the DEFAULTS below", {"torch": ("cpu", "cuda"), "mindspore": ("cpu", "ascend")},
        "none",
    ),
    "keep_memory": Mode("the memory of large arrays is used again, not given back to the system", {"torch": ("cpu",)}, "none"),
    "channels_last": Mode("weights and features with the channels innermost", {"torch": ("cpu", "cuda")}, ROUNDING),
    "compile": Mode("the parts without choices through torch.compile", {"torch": ("cpu", "cuda")}, ROUNDING),
    "compiled": Mode(
        "the same parts through mindspore.jit, as without --eager", {"mindspore": ("cpu", "ascend")}, "none"
    ),
    "winograd": Mode(
        "3x3 convolutions by Winograd's algorithm, in C compiled at the first use",
        {"torch": ("cpu",), "mindspore": ("cpu",)},
        ROUNDING,
    ),
    "together": Mode(
        "both directions as one batch of two, for more memory",
        {"torch": ("cpu", "cuda"), "mindspore": ("cpu", "ascend")},
        ROUNDING,
        ("ttvsr",),
    ),
    "bfloat16": Mode(
        "convolutions beside flow and attention in 16 bits", {"torch": ("cpu", "cuda")}, "see docs/speed-modes.md"
    ),
    "tf32": Mode("convolutions with 10 bits of mantissa on a GPU", {"torch": ("cuda",)}, "not measured: no GPU"),
    "cuda_graphs": Mode("the parts' kernels launched as recorded graphs", {"torch": ("cuda",)}, ROUNDING),
}
# Taken unless `none` is named, or what excludes them: on a CPU the time is convolutions and fresh pages of memory, on cuda
# and ascend launches count for most.
DEFAULTS = {
    ("torch", "cpu"): ("keep_memory", "channels_last"), ("torch", "cuda"): ("together",),
    ("mindspore", "ascend"): ("together",),
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
    """What is named, and the defaults that go with it: what the numbers of a run depend on."""
    named = list(dict.fromkeys(names))
    usual = () if NONE in named else DEFAULTS.get((framework, device), ())
    excluded = {name for pair in EXCLUDE if set(pair) & set(named) for name in pair}
    return named + [name for name in usual if name not in named and name not in excluded]


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
