"""Every value that a training run depends on: presets, `--set key=value`, checks."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from difflib import get_close_matches
from pathlib import Path

from port.errors import PortError, UsageError
from port.models import ttvsr as facts

PRESETS = Path(__file__).parent / "presets"
PRECISIONS = ("float32", "bfloat16")
SPIKE_ACTIONS = ("warn", "skip")
# These may change between the two halves of an interrupted run: they do not touch what is computed, but for rounding
FREE = {
    "iterations", "save_every", "keep", "log_every", "validate_every", "sample_every", "workers", "recompute", "compiled",
    "valid_dataset", "valid_split", "valid_clips", "valid_frames",
}  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """The values of a run; their names are the keys of presets and of `--set`.

    Iterations count optimiser steps. Rates are learning rates. A clip of `frames` low-resolution frames is cut to
    `patch` x `patch` pixels, its truth to four times that.
    """

    # network
    mid_channels: int = facts.OFFICIAL_CHANNELS
    num_blocks: int = facts.NUM_BLOCKS
    token_stride: int = facts.TOKEN_STRIDE
    keyframe_stride: int = facts.KEYFRAME_STRIDE
    # data
    dataset: str = "reds"
    split: str = ""  # empty: the one that the data set is trained on
    degradation: str = ""  # BI or BD, where a data set has both; empty: the usual one
    frames: int = 50
    patch: int = 64
    reverse: float = 0.5  # probability of playing a clip backwards
    flip: float = 0.5  # of mirroring left to right; the same for top to bottom and for exchanging rows and columns
    mirror: int = 0  # how often the sequence is continued backwards after augmentation, each time doubling it
    batch: int = 2  # clips per device and pass
    accumulate: int = 1  # passes whose gradients make one step
    seed: int = 0
    workers: int = 2  # processes that read frames; 0: the training process itself
    # optimiser
    iterations: int = facts.PERIOD
    rate: float = facts.RATE
    last_rate: float = facts.LAST_RATE
    flow_rate: float = facts.FLOW_RATE  # share of the rate, for the flow network
    beta1: float = facts.BETAS[0]
    beta2: float = facts.BETAS[1]
    frozen: int = facts.FROZEN  # iterations in which the flow network stands still
    period: int = facts.PERIOD  # iterations of the cosine from rate to last_rate
    warmup: int = 0  # iterations in which the rate grows from zero
    precision: str = "float32"
    recompute: bool = False  # forget activations and compute them again on the way back: less memory, more time
    compiled: bool = True  # in MindSpore, and in float32: the parts of the network through mindspore.jit, unless recomputed
    # guard
    spike: float = 10.0  # a loss so many times the median of the last ones is a spike; 0: never
    on_spike: str = "warn"  # or "skip": leave that step out
    # what is kept
    log_every: int = 1
    save_every: int = 5000
    keep: int = 2  # checkpoints
    validate_every: int = 5000
    sample_every: int = 5000
    valid_dataset: str = "reds4"  # empty: no validation
    valid_split: str = ""
    valid_clips: int = 0  # how many of it, 0: all
    valid_frames: int = 0  # how many of each, 0: all

    def __post_init__(self):
        for field in fields(self):
            _check_type(field.name, field.type, getattr(self, field.name))
        facts.check_config(self.mid_channels, self.num_blocks, self.token_stride, self.keyframe_stride)
        self._check_ranges()

    def _check_ranges(self):
        least = {"frames": 2, "patch": facts.MIN_SIZE, "batch": 1, "accumulate": 1, "iterations": 1, "period": 1,
                 "log_every": 1, "save_every": 1, "keep": 1}  # fmt: skip
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type in (int, float) and not (value >= least.get(field.name, 0) and value < float("inf")):
                raise UsageError(f"{field.name} must be at least {least.get(field.name, 0)}, found {value}.")
        for name in ("reverse", "flip", "flow_rate", "beta1", "beta2"):
            if getattr(self, name) > 1:
                raise UsageError(f"{name} must lie between 0 and 1, found {getattr(self, name)}.")
        for name, known in (("precision", PRECISIONS), ("on_spike", SPIKE_ACTIONS)):
            if getattr(self, name) not in known:
                raise UsageError(f"{name} must be one of {', '.join(known)}, found {getattr(self, name)!r}.")

    def changed(self, pairs: Iterable[str]) -> "Settings":
        """With `key=value` texts applied, each read as the type of its key. Raises UsageError."""
        return replace(self, **dict(_parse(pair) for pair in pairs))

    def difference(self, other: "Settings") -> list[str]:
        """Where two runs would compute different things, as 'key: ours, theirs'."""
        ours, theirs = asdict(self), asdict(other)
        return [
            f"{key}: {ours[key]}, was {theirs[key]}" for key in ours if ours[key] != theirs[key] and key not in FREE
        ]


TYPES = {field.name: field.type for field in fields(Settings)}
WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


def preset_names() -> list[str]:
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def load_preset(name: str) -> Settings:
    """A preset by name, or a TOML file of one's own by path. Raises UsageError."""
    path = Path(name) if name.endswith(".toml") else PRESETS / f"{name}.toml"
    if not path.is_file():
        near = get_close_matches(name, preset_names(), 1)
        nearest = f" (nearest: {near[0]})" if near else ""
        raise UsageError(f"there is no preset {name!r}{nearest}; known: {', '.join(preset_names())}, or a .toml file.")
    try:
        held = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no TOML: {error}.") from error
    return from_data(held, str(path))


def from_data(held: Mapping[str, object], where: str) -> Settings:
    """Settings from names and values. Raises UsageError for a name or a type that does not exist."""
    try:
        for name in held:
            check_name(name)
        return Settings(**{name: _widened(name, value) for name, value in held.items()})
    except PortError as error:
        raise UsageError(f"{where}: {error}") from error


def check_name(name: str) -> None:
    """Raise UsageError with the nearest name for a setting that does not exist."""
    if name not in TYPES:
        near = get_close_matches(name, TYPES, 1, cutoff=0.4)
        raise UsageError(f"there is no setting {name!r}{f' (nearest: {near[0]})' if near else ''}.")


def _widened(name: str, value: object) -> object:
    """A whole number where any number is expected is one."""
    return float(value) if TYPES[name] is float and type(value) is int else value


def _check_type(name: str, kind: type, value: object) -> None:
    if type(value) is not kind:
        raise UsageError(f"{name} must be {WORDS[kind]}, found {value!r} ({type(value).__name__}).")


def _parse(pair: str) -> tuple[str, object]:
    name, equals, text = pair.partition("=")
    if not equals:
        raise UsageError(f"--set takes key=value, found {pair!r}.")
    check_name(name)
    kind = TYPES[name]
    try:
        if kind is bool:
            return name, {"true": True, "false": False}[text.lower()]
        return name, kind(text)
    except (ValueError, KeyError):
        raise UsageError(f"{name} must be {WORDS[kind]}, found {text!r}.") from None
