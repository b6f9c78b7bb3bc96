"""What a run tells: lines of JSON, TensorBoard, and a display for people."""

import importlib
import json
import sys
import time
from collections import deque
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from port import console
from port.errors import PortError
from port.files import explain_os_error, whole_file

RECENT = 20  # iterations whose median time makes the estimate


class Log:
    """`log.jsonl`, one line per iteration or validation.

    A run that goes on from iteration k cuts away what was written after it: those iterations are computed again.
    """

    def __init__(self, path: Path, start: int = 0):
        self.path = path
        kept = [json.dumps(record) for record in read_log(path) if record["iteration"] <= start]
        with whole_file(path) as draft:
            draft.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")

    def add(self, record: Mapping[str, object]) -> None:
        """Append one line, in one piece."""
        try:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps(record, allow_nan=False) + "\n")
        except OSError as error:
            raise PortError(explain_os_error(error, self.path)) from error


def read_log(path: Path) -> list[dict]:
    """All whole lines; what a killed run left of a last one is passed over."""
    if not path.is_file():
        return []
    records = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            records.append(json.loads(line))
        except ValueError:
            continue
    return [record for record in records if isinstance(record, dict) and "iteration" in record]


def losses(path: Path) -> dict[int, float]:
    """iteration -> loss of a log."""
    return {record["iteration"]: record["loss"] for record in read_log(path) if "loss" in record}


class Board:
    """Scalars and pictures for TensorBoard. Raises PortError where the package is missing."""

    def __init__(self, folder: Path, start: int = 0):
        self.writer = _tensorboard().SummaryWriter(str(folder), purge_step=start + 1 if start else None)

    def scalars(self, iteration: int, **values: float) -> None:
        for name, value in values.items():
            self.writer.add_scalar(name.replace("__", "/"), value, iteration)

    def picture(self, iteration: int, name: str, picture: np.ndarray) -> None:
        """picture (h, w, 3) uint8"""
        self.writer.add_image(name, picture, iteration, dataformats="HWC")

    def flush(self) -> None:
        self.writer.flush()

    def close(self) -> None:
        self.writer.close()


def _tensorboard():
    """tensorboardX without torch: it would load it wherever it is installed, and the port runs without."""
    hidden = "torch" not in sys.modules
    if hidden:
        sys.modules["torch"] = None  # an import of it fails
    try:
        return importlib.import_module("tensorboardX")
    except ImportError as error:
        raise PortError(
            "the package tensorboardX is missing. Install what requirements.txt names (make setup)."
        ) from error
    finally:
        if hidden:
            del sys.modules["torch"]


class Display:
    """Iteration, loss, rate, seconds per iteration and time left: a bar in a terminal, lines elsewhere."""

    def __init__(self, bar: Progress, total: int, start: int, every: int, quiet: bool):
        self.bar, self.total, self.every = bar, total, every
        self.lines = bar.disable and not quiet
        self.times: deque[float] = deque(maxlen=RECENT)
        self.task = bar.add_task("", total=total, completed=start, figures="starting")

    def show(self, iteration: int, loss: float, rate: float, seconds: float) -> None:
        """One iteration is done. seconds: how long it took"""
        self.times.append(seconds)
        left = (self.total - iteration) * median(self.times)
        figures = f"loss {loss:.5f}  rate {rate:.2e}  {median(self.times):.2f} s/it  {duration(left)} left"
        self.bar.update(self.task, completed=iteration, figures=figures)
        if self.lines and (iteration % self.every == 0 or iteration == self.total):
            console.note(f"{iteration}/{self.total}  {figures}")


@contextmanager
def display(total: int, start: int, every: int, quiet: bool):
    """A display for as long as the block runs."""
    hidden = quiet or not console.stderr.is_terminal
    columns = (BarColumn(20), MofNCompleteColumn(), TextColumn("{task.fields[figures]}"))
    with Progress(*columns, console=console.stderr, disable=hidden, transient=True) as bar:
        yield Display(bar, total, start, every, quiet)


def duration(seconds: float) -> str:
    """1 d 02:03:04, or without the days."""
    days, rest = divmod(round(seconds), 86400)
    return (f"{days} d " if days else "") + time.strftime("%H:%M:%S", time.gmtime(rest))
