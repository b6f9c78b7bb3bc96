"""What `port bench` measures, in which order, and how long that may take.

place      what is measured there
main       the clip that was asked for, in all rounds
small      the same number of frames at 176x144, in PyTorch alone, and not in 16 bits
growth     shorter clips, once each
training   a small crop, in all rounds
full       100 frames, each in a new process: once, or in all rounds on a device of its own, where they take seconds (its memory
           must hold all subjects of PyTorch then)
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

TORCH, MINDSPORE = FRAMEWORKS = ("torch", "mindspore")
COLUMNS = {TORCH: "torch_ref", MINDSPORE: "ms_model"}
DEFAULT_SIZE, SMALL_SIZE = (180, 320), (144, 176)  # rows, columns
FULL_FRAMES = 100
SHORTEST = 2  # frames
PEAK_SIDE = 2048

# In the order in which a round goes through them
TURNS = (
    (TORCH, "network"), (TORCH, "fast"), (TORCH, "half"), (TORCH, "plain"), (TORCH, "floor"), (TORCH, "half-floor"),
    (MINDSPORE, "network"), (MINDSPORE, "fast"), (MINDSPORE, "floor"),
)  # fmt: skip
TRAINING_TURNS = tuple((framework, subject) for framework in FRAMEWORKS for subject in ("training", "training-floor"))
PEAKS = tuple((framework, "peak") for framework in FRAMEWORKS)
SUBJECTS = ("network", "fast", "half", "plain", "floor", "training", "peak")
HALF = ("bfloat16",)  # ways of the subject "half"
FOR_ONE_LENGTH = {"compile"}  # ways of a CPU that make something ready for the length of a clip

# Seconds for a frame of 320x180 of the official network (or for a whole run of what does not grow with the clip) on two cores
# of 2026, for the estimate alone
COST = {
    (TORCH, "network"): 7.5, (TORCH, "fast"): 5.5, (TORCH, "half"): 2.0, (TORCH, "plain"): 9.0,
    (MINDSPORE, "network"): 11.5, (MINDSPORE, "fast"): 7.0, (TORCH, "training"): 30.0, (MINDSPORE, "training"): 60.0,
}  # fmt: skip
FLAT = {
    (TORCH, "floor"): 12.0, (TORCH, "half-floor"): 6.0, (TORCH, "training-floor"): 5.0, (TORCH, "peak"): 2.0,
    (MINDSPORE, "floor"): 20.0, (MINDSPORE, "training-floor"): 10.0, (MINDSPORE, "peak"): 4.0,
}  # fmt: skip
START = 4.0  # of a process
SUITE, CONVERSION = 1100.0, 10.0  # of the parity suite, and of one process that converts


@dataclass(frozen=True)
class Options:
    """frames, rounds; size: (rows, columns); training: crop in pixels, frames, batch

    fast      framework -> ways of port/models/speed.py in which the network runs as the subject "fast"
    half      whether the reference runs in 16 bits, too: where there are units for it
    launched  frameworks that run on a device of their own
    """

    frames: int = 10
    size: tuple[int, int] = DEFAULT_SIZE
    small: bool = True
    rounds: int = 3
    full: bool = False
    only: tuple[str, ...] = SUBJECTS
    frameworks: tuple[str, ...] = FRAMEWORKS
    crop: int = 64
    train_frames: int = 4
    batch: int = 1
    fast: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    half: bool = False
    launched: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """One request to one process. counted: its figures are kept, otherwise it warms up; process: sets apart those of a name"""

    framework: str
    subject: str
    place: str
    request: Mapping[str, int] = field(hash=False)
    counted: bool = True
    process: str = ""

    @property
    def worker(self) -> tuple[str, str, str]:
        """The process that does it."""
        return self.framework, self.subject, self.process

    def seconds(self, scale: float) -> float:
        """An estimate. scale: times the multiply-adds for a pixel of the official network"""
        own, request = (self.framework, self.subject), self.request
        if own in FLAT:
            return 2.0 * FLAT[own] if not self.counted else FLAT[own]
        pixels = request["frames"] * request["height"] * request["width"] * request.get("batch", 1)
        return scale * COST[own] * pixels / (DEFAULT_SIZE[0] * DEFAULT_SIZE[1])


def make_plan(options: Options) -> list[Step]:
    """All steps in order."""
    chosen = [step for step in _steps(options) if step.framework in options.frameworks]
    chosen = [step for step in chosen if step.subject != "fast" or options.fast.get(step.framework)]
    chosen = [step for step in chosen if step.subject not in ("half", "half-floor") or options.half]
    return [
        step for step in chosen if step.subject.removesuffix("-floor") in options.only or step.subject in options.only
    ]


def estimate(plan: list[Step], scale: float) -> float:
    """Seconds on two cores, processes included."""
    return sum(step.seconds(scale) for step in plan) + START * len({step.worker for step in plan})


def _steps(options: Options) -> Iterator[Step]:
    for framework, subject in PEAKS:
        yield Step(framework, subject, "main", {"side": PEAK_SIDE})
    yield from _rounds(options, "main", TURNS, _clip(options.frames, options.size))
    if options.small:
        turns = [turn for turn in TURNS if turn[0] == TORCH and turn[1] in ("network", "fast", "plain", "floor")]
        yield from _rounds(options, "small", turns, _clip(options.frames, SMALL_SIZE))
    for frames in lengths(options.frames):
        for framework in FRAMEWORKS:
            yield from _rounds(replace(options, rounds=1), "growth", [(framework, "network")], _clip(frames, options.size))
    crop = {**_clip(options.train_frames, (options.crop, options.crop)), "batch": options.batch}
    yield from _rounds(options, "training", TRAINING_TURNS, crop)
    if options.full:
        yield from _full(options)


def _full(options: Options) -> Iterator[Step]:
    clip = _clip(FULL_FRAMES, options.size)
    # The floor in PyTorch alone: recording 100 frames operation by operation takes MindSpore longer than the frames.
    turns = [turn for turn in TURNS if turn[1] in ("network", "plain") or turn == (TORCH, "floor")]
    for turn in turns:
        if turn[0] not in options.launched:
            # Warmed up on a short clip: a second run of this one would take as long again.
            yield Step(*turn, "full", {**clip, "frames": SHORTEST}, False, "full")
            yield Step(*turn, "full", clip, True, "full")
    also = [turn for turn in TURNS if turn[1] in ("fast", "half", "half-floor")]
    launched = [turn for turn in turns + also if turn[0] in options.launched]
    yield from _rounds(options, "full", launched, clip, "full")


def lengths(frames: int) -> list[int]:
    """Shorter clips, for the growth with the number of frames."""
    return sorted({length for length in (SHORTEST, frames // 2) if SHORTEST <= length < frames})


def _rounds(options: Options, place: str, turns, request: Mapping[str, int], process: str = "") -> Iterator[Step]:
    """Everyone warms up once, then all take turns."""
    for framework, subject in turns:
        short = _warms_up_on_a_short_clip(options, framework, subject)
        yield Step(framework, subject, place, {**request, "frames": SHORTEST} if short else request, False, process)
    for _ in range(options.rounds):
        for framework, subject in turns:
            yield Step(framework, subject, place, request, True, process)


def _warms_up_on_a_short_clip(options: Options, framework: str, subject: str) -> bool:
    """PyTorch on a CPU makes nothing ready for a length of clip; MindSpore compiles for the shapes of the whole one."""
    if framework != TORCH or framework in options.launched or subject not in ("network", "fast", "half", "plain"):
        return False
    return subject != "fast" or not FOR_ONE_LENGTH & set(options.fast.get(framework, ()))


def _clip(frames: int, size: tuple[int, int]) -> dict[str, int]:
    return {"frames": frames, "height": size[0], "width": size[1]}
