"""What a score depends on beside weights and frames. Every result carries all of it."""

from argparse import Namespace
from dataclasses import asdict, dataclass, replace

from port.data.sets import set_facts
from port.errors import UsageError
from port.models.table import OPTIONS, own_options
from port.models.ttvsr import NUM_BLOCKS, OFFICIAL_CHANNELS, check_config

ROUNDING = "clamped to [0, 1], times 255, rounded half to even to uint8"
CHANNEL_WORDS = {"rgb": "RGB", "y": "Y (BT.601 studio range as in MATLAB, not rounded)"}
INPUT_WORDS = {
    "all": "whole clips, every frame scored",
    "centre": "7 frames mirrored twice to 28; the centre frame alone is scored, the mean of its four estimates",
}


@dataclass(frozen=True)
class Conditions:
    """How a data set is scored.

    degradation  "BI" or "BD"; None where nobody said how the low resolution was made
    channel      "rgb" or "y", crop: pixels left out on each side (port/metrics/score.py)
    scored       "all" frames, or "centre" (port/evaluate/centre.py)
    max_frames   of each clip; None: all
    clips        those asked for by name; None: all of the data set
    keyframe_stride, token_stride  of the network; None for one that has none
    """

    dataset: str
    degradation: str | None
    channel: str
    crop: int
    scored: str
    max_frames: int | None
    clips: tuple[str, ...] | None
    keyframe_stride: int | None
    token_stride: int | None
    dtype: str

    def as_data(self) -> dict[str, object]:
        """All of it, with the rounding before scores are taken."""
        return {**asdict(self), "clips": list(self.clips) if self.clips else None, "rounding": ROUNDING}


def conditions_of(args: Namespace) -> Conditions:
    """What the command line asks for, or else what publications on the data set agree about. Raises UsageError."""
    facts = set_facts(args.dataset)
    if args.max_frames is not None and args.max_frames < 1:
        raise UsageError(f"--max-frames must be at least 1, found {args.max_frames}.")
    if args.max_frames is not None and facts.scored == "centre":
        raise UsageError(f"--max-frames is not for {facts.name}: of 7 frames the middle one is scored.")
    if args.crop is not None and args.crop < 0:
        raise UsageError(f"--crop cannot be negative, found {args.crop}.")
    if args.clips is not None and (not all(args.clips) or len(set(args.clips)) < len(args.clips)):
        raise UsageError("--clips takes different names with commas between them, such as 000,011.")
    check_config(OFFICIAL_CHANNELS, NUM_BLOCKS, args.token_stride, args.keyframe_stride)
    degradation = args.degradation or facts.degradation
    return Conditions(
        dataset=facts.name,
        degradation=degradation.upper() if degradation else None,
        channel=args.channel or facts.channel,
        crop=facts.crop if args.crop is None else args.crop,
        scored=facts.scored,
        max_frames=args.max_frames,
        clips=tuple(args.clips) if args.clips else None,
        keyframe_stride=args.keyframe_stride,
        token_stride=args.token_stride,
        dtype=args.dtype,
    )


def of_network(conditions: Conditions, model: str) -> Conditions:
    """The same without options that the network does not have. Raises PortError where one of these was asked for."""
    own = own_options(model, {name: getattr(conditions, name) for name in OPTIONS})
    return replace(conditions, **{name: own.get(name) for name in OPTIONS})


def in_words(conditions: dict) -> list[str]:
    """A line for each of them. conditions: `Conditions.as_data()`"""
    frames, clips = conditions["max_frames"], conditions["clips"]
    options = {name: conditions[name] for name in OPTIONS if conditions[name] is not None}
    network = "".join(f"{name.replace('_', ' ')} {value}, " for name, value in options.items())
    return [
        f"degradation: {conditions['degradation'] or 'not told'}, x4",
        f"channel: {CHANNEL_WORDS[conditions['channel']]}; crop: {conditions['crop']} pixels on each side",
        f"rounding: {conditions['rounding']}",
        f"frames: {INPUT_WORDS[conditions['scored']]}" if frames is None else f"frames: only the first {frames} of each clip",
        *([f"clips: only {', '.join(clips)}"] if clips else []),
        "mean: over the frames of a clip, then over clips; SSIM with an 11x11 Gaussian window, sigma 1.5",
        f"network: {network}{conditions['dtype']}",
    ]  # fmt: skip
