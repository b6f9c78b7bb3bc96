"""What tests ask about processes that are none of their own children."""

import time
from pathlib import Path


def gone(pid):
    """Whether a process has ended, or only waits to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def within(seconds, condition):
    """Wait until `condition()` holds. -> whether it did in time"""
    deadline = time.monotonic() + seconds
    while not (held := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return held
