"""Memory of large arrays that is used again, seen by the pages that the system has to hand out."""

import subprocess
import sys

import pytest

from port.allocator import give_back_freed_memory, keep_freed_memory
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


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have another C library")


def page_faults(how):
    done = subprocess.run(
        [sys.executable, "-c", PAGES_PROGRAM, how], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


WAITING_PROGRAM = """
import gc
import psutil, torch
from port.allocator import keep_freed_memory
from torch_ref.device import own_pages
from torch_ref.vsr import set_aside
keep_freed_memory()
held = lambda: psutil.Process().memory_info().rss >> 20
like, before, figures = torch.ones(64, 64, 64, 64), held(), []  # 64 MiB
room = own_pages(like.shape, like)
figures.append(held() - before)
kept = set_aside(like.to(memory_format=torch.channels_last), in_place=True)
figures.append(held() - before)
assert torch.equal(kept, like) and kept.is_contiguous(memory_format=torch.channels_last)
del kept
gc.collect()
figures.append(held() - before)
room.copy_(like)
figures.append(held() - before)
print(*figures)
"""


@linux
def test_what_waits_lies_apart_from_the_heap():
    """In MiB: room that nobody has written takes nothing, and what was set aside goes back although freed memory is kept."""
    done = subprocess.run([sys.executable, "-c", WAITING_PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True)
    empty, copied, freed, filled = map(int, done.stdout.split())
    heap = copied - 64  # the copy in another layout, which the heap keeps
    assert empty < 8 and 56 <= heap <= 72 and copied - freed >= 56 and filled - freed >= 56


@linux
def test_memory_that_was_freed_is_used_again():
    # Without, each round asks for the whole array: in pages of 4 KiB, or of 2 MiB where the system hands out huge ones.
    assert page_faults("leave") >= ROUNDS * (SIDE >> 21)
    assert page_faults("keep") < SIDE >> 21


def on_windows(name):
    raise TypeError("a name is needed")


@pytest.mark.parametrize("library", [lambda name: object(), on_windows])
def test_another_c_library_is_left_as_it_is(monkeypatch, library):
    monkeypatch.setattr("ctypes.CDLL", library)
    assert keep_freed_memory() is False
    give_back_freed_memory()
