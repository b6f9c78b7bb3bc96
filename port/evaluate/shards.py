"""Clips shared out over processes: each takes every n-th of the list and tells of every finished clip in a line of JSON."""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue

from port.console import note
from port.errors import PortError, UsageError
from port.files import write_json
from port.parity.overhead import cores
from port.parity.pair_start import surroundings

VISIBLE = {"cuda": "CUDA_VISIBLE_DEVICES", "ascend": "ASCEND_RT_VISIBLE_DEVICES"}


def share(command: Sequence[str], names: Sequence[str], devices: int, device: str) -> Iterator[dict]:
    """Run `command --worker FILE` in so many processes. -> records as they come

    names  of the clips; process r of n takes names[r::n]
    Raises PortError when a process fails, after which the others are ended; what they had told by then is not lost.
    """
    count = min(devices, len(names))
    lines: SimpleQueue = SimpleQueue()
    with tempfile.TemporaryDirectory(prefix="port-evaluate-") as folder:
        processes = []
        try:
            for rank in range(count):
                file = Path(folder) / f"{rank}.json"
                write_json(file, names[rank::count])
                processes.append(_start([*command, "--worker", str(file)], rank, count, device, lines))
            yield from _records(processes, lines, names)
        finally:
            for process in processes:
                _end(process)


def _start(words: Sequence[str], rank: int, count: int, device: str, lines: SimpleQueue) -> subprocess.Popen:
    """A process, and a thread that passes its lines on: (rank, line), and (rank, None) at its end."""
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, env=_environment(rank, count, device)
    )

    def listen():
        for line in process.stdout:
            lines.put((rank, line))
        lines.put((rank, None))

    threading.Thread(target=listen, daemon=True).start()
    return process


def _environment(rank: int, count: int, device: str) -> dict[str, str]:
    """On a CPU an equal part of the cores; of other devices the one of this rank, among those that are visible here.

    The number of threads changes the order of sums and with it the last digits: one that is set outside is kept.
    """
    around = surroundings()
    if device not in VISIBLE:
        return {"OMP_NUM_THREADS": str(max(1, cores() // count)), **around}
    listed = os.environ.get(VISIBLE[device])
    names = listed.split(",") if listed else [str(index) for index in range(count)]
    if len(names) < count:
        raise UsageError(f"--devices {count}: {VISIBLE[device]} shows only {len(names)} ({listed}).")
    return {**around, VISIBLE[device]: names[rank]}


def _records(processes: Sequence[subprocess.Popen], lines: SimpleQueue, names: Sequence[str]) -> Iterator[dict]:
    count, running, told = len(processes), len(processes), set()
    while running:
        rank, line = lines.get()
        if line is None:
            running -= 1
            left = [name for name in names[rank::count] if name not in told]
            if (code := processes[rank].wait()) or left:
                raise PortError(
                    f"process {rank + 1} of {count} {_ending(code)} before clip {left[0] if left else '(none)'} was "
                    "scored; its message stands above. Finished clips are kept: the same command goes on with the rest."
                )
        elif (record := _parsed(line)) is None:
            note(line.rstrip())  # a framework's own word
        else:
            told.add(record["clip"])
            yield record


def _ending(code: int) -> str:
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _parsed(line: str) -> dict | None:
    with suppress(ValueError):
        found = json.loads(line)
        if isinstance(found, dict) and "clip" in found:
            return found
    return None


def _end(process: subprocess.Popen) -> None:
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
    if process.poll() is None:
        process.kill()
        process.wait()


def tell(record: dict) -> None:
    """In a worker: one finished clip, for `share` to read."""
    sys.stdout.write(json.dumps(record, allow_nan=False) + "\n")
    sys.stdout.flush()
