"""Which network a checkpoint belongs to."""

from collections.abc import Iterable
from pathlib import Path

from port.errors import PortError, UsageError
from port.weights import basicvsr, ttvsr
from port.weights.model import Model
from port.weights.rules import nearest, quote

MODELS: dict[str, Model] = {"ttvsr": ttvsr.MODEL, "basicvsr": basicvsr.MODEL}
AUTO = "auto"

# Networks that can be named but not converted: beginning of a name -> what it is. Some of their names are BasicVSR's.
STRANGERS = {
    "edvr.": "IconVSR",
    "deform_align.": "BasicVSR++",
    "basicvsr.": "RealBasicVSR",
}


def detect(path: Path, names: Iterable[str], model: str = AUTO) -> Model:
    """The model of that name, or with "auto" the one whose signature is among the names.

    Raises PortError saying what was found and the nearest rule; UsageError for a model nobody knows.
    """
    if model in MODELS:
        return MODELS[model]
    if model != AUTO:
        raise UsageError(f"unknown model '{model}'. Known: {AUTO}, {', '.join(MODELS)}.")
    names = list(names)
    if any(name.startswith(tuple(STRANGERS)) for name in names):
        raise PortError(_explain_stranger(path, names))
    for candidate in MODELS.values():
        if any(name.startswith(candidate.signature) for name in names):
            return candidate
    raise PortError(_explain_stranger(path, names))


def _explain_stranger(path: Path, names: list[str]) -> str:
    spelt = lambda model, name: any(s.rules and s.rules.matches_inverse(name) for s in model.spellings.values())  # noqa: E731
    guesses = [title for start, title in STRANGERS.items() if any(name.startswith(start) for name in names)]
    templates = [rule for model in MODELS.values() for rule in model.rules.rules]
    unknown = [
        name for name in names if not any(model.rules.matches(name) or spelt(model, name) for model in MODELS.values())
    ]
    odd = (unknown or names)[0]
    looks = f" It looks like {guesses[0]}." if guesses else ""
    return (
        f"{path} is none of the networks that can be converted ({', '.join(MODELS)}).{looks} "
        f"Found {len(names)} tensors, {len(unknown)} without a rule, the first {quote(odd)} "
        f"(nearest rule '{nearest(odd, templates)}')."
    )
