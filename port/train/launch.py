"""Many processes of one run, started by the engines of the field: torchrun and msrun. No process of this module trains.

The engines write into `logs/`. Progress is read off the run's own log, and a process that fails leaves its reason in a file.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from port import processes
from port.errors import PortError, UsageError
from port.files import make_folder
from port.train.log import Display, display, read_log
from port.train.settings import Settings

ERRORS = "logs/errors"
LOOK = 0.3  # seconds between two looks at the processes
PATIENCE = 10.0  # seconds that the others get to end by themselves once one has failed
TAIL = 30  # lines of the engine's log that are shown where no process left a reason

# How an engine is called: (processes, free port, folder for its logs, module, arguments) -> words
Command = Callable[[int, int, Path, str, Sequence[str]], list[str]]


def launch(
    column: str, argv: Sequence[str], devices: int, out: Path, settings: Settings, quiet: bool, command: Command
) -> dict[str, object]:
    """Run `python -m COLUMN.train ARGV` in so many processes and wait. -> result. Raises PortError with the reason"""
    logs = make_folder(out / "logs")
    shutil.rmtree(out / ERRORS, ignore_errors=True)
    (out / "result.json").unlink(missing_ok=True)
    words = command(devices, free_port(), logs.resolve(), f"{column}.train", list(argv))
    with open(logs / "launch.log", "w", encoding="utf-8") as log:
        process = subprocess.Popen(
            words, cwd=Path.cwd(), stdout=log, stderr=log, env=surroundings(devices), start_new_session=True
        )
        try:
            watch(process, out, settings, quiet)
        finally:
            end(process)
    if reasons := read_reasons(out):
        text = "\n".join(f"process {name}: {reason}" for name, (_, reason) in reasons.items())
        usage = any(code == UsageError.exit_code for code, _ in reasons.values())
        raise (UsageError if usage else PortError)(text)
    if process.returncode or not (out / "result.json").is_file():
        raise PortError(f"training ended with exit code {process.returncode}. The end of {logs}:\n{tail(logs)}")
    return json.loads((out / "result.json").read_text(encoding="utf-8"))


def surroundings(devices: int) -> dict[str, str]:
    """The environment of one of so many processes: cores are shared out; engines log errors alone."""
    threads = str(max(1, (os.cpu_count() or 1) // devices))
    return processes.surroundings(OMP_NUM_THREADS=threads, GLOG_v="3")


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def watch(process: subprocess.Popen, out: Path, settings: Settings, quiet: bool) -> None:
    """Show the progress until all processes have ended, or one has failed and the others had time to."""
    seen = len(read_log(out / "log.jsonl"))
    failed_at = None
    with display(settings.iterations, 0, settings.log_every, quiet) as shown:
        while process.poll() is None:
            time.sleep(LOOK)
            seen = _show_new(out / "log.jsonl", seen, shown)
            if failed_at is None and any((out / ERRORS).glob("*.txt")):
                failed_at = time.monotonic()
            if failed_at is not None and time.monotonic() - failed_at > PATIENCE:
                return
        _show_new(out / "log.jsonl", seen, shown)


def _show_new(path: Path, seen: int, shown: Display) -> int:
    """Show what came since. A log grows shorter where a run goes on from before its end."""
    records = [record for record in read_log(path) if "loss" in record]
    for record in records[seen if seen <= len(records) else 0 :]:
        shown.show(record["iteration"], record["loss"], record["rate"], record["seconds"])
    return len(records)


def end(process: subprocess.Popen) -> None:
    """End the engine and every process that it has started. msrun puts each into a session of its own and leaves behind those
    that wait for a partner."""
    for number, wait in ((signal.SIGTERM, 3), (signal.SIGKILL, 10)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        left = processes.started_here()
        for other in left:
            with suppress(psutil.NoSuchProcess):
                other.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(wait)
        psutil.wait_procs(left, wait)


def read_reasons(out: Path) -> dict[str, tuple[int, str]]:
    """rank -> (exit code, why it failed). Processes that only lost their partner are left out where one has a reason."""
    reasons = {}
    for path in sorted((out / ERRORS).glob("*.txt")):
        code, _, reason = path.read_text(encoding="utf-8").partition("\n")
        reasons[path.stem] = (int(code), reason.strip())
    own = {name: found for name, found in reasons.items() if not found[1].startswith("Traceback")}
    return own or reasons


def tail(logs: Path) -> str:
    """The last lines of all logs of the engine."""
    lines = [line for path in sorted(logs.rglob("*.log")) for line in _lines(path)]
    return "\n".join(lines[-TAIL:])


def _lines(path: Path) -> list[str]:
    with suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    return []
