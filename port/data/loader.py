"""Batches made ahead of time in worker processes, in order, with the bits they have without."""

import traceback
from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from port.console import note
from port.data.batches import Batches, as_network_input
from port.errors import PortError
from port.workers import SPAWN, check_workers, leave_interrupts_alone, light_start


class Loader:
    """Iterate over batches `first`, `first + 1`, ...; use as a context manager, which ends the workers whatever happens.

    with Loader(batches, first=1200, workers=4) as loader:
        for lq, gt in loader: ...

    workers  processes; batch i is made by worker (i - first) % workers. 0: in this process, when asked for
    ahead    batches that each worker is asked for in advance: one it makes or holds ready, the others wait. So no more
             than 1 batch per worker is in memory, and a training that is slower than loading finds it ready.
    last     end before this batch; None: never
    """

    def __init__(self, batches: Batches, first: int = 0, workers: int = 2, ahead: int = 2, last: int | None = None):
        self.batches, self.first, self.last = batches, first, last
        self.count, self.ahead = check_workers(workers), max(ahead, 1)
        self.workers: list[tuple] = []  # (process, our end of its pipe)

    def __enter__(self) -> "Loader":
        try:
            with light_start():
                for _ in range(self.count):
                    self._start_worker()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start_worker(self) -> None:
        ours, theirs = SPAWN.Pipe()
        process = SPAWN.Process(target=_work, args=(self.batches, theirs), daemon=True)
        process.start()
        theirs.close()  # so that the death of the worker ends our reading
        self.workers.append((process, ours))

    def __exit__(self, *_) -> None:
        """Workers only read files: they can be stopped at any moment."""
        for _, pipe in self.workers:
            pipe.close()
        for process, _ in self.workers:
            process.terminate()
        for process, _ in self.workers:
            process.join()
        self.workers = []

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(lq, gt) as `Batches.batch` gives them. Raises its errors, from whichever process."""
        if not self.count:
            yield from (self.batches.batch(i) for i in self._wanted(self.first))
            return
        if not self.workers:
            raise PortError("a loader with workers is used in a `with` block, which ends them.")
        for i in self._wanted(self.first, self.first + self.count * self.ahead):
            self._ask(i)
        for i in self._wanted(self.first):
            stored = self._receive(i)
            if self.last is None or i + self.count * self.ahead < self.last:
                self._ask(i + self.count * self.ahead)
            yield tuple(map(as_network_input, stored))

    def _wanted(self, start: int, stop: int | None = None) -> Iterator[int]:
        """Numbers of batches from `start` up to `stop` and `last`, where these are given."""
        while (stop is None or start < stop) and (self.last is None or start < self.last):
            yield start
            start += 1

    def _worker(self, i: int) -> tuple:
        return self.workers[(i - self.first) % self.count]

    def _ask(self, i: int) -> None:
        with suppress(BrokenPipeError):  # the worker is gone: told when its batch is due
            self._worker(i)[1].send(i)

    def _receive(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        process, pipe = self._worker(i)
        try:
            answer = pipe.recv()
        except (EOFError, ConnectionError) as error:
            process.join(5)
            raise PortError(
                f"the worker process that was to load batch {i} died (exit code {process.exitcode}): killed, or out of "
                "memory. Try fewer workers."
            ) from error
        if isinstance(answer, Exception):
            raise answer
        return answer


def _work(batches: Batches, pipe) -> None:
    """In a worker: answer each number with the stored batch, or with the error it met."""
    leave_interrupts_alone()
    with suppress(EOFError, ConnectionError):  # the parent has closed the pipe or is gone
        while True:
            i = pipe.recv()
            try:
                answer = batches.stored_batch(i)
            except PortError as error:
                answer = error
            except Exception as error:
                note(traceback.format_exc())
                answer = PortError(f"loading batch {i} failed: {type(error).__name__}: {error}.")
            pipe.send(answer)
