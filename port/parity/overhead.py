"""What capture costs: the plain run of a network beside the same run under a recorder. Knows no framework.

mode         what is timed
plain        the run alone: no hook, no probe
statistics   the run and its trace: statistics, hash and samples of every site, nothing whole
full         the run and its trace, every tensor whole, until the last file is written

A round runs each mode once, plain first; what a mode costs is the median over the rounds of its time by that of the plain run
of the same round, since other users of the machine change its speed from minute to minute.
"""

import argparse
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from port.errors import UsageError
from port.parity.capture import environment
from port.parity.memory import forget_peak, peak_bytes
from port.parity.recorder import Plan, Recorder
from port.parity.trace import TraceWriter

PLAIN, STATISTICS, FULL = MODES = ("plain", "statistics", "full")
PLANS = {STATISTICS: Plan(nothing_whole=True), FULL: Plan(whole_steps=frozenset({"all"}))}
GOALS = {STATISTICS: 1.3, FULL: 2.0}  # times the plain run
MEMORY_GOAL = 256 << 20  # bytes by which capture may raise the peak, however large the trace
REPEATS = 5
TRACE_LIMIT = 64 << 30

CONVOLUTIONS = '''"""Residual convolutions, forward and backward."""

import numpy as np

from port.parity.pair import import_file

torch_net = lambda: __import__("torch_ref.zoo.convolutions", fromlist=["net"]).net()
ms_net = lambda: __import__("ms_model.zoo.convolutions", fromlist=["net"]).net()
inputs = lambda: np.random.default_rng(0).standard_normal((4, 3, 128, 192)).astype(np.float32)
'''


def overhead_arguments(prog: str, devices: tuple[str, ...]) -> argparse.ArgumentParser:
    """The command line shared by both columns."""
    parser = argparse.ArgumentParser(prog=prog, description="Time a network with and without a recorder.")
    parser.add_argument("subject", help="ttvsr, or the Python file of a pair")
    parser.add_argument("--weights", type=Path, help="in a format of this framework; of a pair: .safetensors")
    parser.add_argument("--input", type=Path, help="of ttvsr: frames, .npy (t, 3, h, w) float32 in [0, 1]")
    parser.add_argument("--out", type=Path, required=True, help="folder for the traces (removed) and the figures")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--device", default=devices[0], choices=devices)
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


def capture(
    run: Callable[[Recorder], Any],
    to_numpy: Callable[[Any], np.ndarray],
    like: Callable[[np.ndarray, Any], Any],
    plan: Plan,
    folder: Path,
) -> int:
    """One run and its trace. -> number of sites"""
    writer = TraceWriter(folder, TRACE_LIMIT)
    run(Recorder(writer, to_numpy, like, plan))
    writer.finish(None)
    return len(writer.sites)


def measure(
    plain: Callable[[], Any],
    captured: Callable[[Plan, Path], int],
    folder: Path,
    repeats: int,
    advance: Callable[[], None] = lambda: None,
) -> dict[str, dict[str, Any]]:
    """Time all modes, after a round that is not counted. -> figures by mode, lists with one entry a round

    plain()                 the run without a recorder, finished when it returns
    captured(plan, folder)  the same under a recorder, its trace written. -> number of sites
    """
    figures: dict[str, dict[str, Any]] = {mode: {"seconds": [], "cpu_seconds": [], "peaks": []} for mode in MODES}
    for counted in [False] + [True] * repeats:
        for mode in MODES:
            once = run_once(mode, plain, captured, folder / "trace")
            advance()
            if counted:
                for name in ("seconds", "cpu_seconds", "peaks"):
                    figures[mode][name].append(once.pop(name))
                figures[mode] |= once
    return figures


def run_once(mode: str, plain: Callable[[], Any], captured: Callable[[Plan, Path], int], folder: Path) -> dict[str, Any]:
    """One run of one mode; its trace is measured and removed."""
    shutil.rmtree(folder, ignore_errors=True)
    forget_peak()
    cpu, start = time.process_time(), time.perf_counter()
    sites = captured(PLANS[mode], folder) if mode in PLANS else plain()
    seconds, cpu_seconds, peaks = time.perf_counter() - start, time.process_time() - cpu, peak_bytes()
    written = [path.stat().st_size for path in folder.glob("*")] if mode in PLANS else []
    shutil.rmtree(folder, ignore_errors=True)
    counts = {"sites": sites, "bytes": sum(written)} if mode in PLANS else {}
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "peaks": peaks, **counts}


def judge(figures: dict[str, dict[str, Any]], backend: dict[str, Any]) -> dict[str, Any]:
    """The figures of one column, summed up and held against the goals."""
    plain = figures[PLAIN]
    modes = {PLAIN: summed_up(plain)}
    for mode, goal in GOALS.items():
        own = figures[mode]
        ratios = [a / b for a, b in zip(own["seconds"], plain["seconds"], strict=True)]
        growth = growth_of(own["peaks"], plain["peaks"])
        modes[mode] = {
            **summed_up(own),
            "sites": own["sites"],
            "bytes": own["bytes"],
            "ratio": median(ratios),
            "lowest_ratio": min(ratios),
            "highest_ratio": max(ratios),
            "cpu_ratio": median(own["cpu_seconds"]) / median(plain["cpu_seconds"]),
            "growth_bytes": growth,
            "goal": goal,
            "reached": median(ratios) <= goal and (growth is None or growth <= MEMORY_GOAL),
        }
    reached = all(modes[mode]["reached"] for mode in GOALS)
    return {"reached": reached, "modes": modes, "backend": backend, "environment": environment(), "cores": cores()}


def summed_up(own: dict[str, Any]) -> dict[str, Any]:
    """Medians and spread in seconds, the highest peak in bytes (None where the system does not tell)."""
    return {
        "seconds": median(own["seconds"]),
        "lowest_seconds": min(own["seconds"]),
        "highest_seconds": max(own["seconds"]),
        "cpu_seconds": median(own["cpu_seconds"]),
        "peak_bytes": None if None in own["peaks"] else max(own["peaks"]),
        "rounds": len(own["seconds"]),
    }


def growth_of(peaks: list[int | None], plain: list[int | None]) -> int | None:
    """By how much the highest peak of a mode exceeds the highest of the plain run; None where it is not known."""
    return None if None in peaks or None in plain else max(0, max(peaks) - max(plain))


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_repeats(repeats: int) -> int:
    """A median needs a few runs. Raises UsageError for none."""
    if repeats < 1:
        raise UsageError(f"--repeats must be at least 1, found {repeats}.")
    return repeats
