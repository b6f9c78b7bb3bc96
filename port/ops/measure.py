"""Run the table in both columns, each in a process of its own. A kernel that kills its process costs one job, not the run."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from port.errors import PortError
from port.files import make_folder, whole_file, write_json, write_text
from port.ops import inputs, jobs
from port.ops.table import Operator
from port.ops.worker import CALLS, INPUTS, JOBS, STARTED
from port.parity.pair_start import surroundings

LONGEST = 120.0  # seconds without a sign of life: a job hangs
START = 600.0  # seconds that a framework may take to be imported
PREAMBLES = {
    "torch_ref": "import torch\nfrom torch import nn\nfrom torch.nn import functional as F\n",
    "ms_model": "import mindspore\nfrom mindspore import Tensor, mint, nn, ops\nfrom mindspore import numpy as mnp\n",
}


@dataclass(frozen=True)
class Found:
    """What one job gave: the structure and arrays, or the error (`kind`: its class; crash or hang where the process ended)."""

    structure: str = ""
    arrays: tuple[np.ndarray, ...] = ()
    error: str = ""
    kind: str = ""


Results = dict[str, Found]  # by key of the job, for one operator


def measure(
    table: Sequence[Operator], folder: Path, python: str = sys.executable, device: str = "cpu",
    progress: Callable[[str, int, int], None] = lambda column, done, total: None,
) -> tuple[dict[str, object], list[Results], list[Results]]:  # fmt: skip
    """-> (devices of both columns, the reference's results by operator, the port's)

    python    the interpreter of the environment in which the port runs
    progress  called with column, jobs done and jobs in all
    """
    reference = run_column(
        "torch_ref", table, jobs.of_reference(table), folder / "torch", sys.executable, "cpu", progress
    )
    port = run_column("ms_model", table, jobs.of_port(table), folder / "mindspore", python, device, progress)
    return {"reference": reference[0], "port": port[0]}, reference[1], port[1]


def run_column(
    column: str, table: Sequence[Operator], todo: Sequence[jobs.Job], folder: Path, python: str, device: str,
    progress: Callable[[str, int, int], None],
) -> tuple[dict[str, object], list[Results]]:  # fmt: skip
    """All jobs of one column, in as many processes as it takes. -> its device, and results by operator"""
    make_folder(folder)
    prepare(column, table, folder)
    ended: dict[tuple[int, str], Found] = {}
    left = list(todo)
    while left:
        write_json(folder / JOBS, jobs.as_data(left))
        (folder / STARTED).write_text("", encoding="utf-8")
        command = [python, "-m", f"{column}.operators", "--work", str(folder), "--device", device]
        done = len(todo) - len(left)
        found = watch(command, folder, lambda started, done=done: progress(column, done + started, len(todo)))
        if found is None:
            break
        operator, key = last_started(folder, column, found)
        ended[operator, key] = found
        left = [job for job in left if job.operator >= operator and (job.operator, job.key) not in ended]
    about = json.loads((folder / "device.json").read_text(encoding="utf-8"))
    return about, [collect(folder, place, ended) for place in range(len(table))]


def prepare(column: str, table: Sequence[Operator], folder: Path) -> None:
    """Inputs and functions, as files."""
    given = {
        f"{place}/{case.name}/{name}": array
        for place, operator in enumerate(table)
        for case in operator.cases
        for name, array in inputs.arrays(operator, case).items()
    }
    with whole_file(folder / INPUTS, lasting=False) as draft:
        np.savez(draft, **given)
    variants = ("torch",) if column == "torch_ref" else ("port", "instead", "method", "mint")
    write_text(folder / CALLS, jobs.module_source(table, PREAMBLES[column], variants))


def watch(command: list[str], folder: Path, progress: Callable[[int], None]) -> Found | None:
    """Run a worker to its end. -> None, or how it died"""
    with open(folder / "messages.txt", "w+", encoding="utf-8", errors="replace") as messages:
        worker = subprocess.Popen(command, stdout=messages, stderr=messages, env=surroundings(), cwd=folder)
        try:
            hung = wait(worker, folder / STARTED, progress)
        finally:
            worker.kill()
            worker.wait()
        if worker.returncode == 0:
            return None
        messages.seek(0)
        said = messages.read().strip().splitlines()[-1:] or [""]
    if hung:
        return Found(error=f"no end after {LONGEST:.0f} s", kind="hang")
    if worker.returncode > 0:
        return Found(error=f"exit code {worker.returncode}: {said[0][:200]}", kind="exit")
    return Found(error=f"the process was killed by {signal.Signals(-worker.returncode).name}", kind="crash")


def wait(worker: subprocess.Popen, started: Path, progress: Callable[[int], None]) -> bool:
    """Until the worker ends or hangs. -> whether it hung"""
    seen, since = -1, time.monotonic()
    while True:
        try:
            worker.wait(0.2)
            return False
        except subprocess.TimeoutExpired:
            pass
        if (size := started.stat().st_size) != seen:
            since, seen = time.monotonic(), size
            progress(started.read_bytes().count(b"\n"))
        if time.monotonic() - since > (LONGEST if size else START):
            return True


def last_started(folder: Path, column: str, found: Found) -> tuple[int, str]:
    """The job during which the worker died. Raises PortError where it had not begun: it would die again."""
    lines = (folder / STARTED).read_text(encoding="utf-8").splitlines()
    if not lines or found.kind == "exit":
        said = (folder / "messages.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
        raise PortError(f"{column}.operators ended: {found.error}. It said: {' / '.join(said) or 'nothing'}")
    place, _, key = lines[-1].partition(" ")
    return int(place), key


def collect(folder: Path, place: int, ended: Mapping[tuple[int, str], Found]) -> Results:
    """What an operator's file holds, and the jobs that ended their process."""
    results = {key: found for (operator, key), found in ended.items() if operator == place}
    if not (folder / f"{place}.json").exists():  # every job of it ended its process
        return results
    outcomes = json.loads((folder / f"{place}.json").read_text(encoding="utf-8"))
    with np.load(folder / f"{place}.npz") as held:
        for key, outcome in outcomes.items():
            names = [name for name in held.files if name.rpartition("#")[0] == key]
            results[key] = Found(arrays=tuple(held[name] for name in names), **outcome)
    return results
