"""Memory and throughput of a streamed conversion against a plain copy, and a conversion that is killed and goes on.

Every figure comes from a process of its own: memory is the peak of the process (VmHWM) above what it held when the conversion
began. The copy and the conversion both end when the disk has the files. They take turns, so that a slow minute meets both.
"""

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from port.console import note
from port.convert.header import read_tensors
from port.convert.plan import KEEP, make_plan
from port.convert.source import FileSource
from port.convert.synthetic import make_checkpoint
from port.convert.target import JOURNAL, write_target
from port.errors import PortError
from port.files import make_folder, sha256_file
from port.weights.map_file import read_map
from port.workers import SPAWN, light_start

GB = 1e9
MOST_MEMORY = 1.5  # times the largest tensor
LEAST_SPEED = 0.5  # of a plain copy


@dataclass(frozen=True)
class Figure:
    """seconds of every run; peak: bytes above the start, of the worst run (None for the copy)"""

    title: str
    seconds: list[float]
    peak: int | None = None

    @property
    def median(self) -> float:
        return median(self.seconds)


def bench(folder: Path, gigabytes: float, runs: int) -> dict:
    """Make the checkpoint, measure, remove all of it. -> the figures as data. Raises PortError where the disk is too small."""
    nbytes = int(gigabytes * GB)
    free = shutil.disk_usage(make_folder(folder)).free
    if free < 2.2 * nbytes:
        raise PortError(
            f"{folder} has {free / GB:.1f} GB free; {2.2 * gigabytes:.1f} GB are needed. Choose another or --size."
        )
    work = make_folder(folder / "port-convert-bench")
    try:
        note(f"making a checkpoint of {gigabytes} GB in {work} ...")
        index, table, largest = make_checkpoint(work, nbytes)
        return _measure(work, index, table, largest, runs)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _measure(work: Path, index: Path, table: Path, largest: int, runs: int) -> dict:
    total = sum(one.nbytes for one in read_tensors(index).values())
    target, copies = work / "out.safetensors.index.json", work / "copy"
    copied, kept, peaks = [], [], []
    for i in range(runs):
        note(f"run {i + 1} of {runs}: copy, conversion ...")
        copied.append(_apart(copy_shards, index, copies)[0])
        shutil.rmtree(copies)
        seconds, peak = _apart(convert, index, table, target, KEEP)
        kept.append(seconds)
        peaks.append(peak)
        digests = {path.name: sha256_file(path) for path in _shards(target)} if i == runs - 1 else {}
        _remove(target)
    figures = [Figure("plain copy", copied), Figure("conversion", kept, max(peaks))]
    for dtype in ("float16", "bfloat16"):
        note(f"conversion with a cast to {dtype} ...")
        seconds, peak = _apart(convert, index, table, target, dtype)
        figures.append(Figure(f"conversion to {dtype}", [seconds], peak))
        _remove(target)
    note("conversion killed half way, and again ...")
    killed = _kill_half_way(index, table, target)
    seconds, peak = _apart(convert, index, table, target, KEEP)
    figures.append(Figure("the rest after a kill", [seconds], peak))
    same = digests == {path.name: sha256_file(path) for path in _shards(target)}
    speed = figures[0].median / figures[1].median
    most = max(figure.peak for figure in figures[1:]) / largest
    return {
        "bytes": total,
        "largest": largest,
        "tensors": len(read_tensors(index)),
        "figures": [{**asdict(figure), "median": figure.median} for figure in figures],
        "speed": speed,
        "memory": most,
        "killed": {"tensors_done": killed, "identical": same},
        "passed": speed >= LEAST_SPEED and most <= MOST_MEMORY and same and killed > 0,
    }


def _shards(target: Path) -> list[Path]:
    stem = target.name.partition(".")[0]
    return sorted(target.parent.glob(f"{stem}-*.safetensors"))


def _remove(target: Path) -> None:
    for path in (*_shards(target), target):
        path.unlink()


def convert(index: Path, table: Path, target: Path, dtype: str) -> None:
    """What the command does between reading its arguments and printing the summary."""
    source = FileSource(index)
    plan = make_plan(index, source.tensors, read_map(table), dtype)
    write_target(target, plan, source, source.state(), int(2 * GB), lambda done: None)
    source.close()


def copy_shards(index: Path, target: Path) -> None:
    """The same bytes without a look at them."""
    make_folder(target)
    for path in dict.fromkeys(one.path for one in read_tensors(index).values()):
        shutil.copyfile(path, target / path.name)
        with open(target / path.name, "rb") as written:
            os.fsync(written.fileno())


def _apart(function: Callable, *arguments) -> tuple[float, int]:
    """Run in a process of its own. -> seconds, peak of its memory above the start"""
    receiver, sender = SPAWN.Pipe(duplex=False)
    process = SPAWN.Process(target=_reported, args=(sender, function, *arguments))
    with light_start():
        process.start()
    sender.close()
    try:
        found = receiver.recv()
    except EOFError as error:
        raise PortError(f"the process that was measured died ({function.__name__}).") from error
    process.join()
    return found


def _reported(sender, function: Callable, *arguments) -> None:
    before, start = _memory("VmRSS"), time.perf_counter()
    function(*arguments)
    seconds = time.perf_counter() - start
    sender.send((seconds, max(0, _memory("VmHWM") - before)))


def _memory(key: str) -> int:
    """Bytes, of this process."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))


def _kill_half_way(index: Path, table: Path, target: Path) -> int:
    """Start a conversion and kill it (SIGKILL) when half of the tensors are in its journal. -> how many are"""
    process = SPAWN.Process(target=convert, args=(index, table, target, KEEP))
    with light_start():
        process.start()
    half = len(read_tensors(index)) // 2
    journal = target.with_name(f".{target.name}.part") / JOURNAL
    while process.is_alive() and _lines(journal) <= half:
        time.sleep(0.001)
    process.kill()
    process.join()
    return _lines(journal) - 1


def _lines(journal: Path) -> int:
    return len(journal.read_text(encoding="utf-8").splitlines()) if journal.is_file() else 0
