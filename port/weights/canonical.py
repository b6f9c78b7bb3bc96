"""From whatever a training framework wrapped round a network's weights to the bare names of the network."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from port.errors import PortError
from port.weights.raw import RawCheckpoint
from port.weights.rules import quote

# Dict levels and prefixes that mean "the network is in here", and whether its weights are averaged over training.
RAW, EMA = "raw", "ema"
WRAPPERS = {
    "state_dict": None,
    "model_state": None,
    "model_state_dict": None,
    "module": None,  # torch's DataParallel and DistributedDataParallel
    "params": RAW,  # BasicSR keeps both under these two names
    "params_ema": EMA,
    "generator": RAW,  # mmediting keeps both under these two prefixes
    "generator_ema": EMA,
}

# What training keeps beside the weights: name, or beginning ending in a dot -> reason. MindSpore has no nesting, so its
# optimisers put their state beside the parameters.
_OPTIMISER = "state of the optimiser; needed to go on training, not to run"
_SCHEDULE = "state of the learning-rate schedule"
_COUNTER = "counts training steps"
TRAINING_STATE = {
    "optimizer.": _OPTIMISER,
    "optimizers.": _OPTIMISER,
    "optimizer_state_dict.": _OPTIMISER,
    "optimizer_state.": _OPTIMISER,
    "moment1.": _OPTIMISER,
    "moment2.": _OPTIMISER,
    "moments.": _OPTIMISER,
    "exp_avg.": _OPTIMISER,
    "exp_avg_sq.": _OPTIMISER,
    "state_step.": _OPTIMISER,
    "beta1_power": _OPTIMISER,
    "beta2_power": _OPTIMISER,
    "schedulers.": _SCHEDULE,
    "lr_scheduler.": _SCHEDULE,
    "param_schedulers.": _SCHEDULE,
    "learning_rate": _SCHEDULE,
    "global_step": _COUNTER,
    "epoch_num": _COUNTER,
    "step_num": _COUNTER,
    "epoch": _COUNTER,
    "iter": _COUNTER,
    "meta.": "notes on the training run",
    "message_hub.": "log of the training run",
}


@dataclass(frozen=True)
class Dropped:
    """Something in the file that does not belong to the network.

    what     the name, or the beginning shared by several (`optimizer.`)
    tensors  how many; 0 where it holds numbers, texts or lists only
    """

    what: str
    tensors: int
    reason: str


@dataclass
class Canonical:
    """Weights under the network's own names, and what was left out or decided on the way there.

    weights  name -> array
    dtypes   name -> element type in the file
    """

    weights: dict[str, np.ndarray] = field(default_factory=dict)
    dtypes: dict[str, str] = field(default_factory=dict)
    dropped: list[Dropped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def canonicalise(path: Path, raw: RawCheckpoint, dropped: Mapping[str, str], params: str | None = None) -> Canonical:
    """Unwrap, strip prefixes and leave out what `dropped` and TRAINING_STATE list.

    params  "raw" or "ema" where a file holds the weights and their running average; None takes the average and notes it
    Raises PortError if two tensors end up with one name, or if `params` asks for weights the file does not hold.
    """
    known, counts = {**TRAINING_STATE, **dropped}, {}
    variants: dict[str, dict[str, str]] = {}  # variant -> canonical name -> name in the file
    for source in raw.tensors:
        name, variant = unwrap(source)
        rule = _dropping_rule(name, known)
        if rule:
            counts[rule] = counts.get(rule, 0) + 1
            continue
        names = variants.setdefault(variant, {})
        if name in names:
            raise PortError(
                f"{path}: {quote(names[name])} and {quote(source)} are both {quote(name)} without their prefixes."
            )
        names[name] = source
    result = Canonical(dropped=[Dropped(rule, count, known[rule]) for rule, count in counts.items()])
    chosen = _choose(path, variants, params, result)
    result.weights = {name: raw.tensors[source] for name, source in chosen.items()}
    result.dtypes = {name: raw.dtypes[source] for name, source in chosen.items()}
    for top, count in raw.others.items():
        result.dropped.append(Dropped(top, 0, f"holds no tensors ({count} number{'s' * (count > 1)} or texts)"))
    return result


def unwrap(name: str) -> tuple[str, str]:
    """(name inside all wrappers and prefixes, "raw" or "ema")."""
    variant = RAW
    head, _, rest = name.partition(".")
    while rest and head in WRAPPERS:
        variant = WRAPPERS[head] or variant
        name = rest
        head, _, rest = name.partition(".")
    return name, variant


def _dropping_rule(name: str, known: Mapping[str, str]) -> str | None:
    if name in known:
        return name
    return next((rule for rule in known if rule.endswith(".") and name.startswith(rule)), None)


def _choose(path: Path, variants: dict[str, dict[str, str]], params: str | None, result: Canonical) -> dict[str, str]:
    """Pick the raw or the averaged weights; note the choice where there was one."""
    if not variants:
        raise PortError(f"{path} holds the state of a training run, but no weights of a network.")
    wanted = params or (EMA if EMA in variants else RAW)
    if wanted not in variants:
        raise PortError(
            f"{path} holds no {wanted} weights (--params {wanted}), only {', '.join(variants)} ones. "
            "Leave --params out."
        )
    for other in variants.keys() - {wanted}:
        titles = {RAW: "as trained (raw)", EMA: "averaged over training (ema)"}
        reason = f"the weights {titles[other]}; those {titles[wanted]} were taken. --params {other} takes these instead"
        result.dropped.append(Dropped(f"{other} weights", len(variants[other]), reason))
        result.notes.append(f"The file holds two sets of weights. Taken: those {titles[wanted]}.")
    return variants[wanted]
