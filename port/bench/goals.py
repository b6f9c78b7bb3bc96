"""What is to be reached, as data: every goal names its ratio. Others are stated without a bound."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from port.bench.figures import Row, device_of, find, ratio
from port.bench.plan import DEFAULT_SIZE, SMALL_SIZE

GIB = float(1 << 30)
CORES = 2  # for which the goals of a CPU are set
TRAINED = {"height": 64, "width": 64}


@dataclass(frozen=True)
class Goal:
    """Product of the series `over` by product of the series `under`, at most or at least so much.

    over, under  "framework subject place", see port/bench/plan.py; under may be empty: the quantity itself
    quantity     "seconds", "seconds_per_frame" or "peak_bytes"
    where        what the rows of `over` must be for the goal to hold, as height and width; `against` those of `under`
    device       where all of it must have been measured for the goal to hold
    """

    title: str
    over: tuple[str, ...]
    under: tuple[str, ...] = ()
    most: float | None = None
    least: float | None = None
    quantity: str = "seconds"
    unit: float = 1.0  # what the figure is divided by
    word: str = "x"  # after it
    where: Mapping[str, int] = field(default_factory=dict)
    against: Mapping[str, int] = field(default_factory=dict)
    device: str = "cpu"


def _size(size: tuple[int, int]) -> dict[str, int]:
    return {"height": size[0], "width": size[1]}


GOALS = (
    Goal(
        "torch_ref, network by its own convolutions", ("torch network main",), ("torch floor main",), most=1.15,
        where=_size(DEFAULT_SIZE),
    ),
    *(
        Goal(
            f"plain transcription by torch_ref, {width}x{height}", (f"torch plain {place}",), (f"torch network {place}",),
            least=least, where=_size((height, width)),
        )
        for place, (height, width), least in (("small", SMALL_SIZE, 1.2), ("main", DEFAULT_SIZE, 1.4))
    ),
    Goal(
        "torch_ref, float32 by bfloat16, with matrix units", ("torch network main",), ("torch half main",), least=3.0,
        where=_size(DEFAULT_SIZE),
    ),
    Goal(
        "ms_model, network by its own convolutions", ("mindspore network main",), ("mindspore floor main",), most=1.25,
        where=_size(DEFAULT_SIZE),
    ),
    Goal(
        "ms_model by plain transcription, over MindSpore's floor by PyTorch's",
        ("mindspore network main", "torch floor main"), ("torch plain main", "mindspore floor main"), most=1.25,
        where=_size(DEFAULT_SIZE),
    ),
    *(
        Goal(
            f"{column}, seconds per frame at 100 frames by those at 10", (f"{framework} network full",),
            (f"{framework} network main",), most=1.15, quantity="seconds_per_frame", where=_size(DEFAULT_SIZE),
            against={"frames": 10},
        )
        for framework, column in (("torch", "torch_ref"), ("mindspore", "ms_model"))
    ),
    *(
        Goal(
            f"{column}, peak memory of 100 frames of 320x180", (f"{framework} network full",), most=6.0,
            quantity="peak_bytes", unit=GIB, word=" GiB", where=_size(DEFAULT_SIZE),
        )
        for framework, column in (("torch", "torch_ref"), ("mindspore", "ms_model"))
    ),
    *(
        Goal(
            f"{column}, peak memory of 100 frames by that of the plain transcription", (f"{framework} network full",),
            ("torch plain full",), most=0.5, quantity="peak_bytes", where=_size(DEFAULT_SIZE),
        )
        for framework, column in (("torch", "torch_ref"), ("mindspore", "ms_model"))
    ),
    Goal(
        "training iteration, ms_model by its own convolutions", ("mindspore training training",),
        ("mindspore training-floor training",), most=1.25, where=TRAINED,
    ),
    Goal("conversion of a TTVSR checkpoint, imports excluded", ("both conversion once",), most=1.0, word=" s"),
    Goal(
        "torch_ref in bfloat16 on a graphics card, 100 frames of 320x180", ("torch half full",), most=1.0, word=" s",
        where=_size(DEFAULT_SIZE), device="cuda",
    ),
)  # fmt: skip

STATED = (
    *(
        Goal(f"torch_ref, network by its own convolutions, {clip}", (f"torch network {place}",), (f"torch floor {place}",))
        for place, clip in (("small", "small clip"), ("full", "100 frames"))
    ),
    *(
        Goal(f"torch_ref in bfloat16 by its own convolutions, {clip}", (f"torch half {place}",), (f"torch half-floor {place}",))
        for place, clip in (("main", "main clip"), ("full", "100 frames"))
    ),
    Goal("ms_model by torch_ref, network", ("mindspore network main",), ("torch network main",)),
    Goal("ms_model by torch_ref, convolutions alone", ("mindspore floor main",), ("torch floor main",)),
    Goal("ms_model by plain transcription", ("mindspore network main",), ("torch plain main",)),
    Goal("plain transcription by torch_ref, main clip", ("torch plain main",), ("torch network main",)),
    Goal("plain transcription by torch_ref, 100 frames", ("torch plain full",), ("torch network full",)),
    Goal("ms_model by plain transcription, 100 frames", ("mindspore network full",), ("torch plain full",)),
    *(
        Goal(f"plain transcription by torch_ref{ways}, {clip}", (f"torch plain {place}",), (f"torch {subject} {place}",))
        for subject, ways in (("fast", " in the ways of --fast"), ("half", " in bfloat16"))
        for place, clip in (("small", "small clip"), ("main", "main clip"), ("full", "100 frames"))
        if (subject, place) != ("half", "small")
    ),
    Goal("plain transcription by torch_ref's convolutions", ("torch plain main",), ("torch floor main",)),
    Goal("torch_ref, exact default by the ways of --fast", ("torch network main",), ("torch fast main",)),
    Goal("ms_model, default by the ways of --fast", ("mindspore network main",), ("mindspore fast main",)),
    Goal("ms_model in the ways of --fast by plain transcription", ("mindspore fast main",), ("torch plain main",)),
    Goal("training iteration, torch_ref by its own convolutions", ("torch training training",),
         ("torch training-floor training",)),
    Goal("training iteration, ms_model by torch_ref", ("mindspore training training",), ("torch training training",)),
)  # fmt: skip


def judge(
    rows: Sequence[Row], official: bool, goals: Sequence[Goal] = GOALS, cores: int = CORES
) -> list[dict[str, Any]]:
    """Every goal with its figure. `reached` is None where the run has not measured it.

    official  whether the network has the published size: the goals are set for that alone
    cores     of the machine: those of a CPU are set for CORES
    """
    return [_judged(rows, goal, official and (goal.device != "cpu" or cores == CORES)) for goal in goals]


def _judged(rows: Sequence[Row], goal: Goal, meant: bool) -> dict[str, Any]:
    over, under = ([find(rows, *name.split(" ")) for name in names] for names in (goal.over, goal.under))
    devices = {device_of(row) for row in (*over, *under) if row}
    found = ratio(rows, goal.over, goal.under, goal.quantity) if len(devices) == 1 else None
    applies = meant and devices == {goal.device} and _of_the_clip(over, goal.where) and _of_the_clip(under, goal.against)
    held = {name: asdict(found)[name] / goal.unit for name in ("median", "lowest", "highest")} if found else None
    reached = None
    if held and applies and (goal.most is not None or goal.least is not None):
        low, high = goal.least or float("-inf"), goal.most if goal.most is not None else float("inf")
        reached = low <= held["median"] <= high
    return {
        "title": goal.title, "over": list(goal.over), "under": list(goal.under), "quantity": goal.quantity,
        "most": goal.most, "least": goal.least, "word": goal.word, "rounds": found.rounds if found else 0,
        "value": held, "reached": reached,
    }  # fmt: skip


def _of_the_clip(rows: Sequence[Row | None], wanted: Mapping[str, int]) -> bool:
    """Whether those that were measured are of the clip that the goal is about."""
    return all(wanted.items() <= row.items() for row in rows if row)
