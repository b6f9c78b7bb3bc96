"""Memory of large arrays that is used again, seen by the pages that the system has to hand out."""

import subprocess
import sys

import pytest

from port.allocator import keep_freed_memory
from port.processes import ROOT

SIDE = 64 << 20  # bytes: glibc by itself gives every array of this size back
ROUNDS = 10
PAGES_PROGRAM = f"""
import resource, sys
import numpy as np
from port.allocator import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
def once():
    np.empty({SIDE}, np.uint8).fill(1)
once()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range({ROUNDS}):
    once()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(how):
    done = subprocess.run(
        [sys.executable, "-c", PAGES_PROGRAM, how], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have another C library")
def test_memory_that_was_freed_is_used_again():
    # Without, each round asks for the whole array: in pages of 4 KiB, or of 2 MiB where the system hands out huge ones.
    assert page_faults("leave") >= ROUNDS * (SIDE >> 21)
    assert page_faults("keep") < SIDE >> 21


def test_another_c_library_is_left_as_it_is(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    assert keep_freed_memory() is False
