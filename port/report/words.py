"""How the report puts things: numbers, places and the names of stages, in words for a reader without the manual."""

import math
from collections.abc import Mapping
from typing import Any

NOTHING = "–"
FRAMEWORKS = {"torch": "PyTorch", "mindspore": "MindSpore"}
# subject of `port bench` -> what was timed
MEASURED = {
    "network": "whole network", "fast": "whole network", "half": "whole network", "plain": "plain transcription",
    "floor": "its convolutions alone", "half-floor": "its convolutions alone", "training": "training iteration",
    "training-floor": "its convolutions alone, both ways", "conversion": "conversion",
}  # fmt: skip

STAGES = {  # key in report.json -> (title, what it shows)
    "weights": (
        "Converted weights",
        "Every tensor the port holds is compared, bit by bit, with the reference's.",
    ),
    "modules": (
        "Each module alone",
        "Modules and named steps are fed with the reference's own inputs, so that an error shows where it arises "
        "and nowhere else.",
    ),
    "accumulated": (
        "Along the whole network",
        "The port runs from the first frame to the last with the reference's discrete choices imposed. Its error "
        "against a float64 run, divided by the reference's own float32 error, is taken at every site.",
    ),
    "compiled": (
        "Compiled against eager",
        "The port as infer runs it, parts compiled and frames handed out one by one, is compared with its own run "
        "operation by operation.",
    ),
    "end_to_end": (
        "End to end",
        "The frames that come out: the port's against the reference's, and both against ground truth if given.",
    ),
}
PATCH_STAGES = {  # with --stages all, on the middle of the first frames -> as above
    "forward on the patch": (
        "Patch: each module alone",
        "The same on a small patch on which the network is also trained: every tensor of every module is compared.",
    ),
    "backward": (
        "Patch: gradients",
        "The gradient of the training loss at every value and of every parameter; modules are fed with the reference's.",
    ),
    "accumulated on the patch": (
        "Patch: along the network",
        "The port left to itself on the patch, forward and backward.",
    ),
    "training": (
        "Patch: optimiser steps",
        "Every step from the reference's parameters along the reference's gradients: loss, gradients, rates, updates, buffers.",
    ),
    "accumulated training": (
        "Patch: training by itself",
        "The same number of steps, each side going its own way: loss, gradient norm and learning rate.",
    ),
    "free decisions": (
        "Patch: own choices",
        "The discrete choices on the patch when nothing is imposed.",
    ),
}
PAIR_STAGES = {  # stage of a pair -> what it compares
    "weights": "Parameters and buffers before the run, bit for bit.",
    "forward": "Fed: inputs and outputs of every call of a module, the network's output, the loss.",
    "backward": "Fed: the gradient at each of these, and of every parameter.",
    "accumulated": "The port left to itself, forward and backward: what a user sees.",
    "training": "Fed, step by step: loss, gradients, learning rates, updates, buffers.",
    "accumulated training": "Optimiser steps left to themselves: loss and learning rates.",
}
DECISIONS = {
    "location": "the earlier position a token came from, rounded to whole cells (location map)",
    "argmax": "the keyframe whose token matches best (arg-max)",
}


def measured(row: Mapping[str, Any]) -> str:
    """What a row of `port bench` is of, with the ways that it named."""
    ways = row.get("ways", ())
    return MEASURED[row["subject"]] + (f", --fast {','.join(ways)}" if ways else "")


def figure(value: float | None, digits: int = 3) -> str:
    """A number in few digits; a dash for none."""
    if value is None:
        return NOTHING
    return f"{value:.{digits}g}" if math.isfinite(value) else "not a finite number"


def count(value: int | None) -> str:
    """A whole number with thousands apart, by a narrow space that does not break."""
    return NOTHING if value is None else f"{value:,}".replace(",", "\u202f")


def decibel(value: float | None, digits: int = 2) -> str:
    """A level in dB; a dash for none."""
    return NOTHING if value is None or not math.isfinite(value) else f"{value:.{digits}f} dB"


def signed(value: float | None, unit: str = "", digits: int = 2) -> str:
    """A difference, its sign always written."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{value:+.{digits}g}{unit}".replace("-", "\u2212", 1 if value < 0 else 0)


def agreement(psnr: float | None, largest: float | None) -> str:
    """PSNR between two outputs. Equal ones have none: they are called identical, not infinitely good."""
    if largest == 0:
        return "identical"
    return decibel(psnr)


def share(value: float | None, limit: float) -> str:
    """How much of a limit is used up, in percent."""
    if value is None or not math.isfinite(value):
        return NOTHING
    percent = 100 * value / limit
    return f"{percent:.0f} %" if percent >= 1 or percent == 0 else "under 1 %"


def place(row: Mapping[str, object]) -> str:
    """Where in the run a site lies."""
    frame = row.get("frame")
    return f"step {row.get('step')}" + (f", frame {frame}" if frame is not None else "")


def framework(environment: Mapping[str, object]) -> str:
    """`PyTorch 2.13.0 (cpu)`"""
    name = str(environment.get("framework"))
    return f"{FRAMEWORKS.get(name, name)} {environment.get('version')} ({environment.get('device')})"


def printable(text: str) -> str:
    """The text with everything that a terminal or browser would obey rather than show spelt out; line ends stay."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\u202f" else c.encode("unicode_escape").decode() for c in text)


def one_line(value: object, longest: int = 400) -> str:
    """Printable text without line ends, cut where it goes on for too long."""
    text = printable(" ".join(str(value).split()))
    return text if len(text) <= longest else text[: longest - 1] + "…"


def first_paragraph(text: str) -> str:
    """What a framework's message says before its call stack; all of it stands in report.json."""
    return text.strip().partition("\n\n")[0]


def cell(text: object) -> str:
    """Text from files and networks, safe inside a Markdown line."""
    return "".join(c if c.isprintable() else "?" for c in str(text)).replace("|", "\\|").replace("`", "'")
