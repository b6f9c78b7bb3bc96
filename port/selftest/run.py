"""Run the self-test: capture references and all changed ports, judge each, add up."""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import groupby
from pathlib import Path

from port.errors import PortError
from port.parity.pair_capture import FINISHED, REFUSED
from port.parity.pair_start import capture_side, surroundings
from port.parity.pair_verify import compare_folders, traces_in
from port.parity.trace import Trace
from port.selftest import attention, choices, metric, recurrent, resample, ttvsr, vision
from port.selftest.baselines import NAMES, judge
from port.selftest.fault import Control, Fault, within
from port.selftest.zoo import write_pair

TABLES = (vision, attention, recurrent, resample, choices, metric, ttvsr)
FAULTS: tuple[Fault, ...] = tuple(fault for table in TABLES for fault in table.FAULTS)
CONTROLS: tuple[Control, ...] = tuple(control for table in TABLES for control in table.CONTROLS)
PASSES = ("imposed", "forced", "updates", "tiny")  # a run left to itself through training would show nothing more
WORKERS = 2  # capturing processes; judging is cheap beside it
REFUSAL = "weights"  # the stage in which a port is turned away whose parameters have no partner


@dataclass
class Outcome:
    """What was said of one changed port.

    causes     (module, stage, diagnosis, site) of every root cause, in order
    baselines  policy -> site it objected to, None where it saw nothing
    """

    case: Fault | Control
    passed: bool
    causes: list[tuple[str, str, str, str]]
    baselines: dict[str, str | None] = field(default_factory=dict)
    failing: list[str] = field(default_factory=list)

    @property
    def detected(self) -> bool:
        return not self.passed

    @property
    def localised(self) -> bool:
        """Every root cause is where a mistake was made, in a stage that can show it first; and every mistake is named."""
        case, named = self.case, [cause[0] for cause in self.causes]
        right = [case.holds(module) and stage in case.stages for module, stage, _, _ in self.causes]
        missed = [part for part in case.parts if not any(within(module, part) for module in named)]
        return bool(right) and all(right) and not missed and fnmatchcase(self.causes[0][3], case.site)

    @property
    def diagnosed(self) -> bool:
        return self.localised and self.causes[0][2] in self.case.labels


def run(
    cases: Sequence[Fault | Control], work: Path, advance: Callable[[Fault | Control], None] = lambda case: None
) -> list[Outcome]:
    """Judge every case. Traces are made in `work` and removed as soon as they have been judged.

    advance  called after each case
    """
    outcomes = []
    for network, group in groupby(cases, key=lambda case: case.network):
        reference = work / network / "reference"
        pair = write_pair(work / network / "healthy", network)
        capture_side("torch", pair, reference, reference, quiet=True)
        held = traces_in(reference)
        for case, folder in captured(list(group), reference, work / network):
            outcomes.append(judged(case, reference, folder, held))
            shutil.rmtree(folder)
            advance(case)
        shutil.rmtree(work / network)
    return outcomes


def captured(cases: Sequence[Fault | Control], reference: Path, work: Path) -> Iterator[tuple[Fault | Control, Path]]:
    """Traces of the changed ports, each as soon as it is there, while other processes go on making the next."""
    folders = [work / f"{i:03d}" for i in range(len(cases))]
    for case, folder in zip(cases, folders, strict=True):
        write_pair(folder, case.network, case.edits, case.name)
    with ExitStack() as stack:
        workers = [Worker(folders[i::WORKERS], reference, work / f"log{i}.txt", stack) for i in range(WORKERS)]
        for i, (case, folder) in enumerate(zip(cases, folders, strict=True)):
            workers[i % WORKERS].wait_for(folder)
            yield case, folder


class Worker:
    """A process that captures the ports of these folders one after the other, started again behind one that kills it."""

    def __init__(self, folders: Sequence[Path], reference: Path, log: Path, stack: ExitStack):
        self.folders, self.reference, self.log, self.stack = list(folders), reference, log, stack
        self.process = self.start() if folders else None

    def start(self) -> subprocess.Popen:
        """Go on with what is left."""
        command = [sys.executable, "-m", "ms_model.capture_pair", *(str(folder / "pair.py") for folder in self.folders)]
        command += ["--out", *map(str, self.folders), "--passes", ",".join(PASSES), "--keep-going", "--quiet"]
        command += [
            "--reference",
            str(self.reference),
            "--weights",
            str(self.reference / "reference" / "weights.safetensors"),
        ]
        stream = self.stack.enter_context(self.log.open("ab"))
        process = self.stack.enter_context(subprocess.Popen(command, stdout=stream, stderr=stream, env=alone()))
        self.stack.callback(process.kill)
        return process

    def wait_for(self, folder: Path) -> None:
        """Until there is a result. Raises PortError where the process ended without one and was not killed."""
        while not (folder / FINISHED).exists():
            if self.process.poll() is not None and not (folder / FINISHED).exists():
                self.after_the_end(folder)
            time.sleep(0.02)
        self.folders.remove(folder)

    def after_the_end(self, folder: Path) -> None:
        """A port that takes the whole process down is a result, too: the next are captured by another process."""
        if self.process.returncode >= 0:
            last = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            raise PortError(
                f"the self-test's capture ended with exit code {self.process.returncode}: {' '.join(last)}."
            )
        (folder / FINISHED).touch()
        if not (folder / "forced" / "trace.json").exists():
            (folder / REFUSED).write_text(f"killed by signal {-self.process.returncode}", encoding="utf-8")
        if left := self.folders[self.folders.index(folder) + 1 :]:
            self.folders = [folder, *left]
            self.process = Worker(left, self.reference, self.log, self.stack).process


def alone() -> dict[str, str]:
    """The environment of a worker: as many of them as there are cores, so one thread each.

    MS_JIT=0: optimisers are compiled for every port anew, which takes longer than their few steps.
    """
    return {**surroundings(), "OMP_NUM_THREADS": "1", "MS_JIT": "0"}


def named_module(words: str) -> str:
    """The module of the first parameter that a refusal quotes."""
    quoted = re.search(r"'([\w.]+)'", words)
    return quoted.group(1).rpartition(".")[0] if quoted else ""


def judged(case: Fault | Control, reference: Path, folder: Path, held: Mapping[str, Trace]) -> Outcome:
    """What the engine, and what every baseline says of one changed port. held: the reference's traces by pass"""
    refusal = folder / REFUSED
    if refusal.exists():
        words = refusal.read_text(encoding="utf-8")
        return Outcome(
            case, False, [(named_module(words), REFUSAL, "wrong_weight", words)], dict.fromkeys(NAMES, words)
        )
    compared = compare_folders(reference, folder, own_training=False, held=held)
    causes = [
        (cause.module, cause.stage, cause.findings[0].label if cause.findings else "unknown", cause.first.site)
        for cause in compared.causes
    ]
    failing = [name for name, stage in compared.stages.items() if not stage.passed]
    return Outcome(case, compared.passed, causes, judge(held, traces_in(folder)), failing)
