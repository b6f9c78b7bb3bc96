"""All figures of a run put together: what report and --json show."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from port import processor
from port.allocator import KEEP_MEMORY
from port.bench.figures import Row, device_of, find, growth
from port.bench.goals import GOALS, STATED, judge
from port.bench.plan import FRAMEWORKS
from port.bench.run import undisturbed
from port.models.ttvsr import NUM_BLOCKS, OFFICIAL_CHANNELS
from port.parity.capture import environment
from port.parity.overhead import cores
from port.processes import SPINNING
from port.weights.ttvsr import TTVSRConfig

SCHEMA = 3
FLOORS = {"main": "floor", "small": "floor", "full": "floor", "training": "training-floor"}  # place -> what counted there
# Variables that change times
SETTINGS = ("ONEDNN_MAX_CPU_ISA", "OMP_NUM_THREADS", SPINNING, *KEEP_MEMORY)


def summed_up(rows: Sequence[Row], config: TTVSRConfig, suite: Mapping[str, Any] | None) -> dict[str, Any]:
    """-> the result but for who asked for it."""
    official = (config.mid_channels, config.num_blocks) == (OFFICIAL_CHANNELS, NUM_BLOCKS)
    goals = judge(rows, official, GOALS, cores())
    return {
        "schema": SCHEMA,
        "reached": all(goal["reached"] is not False for goal in goals),
        "network": {"mid_channels": config.mid_channels, "num_blocks": config.num_blocks, "official": official},
        "rows": list(rows),
        "doubt": floors_differ(rows),
        "goals": goals,
        "ratios": judge(rows, official, STATED),
        "growth": {name: found for name in FRAMEWORKS if (found := growth(rows, name))},
        "operations": {name: found for name in FRAMEWORKS if (found := used(rows, name))},
        "suite": dict(suite) if suite else None,
        "environment": {**machine(), "cores": cores(), "settings": settings()},
    }


def floors_differ(rows: Sequence[Row]) -> str:
    """Why floors say nothing: the port must call the convolutions that the reference calls. -> empty where it does

    On the same kind of device: another is given more at once, so that fewer rows at the edges of bands are computed twice.
    """
    for place, subject in FLOORS.items():
        own = {name: row for name in FRAMEWORKS if (row := find(rows, name, subject, place))}
        counts = {name: row["operations"] for name, row in own.items()}
        if len(set(counts.values())) > 1 and len({device_of(row) for row in own.values()}) == 1:
            found = ", ".join(f"{name} {count}" for name, count in counts.items())
            return (
                f"the {subject} holds different operations in the two frameworks ({found}): the recording of convolutions "
                "in torch_ref/bench.py or ms_model/bench.py misses some."
            )
    return ""


def used(rows: Sequence[Row], framework: str) -> dict[str, Any] | None:
    """What the machine does at best, and for every place the convolutions' operations and the share of the best by subject.

    The best is the fastest of large matrix products and large convolutions in all frameworks on that device, and named. None
    where the framework's own were not measured; places whose floor was not are left out.
    """
    peaks = {name: row for name in FRAMEWORKS if (row := find(rows, name, "peak", "main"))}
    own = peaks.get(framework)
    if own is None:
        return None
    rates = {
        (name, kind): row[kind]
        for name, row in peaks.items() if device_of(row) == device_of(own)
        for kind in ("matmul", "convolution")
    }  # fmt: skip
    best = max(rates, key=lambda one: rates[one])
    return {
        "matmul_per_second": own["matmul"], "convolution_per_second": own["convolution"],
        "best": {"framework": best[0], "kind": best[1], "per_second": rates[best]},
        "places": {place: one for place in FLOORS if (one := _done_at(rows, framework, place, rates[best]))},
    }  # fmt: skip


def _done_at(rows: Sequence[Row], framework: str, place: str, best: float) -> dict[str, Any] | None:
    """Operations of the convolutions there, and by every subject the share of `best`, which is operations a second."""
    floor = find(rows, framework, FLOORS[place], place)
    if floor is None:
        return None
    own = [row for row in rows if (row["framework"], row.get("place")) == (framework, place) and row["subject"] != "peak"]
    own = [row for row in own if "bfloat16" not in row.get("ways", ())]  # the best is float32's
    shares = {row["subject"]: floor["operations"] / median(row["seconds"]) / best for row in own}
    return {**{name: floor[name] for name in ("operations", "calls", "kinds", "frames", "height", "width")}, "shares": shares}


def machine() -> dict[str, Any]:
    """Where it was measured; the command stands in the result itself, as it is to be given again."""
    told = {name: value for name, value in environment().items() if name != "command"}
    return {**told, "instructions": processor.instructions(), "memory": processor.memory()}


def settings() -> dict[str, str]:
    """Variables of the environment that change times, as the measured processes have them."""
    return {name: value for name, value in undisturbed().items() if name in SETTINGS}
