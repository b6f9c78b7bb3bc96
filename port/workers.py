"""Work in other processes: how they start, how many there are, and a function spread over them."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from types import ModuleType

from port.errors import PortError, UsageError

SPAWN = multiprocessing.get_context("spawn")  # a fork of a process with a framework's threads in it can hang


def default_workers() -> int:
    """As many as there are cores for this process."""
    return len(os.sched_getaffinity(0))


def check_workers(count: int) -> int:
    """Refuse a number of worker processes that makes no sense. -> the number"""
    if not 0 <= count <= 256:
        raise UsageError(f"the number of worker processes must be from 0 (none) to 256, found {count}.")
    return count


@contextmanager
def light_start() -> Iterator[None]:
    """Processes spawned inside do not run the main module again, which a training program fills with a framework.

    They are born deaf to Ctrl-C, so that one that is still importing when it comes leaves no traceback; here it only waits.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    resource_tracker.ensure_running()  # at its start it would let Ctrl-C in again
    heard = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, heard)
        sys.modules["__main__"] = main


def leave_interrupts_alone() -> None:
    """In a worker: Ctrl-C reaches the whole group of processes, and the parent is the one that ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def spread(function: Callable, items: Iterable, workers: int) -> Iterator:
    """`function` of every item, as results come; in this process where `workers` is 0 or 1.

    An error of the function ends it and is raised here, as is Ctrl-C; what had not begun by then is never begun.
    """
    if workers < 2:
        yield from map(function, items)
        return
    pool = ProcessPoolExecutor(workers, SPAWN, leave_interrupts_alone)
    try:
        with light_start():
            futures = [pool.submit(function, item) for item in items]
        for future in as_completed(futures):
            yield future.result()
    except BrokenProcessPool as error:
        raise PortError("a worker process died: killed, or out of memory. Try fewer with --workers.") from error
    finally:
        pool.shutdown(cancel_futures=True)  # not by `with`: its end takes the cancelling back
