"""Every site of every stage as compact data, from which the page's script builds the call tree."""

import json
import math
import re
from collections.abc import Iterable, Mapping

from port.parity.compare import Stage
from port.report import words

FAIL, NOTED, PASSED, LEFT_OUT = range(4)  # states, the worst first
FLAT = re.compile(r"step\.\d+|parameters|weights")  # steps whose sites are named module.parameter
STEPS = {
    "weights": "parameters and buffers before the run",
    "forward": "every call of a module: values on the way forward, gradients on the way back",
    "end": "what comes out: outputs and loss",
    "parameters": "gradients of the parameters",
}
FRAMED = {"bwd": "backward in time", "fwd": "forward in time", "up": "upsampling"}
KINDS = {"grad": "gradient of ", "update": "update of ", "lr": "learning rate of "}


class Numbered:
    """Values listed once, in the order in which they came."""

    def __init__(self):
        self.places: dict = {}

    def __call__(self, value: object) -> int:
        return self.places.setdefault(value, len(self.places))


def tree_data(stages: Mapping[str, Stage]) -> dict[str, list]:
    """What the script reads.

    stages  their names
    steps   [name, explanation]
    names   [site without its step, module, call from 0, label]
    texts   reasons and notes
    rows    [stage, step, name, state, largest difference, error ratio, text]: places in the lists above and numbers;
            null where there is none, a string where a number is not finite
    """
    steps, names, texts, rows = Numbered(), Numbered(), Numbered(), []

    def add(place: int, site: str, state: int, text: str, numbers: Iterable[float | None]) -> None:
        step, name = parted(site)
        said = texts(words.one_line(text)) if text else None
        flat = FLAT.fullmatch(step) is not None
        rows.append([place, steps(step), names((name, flat)), state, *(short(number) for number in numbers), said])

    for place, stage in enumerate(stages.values()):
        for row in sorted(stage.rows, key=lambda row: row.order):
            state = FAIL if row.reason else NOTED if row.note else PASSED
            text = "; ".join(filter(None, (row.reason, row.note)))
            add(place, row.site, state, text, (row.max_abs, row.ratio))
        for site, why in stage.skipped:
            add(place, site, LEFT_OUT, why, (None, None))
    return {
        "stages": list(stages),
        "steps": [[words.one_line(step), explained(step)] for step in steps.places],
        "names": [[words.one_line(part) if isinstance(part, str) else part for part in (name, *named(name, flat))]
                  for name, flat in names.places],
        "texts": list(texts.places),
        "rows": rows,
    }  # fmt: skip


def parted(site: str) -> tuple[str, str]:
    """Step and name of a site; parameters before the run have no step in their name."""
    step, bar, name = site.partition("/")
    return (step, name) if bar else ("weights", site)


def named(name: str, flat: bool) -> tuple[str, int, str]:
    """(module, number of the call, label in words) of a site without its step.

    flat  the name is that of a parameter: what stands before its last dot is the module
    """
    base, _, kind = name.partition("@")
    base, _, nth = base.partition("#")
    if ":" in base:
        module, _, label = base.rpartition(":")
    else:
        module, _, label = base.rpartition(".") if flat else ("", "", base)
    call = int(nth) if nth.isdigit() else 0
    label = port_in_words(label) if ":" in base else label
    return module, call, KINDS.get(kind, "") + label + (f" ({kind})" if kind and kind not in KINDS else "")


def port_in_words(port: str) -> str:
    """`in0` -> `input 0`, `out.1` -> `output .1`"""
    label = re.fullmatch(r"(in|out)(\d*)(\..*)?", port)
    if label is None:
        return port
    way, place, rest = label.groups()
    return " ".join(filter(None, ({"in": "input", "out": "output"}[way], place, rest)))


def explained(step: str) -> str:
    """A step in words; empty where its name says it."""
    phase, _, number = step.partition(".")
    if phase == "step" and number.isdigit():
        return f"optimiser step {int(number)}, counted from 0"
    if phase in FRAMED and number.isdigit():
        return f"{FRAMED[phase]}, frame {int(number)}"
    return STEPS.get(step, "")


def short(number: float | None) -> float | str | None:
    """Three digits, as JSON has them."""
    if number is None:
        return None
    return float(f"{number:.3g}") if math.isfinite(number) else ("Infinity" if number > 0 else "NaN")


def as_json(data: object) -> str:
    """JSON that can stand inside an HTML element: nothing in it looks like a tag."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
