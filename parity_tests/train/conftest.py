"""What the tests of training share: a small data set, and trainers started as processes with networks that take 16x16.

`clips` is a folder with `lq` and `gt` of two clips; `flags(clips)` are the arguments that every run here begins with.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from parity_tests.data.made_sets import write_pair
from port.train.log import losses

REPO = Path(__file__).resolve().parents[2]
COLUMNS = ("torch_ref", "ms_model")
QUICK = ("frames=2", "patch=16", "frozen=2", "warmup=2", "valid_dataset=", "sample_every=0")
START = "parity_tests.train.start"


@pytest.fixture(scope="session")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    for seed, name in enumerate(("calm", "wild")):
        write_pair(folder / "gt" / name, folder / "lq" / name, seed, ["0", "1", "2"], size=(80, 96))
    return folder


def flags(clips, *changes, preset="tiny"):
    """Arguments of a trainer. changes: key=value, after those that make it quick"""
    settings = [word for change in (*QUICK, *changes) for word in ("--set", change)]
    return [preset, "--root", str(clips / "lq"), "--gt", str(clips / "gt"), "--quiet", *settings]


def surroundings(**extra):
    """One thread: on shared cores they would wait for each other, and results depend on their number."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPO), "GLOG_v": "4", **extra}


def start(column, out, arguments, **extra):
    """A trainer's process, its stdout as a pipe of text."""
    words = [sys.executable, "-m", START, column, *arguments, "--out", str(out)]
    return subprocess.Popen(
        words, cwd=REPO, env=surroundings(**extra), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process, code=0):
    """Wait for it. -> stdout, stderr"""
    out, err = process.communicate(timeout=600)
    assert process.returncode == code, err[-3000:]
    return out, err


def losses_of(out):
    return losses(out / "log.jsonl")
