"""Carrying out a plan: a process for every framework and subject, one of them at work at a time."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Any

from port.bench.plan import COLUMNS, HALF, Step
from port.errors import PortError
from port.processes import ROOT, SPINNING, surroundings

PATIENCE = 20.0  # seconds that a process gets to end by itself
LISTS = {"seconds": "seconds", "peak_bytes": "peaks"}  # one entry a round; of everything else the last stays

TIMED_AS = {"fast": "network", "half": "network", "half-floor": "floor"}  # subject -> what its process is asked for

Row = dict[str, Any]


def ways_of(subject: str, fast: Sequence[str]) -> Sequence[str]:
    """Of port/models/speed.py, in which a subject runs; fast: those of the subject "fast" """
    return fast if subject == "fast" else HALF if subject in ("half", "half-floor") else ()


class Worker:
    """One process of a column, as port/bench/worker.py describes it."""

    def __init__(
        self, framework: str, subject: str, weights: Path, device: str, fast: Sequence[str] = (), more: Sequence[str] = ()
    ):
        """fast: ways of the subject "fast"; more: words of its command line"""
        self.name = f"{framework} {subject}"
        ways = ways_of(subject, fast)
        words = [sys.executable, "-m", f"{COLUMNS[framework]}.bench", TIMED_AS.get(subject, subject)]
        words += ["--weights", str(weights), *(["--fast", ",".join(ways)] if ways else [])]
        self.process = subprocess.Popen(
            [*words, "--device", device, *more], cwd=ROOT, env=undisturbed(), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def ask(self, request) -> Row:
        """Figures of one run. Raises PortError where the process has ended."""
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.write(json.dumps(dict(request)) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            code = self.process.wait()
            why = "it was killed, perhaps for want of memory" if code < 0 else "its message stands above"
            raise PortError(f"the measurement of {self.name} ended with exit code {code}; {why}.")
        return json.loads(answer)

    def close(self) -> None:
        """No more requests."""
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.close()
            self.process.wait(PATIENCE)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def undisturbed() -> dict[str, str]:
    """The environment of a process that has the machine to itself while it works, as it has where a user starts it.

    Its threads may wait for each other by spinning: 3 % faster in PyTorch, where processes at work side by side lose by it.
    """
    found = surroundings(GLOG_v="3")
    return {name: value for name, value in found.items() if name != SPINNING or name in os.environ}


def carry_out(
    rows: dict[str, Row],
    plan: Sequence[Step],
    weights: Path,
    device_of: Callable[[str], str],
    fast: Mapping[str, Sequence[str]] = MappingProxyType({}),
    advance: Callable[[Step], None] = lambda step: None,
) -> None:
    """Take all steps in order.

    rows                  filled in the course of it, one for every framework, subject and clip: of a run that is
                          interrupted it holds what was measured until then
    device_of(framework)  the name of the device in its own words
    fast                  framework -> the ways of its subject "fast"
    advance(step)         called when it is done
    """
    workers: dict[tuple, Worker] = {}
    last = {step.worker: number for number, step in enumerate(plan)}
    with ExitStack() as closing:
        for number, step in enumerate(plan):
            if step.worker not in workers:
                own = (step.framework, step.subject, weights, device_of(step.framework), fast.get(step.framework, ()))
                workers[step.worker] = Worker(*own)
                closing.callback(workers[step.worker].close)
            answer = workers[step.worker].ask(step.request)
            if step.counted:
                note_down(rows, step, answer, ways_of(step.subject, fast.get(step.framework, ())))
            if last[step.worker] == number:  # holds memory that the next ones may need
                workers[step.worker].close()
            advance(step)


def note_down(rows: dict[str, Row], step: Step, answer: Row, ways: Sequence[str] = ()) -> None:
    """Add the figures of one run to its row; ways: those it named"""
    about = {"framework": step.framework, "subject": step.subject, "place": step.place, **step.request}
    row = rows.setdefault(json.dumps(about), {**about, "ways": list(ways), **{name: [] for name in LISTS.values()}})
    for name, value in answer.items():
        if name in LISTS:
            row[LISTS[name]].append(value)
        else:
            row[name] = value
