"""A process that measures one subject: requests come in as lines of JSON, figures go out as lines of JSON.

subject          what is timed in one run
network          inference of a clip, from frames in memory to frames in memory
plain            the same by the plain transcription (torch alone)
floor            the network's convolutions by themselves
training         one iteration: forward, backward, optimiser step
training-floor   the forward and both gradients of the training pass's convolutions by themselves
peak             a large matrix product and a large convolution, in operations per second

A request names frames, height, width (and batch, of training); the same again is answered by what was made ready before.
"""

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from port.bench.convolutions import Calls, Convolution, operations, together
from port.models.speed import fast_names
from port.processes import end_with_parent
from port.train.settings import Settings

TRAINING, TRAINING_FLOOR = "training", "training-floor"
SUBJECTS = ("network", "plain", "floor", TRAINING, TRAINING_FLOOR, "peak")
REPEATS = 3  # timings of one kind of convolution, of which the median counts
SEED = 0
NOISE = 1 << 20  # values that are drawn; larger arrays repeat them

Figures = dict[str, Any]
# prepare(request) -> run() -> further figures, which may say `seconds` better than the clock around the run does
Prepare = Callable[[Mapping[str, int]], Callable[[], Figures]]


def worker_arguments(prog: str, devices: tuple[str, ...]) -> argparse.ArgumentParser:
    """The command line shared by both columns."""
    parser = argparse.ArgumentParser(prog=prog, description="Measure one subject; started by `port bench`.")
    parser.add_argument("subject", choices=SUBJECTS)
    parser.add_argument("--weights", type=Path, required=True, help="of TTVSR")
    parser.add_argument("--device", default=devices[0], choices=devices)
    parser.add_argument("--fast", type=fast_names, default=(), metavar="NAME,..", help="ways of `network` and `floor`")
    parser.add_argument("--threads", type=int, metavar="N", help="of a CPU (default: as a user's process has them)")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


def serve(
    prepare: Prepare, describe: Callable[[], Figures], forget: Callable[[], None], peak: Callable[[], int | None]
) -> int:
    """Answer requests until there are no more. forget, peak: of memory, as in port/parity/memory.py -> 0"""
    end_with_parent()
    ready: dict[str, Callable[[], Figures]] = {}
    with answers() as answer:
        for line in sys.stdin:
            request = json.loads(line)
            if line not in ready:
                ready[line] = prepare(request)
            answer({**measured(ready[line], forget, peak), "backend": describe()})
    return 0


def measured(run: Callable[[], Figures], forget: Callable[[], None], peak: Callable[[], int | None]) -> Figures:
    """One run: seconds, and the most memory that was held, in bytes."""
    forget()
    start = time.perf_counter()
    more = run()
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "peak_bytes": peak(), **more}


@contextlib.contextmanager
def answers() -> Iterator[Callable[[Figures], None]]:
    """Lines for who started this process. What a framework prints meanwhile goes to stderr."""
    sys.stdout.flush()
    own = os.dup(1)
    os.dup2(2, 1)
    with os.fdopen(own, "w", encoding="utf-8") as lines:

        def answer(figures: Figures) -> None:
            lines.write(json.dumps(figures) + "\n")
            lines.flush()

        yield answer


def clip(request: Mapping[str, int]) -> np.ndarray:
    """Noise as frames, (1, t, 3, h, w) float32 in [0, 1]: what is in them changes neither time nor memory."""
    return np.random.default_rng(SEED).random(
        (1, request["frames"], 3, request["height"], request["width"]), np.float32
    )


def noise(shape: tuple[int, ...]) -> np.ndarray:
    """float32 of size one, cheap to make."""
    return np.resize(np.random.default_rng(SEED).standard_normal(NOISE, np.float32), shape)


def training_settings(request: Mapping[str, int], sizes: Mapping[str, int]) -> Settings:
    """A pass of the training recipe in which everything moves, the flow network too."""
    own = {"frames": request["frames"], "patch": request["height"], "batch": request["batch"], "frozen": 0}
    return Settings(**own, **sizes)


def floor(calls: Calls, timed: Callable[[Convolution, int], float], back: bool = False) -> Figures:
    """The convolutions of a run by themselves: each kind is timed by repetition, and counts as often as it was called.

    timed(kind, times)  seconds of so many calls
    """
    seconds = {}
    for one, count in calls.items():
        times = together(one, count)
        seconds[one] = count * median(timed(one, times) / times for _ in range(REPEATS))
    return {
        "seconds": sum(seconds.values()),
        "operations": operations(calls, back),
        "calls": sum(calls.values()),
        "kinds": len(calls),
    }


def rate(operations: float, run: Callable[[], object], repeats: int = REPEATS) -> float:
    """Operations per second, the fastest of some runs after one that does not count."""
    run()
    return max(operations / seconds_of(run) for _ in range(repeats))


def seconds_of(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
