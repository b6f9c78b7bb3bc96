"""What `port bench` measures, in which order, and how long that may take.

place      what is measured there
main       the clip that was asked for, in all rounds
small      the same number of frames at 176x144, in PyTorch alone: network, plain transcription and floor
growth     shorter clips, once each
training   a small crop, in all rounds
full       100 frames, once, each in a new process
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

TORCH, MINDSPORE = FRAMEWORKS = ("torch", "mindspore")
COLUMNS = {TORCH: "torch_ref", MINDSPORE: "ms_model"}
DEFAULT_SIZE, SMALL_SIZE = (180, 320), (144, 176)  # rows, columns
FULL_FRAMES = 100
SHORTEST = 2  # frames
PEAK_SIDE = 2048

# In the order in which a round goes through them
TURNS = (
    (TORCH, "network"), (TORCH, "fast"), (TORCH, "half"), (TORCH, "plain"), (TORCH, "floor"), (MINDSPORE, "network"),
    (MINDSPORE, "fast"), (MINDSPORE, "floor"),
)  # fmt: skip
TRAINING_TURNS = tuple((framework, subject) for framework in FRAMEWORKS for subject in ("training", "training-floor"))
PEAKS = tuple((framework, "peak") for framework in FRAMEWORKS)
SUBJECTS = ("network", "fast", "half", "plain", "floor", "training", "peak")
HALF = ("bfloat16",)  # ways of the subject "half"

# Seconds for a frame of 320x180 of the official network (or for a whole run of what does not grow with the clip) on two cores
# of 2026, for the estimate alone
COST = {
    (TORCH, "network"): 7.5, (TORCH, "fast"): 5.5, (TORCH, "half"): 2.0, (TORCH, "plain"): 9.0,
    (MINDSPORE, "network"): 11.5, (MINDSPORE, "fast"): 7.0, (TORCH, "training"): 30.0, (MINDSPORE, "training"): 60.0,
}  # fmt: skip
FLAT = {
    (TORCH, "floor"): 12.0, (MINDSPORE, "floor"): 20.0, (TORCH, "training-floor"): 5.0, (MINDSPORE, "training-floor"): 10.0,
    (TORCH, "peak"): 2.0, (MINDSPORE, "peak"): 4.0,
}  # fmt: skip
START = 4.0  # of a process


@dataclass(frozen=True)
class Options:
    """frames, rounds; size: (rows, columns); training: crop in pixels, frames, batch

    fast      framework -> ways of port/models/speed.py in which the network runs as the subject "fast"
    half      whether the reference runs in 16 bits, too: where there are units for it
    launched  whether the reference runs on a device of its own: there 100 frames take seconds in every way
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
    peak_side: int = PEAK_SIDE
    fast: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    half: bool = False
    launched: bool = False


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
    chosen = [step for step in chosen if step.subject != "half" or options.half]
    return [
        step for step in chosen if step.subject.removesuffix("-floor") in options.only or step.subject in options.only
    ]


def estimate(plan: list[Step], scale: float) -> float:
    """Seconds on two cores, processes included."""
    return sum(step.seconds(scale) for step in plan) + START * len({step.worker for step in plan})


def _steps(options: Options) -> Iterator[Step]:
    for framework, subject in PEAKS:
        yield Step(framework, subject, "main", {"side": options.peak_side})
    yield from _rounds("main", TURNS, _clip(options.frames, options.size), options.rounds)
    if options.small:
        turns = [turn for turn in TURNS if turn[0] == TORCH and turn[1] in ("network", "fast", "plain", "floor")]
        yield from _rounds("small", turns, _clip(options.frames, SMALL_SIZE), options.rounds)
    for frames in lengths(options.frames):
        for framework in FRAMEWORKS:
            yield from _rounds("growth", [(framework, "network")], _clip(frames, options.size), 1)
    crop = {**_clip(options.train_frames, (options.crop, options.crop)), "batch": options.batch}
    yield from _rounds("training", TRAINING_TURNS, crop, options.rounds)
    if options.full:
        also = ("fast", "half") if options.launched else ()
        for framework, subject in TURNS:
            # The floor in PyTorch alone: recording 100 frames operation by operation takes MindSpore longer than the frames.
            if subject in ("network", "plain", *also) or (framework, subject) == (TORCH, "floor"):
                # Warmed up on a short clip: a second run of this one would take as long again.
                yield Step(framework, subject, "full", _clip(SHORTEST, options.size), False, "full")
                yield Step(framework, subject, "full", _clip(FULL_FRAMES, options.size), True, "full")


def lengths(frames: int) -> list[int]:
    """Shorter clips, for the growth with the number of frames."""
    return sorted({length for length in (SHORTEST, frames // 2) if SHORTEST <= length < frames})


def _rounds(place: str, turns, request: Mapping[str, int], rounds: int) -> Iterator[Step]:
    """Everyone warms up once, then all take turns."""
    for framework, subject in turns:
        # PyTorch makes nothing ready for a length of clip; MindSpore compiles for the shapes of the whole one.
        short = framework == TORCH and subject in ("network", "fast", "half", "plain")
        yield Step(framework, subject, place, {**request, "frames": SHORTEST} if short else request, False)
    for _ in range(rounds):
        for framework, subject in turns:
            yield Step(framework, subject, place, request)


def _clip(frames: int, size: tuple[int, int]) -> dict[str, int]:
    return {"frames": frames, "height": size[0], "width": size[1]}
