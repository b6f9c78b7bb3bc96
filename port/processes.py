"""Processes of the columns: what surrounds one that is started here, and its end when this one ends."""

import os
import sys
import threading
import time
from pathlib import Path

import psutil

from port.errors import COULD_NOT_RUN

ROOT = Path(__file__).resolve().parents[1]
SPINNING = "OMP_WAIT_POLICY"  # whether idle threads spin
PARENT = "PORT_PARENT"  # in the environment of every process: the id of the one that wants its work
LOOK = 0.5  # seconds between two looks whether it is still there


def surroundings(**own: str) -> dict[str, str]:
    """The environment of a process: `python` and the columns are found wherever the command was given, idle threads do not
    spin, and it knows who started it. own: further variables; all but these last ones may be set outside."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    python_path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    spin_not = {SPINNING: "passive", "OPENBLAS_NUM_THREADS": "1"}  # numpy's threads would spin after every product
    defaults = {**spin_not, **own}
    return {**defaults, **os.environ, "PATH": path, "PYTHONPATH": python_path, PARENT: str(os.getpid())}


def end_with_parent() -> None:
    """Where another process wants this one's work: end at once when it is gone, however it was ended.

    What nobody waits for is not worth finishing. Files are written beside their place, so none is left half.
    """
    if PARENT not in os.environ:
        return
    parent = int(os.environ[PARENT])

    def look():
        while psutil.pid_exists(parent):
            time.sleep(LOOK)
        os._exit(COULD_NOT_RUN)

    threading.Thread(target=look, daemon=True).start()


def started_here() -> list[psutil.Process]:
    """All processes with this one as their PARENT, also those that an engine has put into sessions of their own."""
    return [process for process in psutil.process_iter() if _parent_of(process) == str(os.getpid())]


def _parent_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(PARENT)
    except (psutil.Error, OSError):  # gone, or another user's
        return None
