"""All figures of a run put together: what report and --json show."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from port.allocator import KEEP_MEMORY
from port.bench.figures import Row, find, growth
from port.bench.goals import STATED, judge
from port.bench.plan import FRAMEWORKS
from port.bench.run import undisturbed
from port.errors import PortError
from port.models.ttvsr import NUM_BLOCKS, OFFICIAL_CHANNELS
from port.parity.capture import environment
from port.parity.overhead import cores
from port.processes import SPINNING
from port.weights.ttvsr import TTVSRConfig

SCHEMA = 1
# Variables that change times
SETTINGS = ("ONEDNN_MAX_CPU_ISA", "OMP_NUM_THREADS", SPINNING, *KEEP_MEMORY)


def summed_up(rows: Sequence[Row], config: TTVSRConfig, suite: Mapping[str, Any] | None) -> dict[str, Any]:
    """-> the result but for who asked for it."""
    official = (config.mid_channels, config.num_blocks) == (OFFICIAL_CHANNELS, NUM_BLOCKS)
    goals = judge(rows, official)
    return {
        "schema": SCHEMA,
        "reached": all(goal["reached"] is not False for goal in goals),
        "network": {"mid_channels": config.mid_channels, "num_blocks": config.num_blocks, "official": official},
        "rows": list(rows),
        "goals": goals,
        "ratios": judge(rows, official, STATED),
        "growth": {name: found for name in FRAMEWORKS if (found := growth(rows, name))},
        "operations": {name: found for name in FRAMEWORKS if (found := used(rows, name))},
        "suite": dict(suite) if suite else None,
        "environment": {**machine(), "cores": cores(), "settings": settings()},
    }


def check_floors(rows: Sequence[Row]) -> None:
    """The port calls the convolutions that the reference calls; otherwise one of the two records them incompletely."""
    for subject, place in (("floor", "main"), ("training-floor", "training")):
        counts = {name: row["operations"] for name in FRAMEWORKS if (row := find(rows, name, subject, place))}
        if len(set(counts.values())) > 1:
            found = ", ".join(f"{name} {count}" for name, count in counts.items())
            raise PortError(
                f"the {subject} holds different operations in the two frameworks ({found}): the recording of convolutions "
                "in torch_ref/bench.py or ms_model/bench.py misses some."
            )


def used(rows: Sequence[Row], framework: str) -> dict[str, Any] | None:
    """What the machine does at best, operations of the main clip's convolutions, and the share of the best they are done at.

    The best is the faster of the large matrix product and the large convolution, and named. None where it was not measured;
    operations and shares are left out where the floor was not.
    """
    peak, floor = find(rows, framework, "peak", "main"), find(rows, framework, "floor", "main")
    if peak is None:
        return None
    best = max(("matmul", "convolution"), key=lambda name: peak[name])
    found = {"best": best, "matmul_per_second": peak["matmul"], "convolution_per_second": peak["convolution"]}
    if floor is None:
        return found
    found |= {name: floor[name] for name in ("operations", "calls", "kinds")}
    for subject in ("network", "fast", "half", "plain", "floor"):
        if row := find(rows, framework, subject, "main"):
            found[f"{subject}_share"] = floor["operations"] / median(row["seconds"]) / peak[best]
    return found


def machine() -> dict[str, str]:
    """Where it was measured; the command stands in the result itself, as it is to be given again."""
    return {name: value for name, value in environment().items() if name != "command"}


def settings() -> dict[str, str]:
    """Variables of the environment that change times, as the measured processes have them."""
    return {name: value for name, value in undisturbed().items() if name in SETTINGS}
