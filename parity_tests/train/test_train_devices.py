"""Two processes with one clip each against one process with two: torchrun and msrun, both behind --devices."""

import re
import shutil

import numpy as np
import psutil
import pytest

from parity_tests.processes import within
from parity_tests.train.conftest import COLUMNS, finish, flags, losses_of, start
from port.weights import tensors_file

# Three float32 gradients are added in another order, and Adam makes full steps of the smallest: what of it reaches the loss
# within two steps of 2e-4 is a few units in the last place.
SAME_LOSS = 2e-6


CHANGES = {
    "torch_ref": (
        "iterations=3",
        "save_every=3",
        "accumulate=2",
    ),  # passes that are not shared yet, which DDP must be told
    "ms_model": ("iterations=2", "save_every=2"),
}


@pytest.mark.slow
@pytest.mark.parametrize("column", COLUMNS)
def test_two_processes_learn_as_one_with_the_doubled_batch(column, clips, tmp_path):
    """The flow network thaws on the way, which changes what is shared."""
    changes = (*CHANGES[column], "frozen=1", "warmup=0", "rate=1e-3")
    both = [
        start(column, tmp_path / "two", [*flags(clips, *changes), "--devices", "2"]),
        start(column, tmp_path / "one", flags(clips, *changes, "batch=2")),
    ]
    for process in both:
        finish(process)
    two, one = losses_of(tmp_path / "two"), losses_of(tmp_path / "one")
    assert sorted(two) == sorted(one) and len(one) >= 2
    assert max(abs(two[k] - one[k]) / one[k] for k in one) < SAME_LOSS, (one, two)
    start_, two, one = (
        tensors_file.load(tmp_path / name).tensors
        for name in ("one/initial.safetensors", "two/weights.safetensors", "one/weights.safetensors")
    )
    for name in ("spynet.basic_module.5.basic_module.4.conv.bias", "conv_last.weight", "LTAM.fusion.weight"):
        moved = np.linalg.norm(one[name] - start_[name])
        assert moved > 0 and np.linalg.norm(two[name] - one[name]) < 0.02 * moved, name


@pytest.mark.slow
@pytest.mark.parametrize("column", COLUMNS)
def test_a_failing_process_stops_all_and_says_why(column, clips, tmp_path):
    """A clip of one of the two cannot be read: its reason alone is told, and nobody waits for it after that."""
    broken = tmp_path / "broken"
    shutil.copytree(clips, broken)
    for picture in (broken / "gt" / "wild").iterdir():
        picture.write_bytes(b"no picture")
    out, err = finish(
        start(column, tmp_path / "out", [*flags(broken, "iterations=2"), "--devices", "2"], PATIENCE="1"), code=3
    )
    said = re.sub(r"\s+", " ", err)
    assert re.search(r"error: process [01]: cannot read the picture .*gt/wild/\d.png", said), said
    assert "Traceback" not in err and out == ""
    assert within(10, lambda: not processes_of(tmp_path / "out"))
    logs = tmp_path / "out" / "logs"
    assert sorted(path.name for path in logs.iterdir())[0] == "errors"
    assert not (tmp_path / "out" / "result.json").exists()


def processes_of(out):
    """All that were given this folder: the command, its engine, the engine's processes."""
    named = psutil.process_iter(["cmdline", "status"])
    return [p for p in named if str(out) in (p.info["cmdline"] or ()) and p.info["status"] != psutil.STATUS_ZOMBIE]
