"""How fast batches are loaded, against how fast training takes them."""

import statistics
import time
from collections.abc import Sequence

from port import console
from port.data.batches import Batches
from port.data.loader import Loader


def measure_loading(
    batches: Batches, workers: Sequence[int], count: int, repeats: int, quiet: bool = False
) -> list[dict[str, object]]:
    """Seconds per batch in steady state, for each number of workers.

    count    batches timed in a repetition, after as many untimed ones as there are workers
    repeats  repetitions in turn (0 1 2 workers, again 0 1 2), so that a slower spell of the machine meets all alike
    ->       rows: `workers`, `seconds_per_batch` (median), `fastest`, `slowest`, `samples_per_second`, `start` (median seconds
             until the first batch)
    """
    runs: dict[int, list[tuple[float, float]]] = {number: [] for number in workers}
    with console.progress(quiet) as display:
        bar = display.add_task("loading", total=repeats * len(runs))
        for _ in range(repeats):
            for number, found in runs.items():
                found.append(_time_loader(batches, number, count))
                display.advance(bar)
    return [_row(batches, number, found) for number, found in runs.items()]


def processor_time(batches: Batches, repeats: int) -> float:
    """Median of the seconds of processor time that a batch takes, which other programs on the machine hardly change."""
    found = []
    for i in range(repeats):
        begin = time.process_time()
        batches.batch(i)
        found.append(time.process_time() - begin)
    return statistics.median(found)


def _time_loader(batches: Batches, workers: int, count: int) -> tuple[float, float]:
    """-> seconds per batch, seconds until the first one was there"""
    begin = time.perf_counter()
    untimed = max(workers, 1)
    with Loader(batches, workers=workers, last=untimed + count) as loader:
        source = iter(loader)
        next(source)
        first = time.perf_counter() - begin
        for _ in range(untimed - 1):
            next(source)
        begin = time.perf_counter()
        for _ in range(count):
            next(source)
        return (time.perf_counter() - begin) / count, first


def _row(batches: Batches, workers: int, found: list[tuple[float, float]]) -> dict[str, object]:
    seconds, starts = zip(*found, strict=True)
    median = statistics.median(seconds)
    return {
        "workers": workers,
        "seconds_per_batch": median,
        "fastest": min(seconds),
        "slowest": max(seconds),
        "samples_per_second": batches.batch_size / median,
        "start": statistics.median(starts),
    }
