"""Killed at any moment, the same command goes on and ends with the same bits. Both trainers, killed by signal 9."""

import random
import time

import numpy as np
import pytest

from parity_tests.train.conftest import COLUMNS, finish, flags, losses_of, start
from port.train.keep import Keeper
from port.weights import tensors_file

ITERATIONS = 4  # the flow network thaws after two


def killed_in_write(column, out, arguments):
    """Stopped half way through the file of its second checkpoint, iteration 2, and killed there."""
    process = start(column, out, arguments, HALT_IN_WRITE="2")
    assert process.stdout.readline() == "halted\n", process.stderr.read()[-3000:]
    process.kill()
    process.communicate()
    assert sorted(losses_of(out)) == [1, 2]  # those after the last whole checkpoint are to be done again
    assert [path.stem for path in Keeper(out, 2).all()] == [f"{1:010d}"]
    assert len(list((out / "checkpoints").glob(".*part*"))) == 1  # the half file is there


def killed_at_random(column, out, arguments, seed):
    """Some time after it has begun to learn again; perhaps it has ended before."""
    began = losses_of(out)
    process = start(column, out, arguments)
    while process.poll() is None and losses_of(out) == began:
        time.sleep(0.05)
    time.sleep(random.Random(seed).uniform(0, 1.5))
    process.kill()
    process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("column", COLUMNS)
def test_killed_runs_end_with_the_bits_of_an_unbroken_one(column, clips, tmp_path):
    arguments = flags(clips, f"iterations={ITERATIONS}", "save_every=1")
    unbroken = start(column, tmp_path / "unbroken", arguments)
    killed_in_write(column, tmp_path / "killed", arguments)
    killed_at_random(column, tmp_path / "killed", arguments, seed=column)
    finish(unbroken)
    finish(start(column, tmp_path / "killed", arguments))
    expected, found = losses_of(tmp_path / "unbroken"), losses_of(tmp_path / "killed")
    assert sorted(expected) == list(range(1, ITERATIONS + 1)) and len(set(expected.values())) == ITERATIONS
    assert found == expected
    for name in ("weights.safetensors", f"checkpoints/{ITERATIONS:010d}.safetensors"):
        one, other = (tensors_file.load(tmp_path / run / name).tensors for run in ("unbroken", "killed"))
        assert one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one), name
    assert not list((tmp_path / "killed" / "checkpoints").glob(".*part*"))
