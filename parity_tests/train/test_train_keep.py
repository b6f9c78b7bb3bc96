"""Checkpoints: whole or not there, the one before is used where the newest is damaged, and a full disk costs nothing."""

import errno
import json
import re

import numpy as np
import pytest

from port.errors import PortError
from port.train import keep
from port.train.keep import Keeper
from port.weights import tensors_file


def arrays(value):
    return {"net/a": np.full((3, 2), value, np.float32), "first/a": np.zeros((3, 2), np.float32)}


@pytest.fixture
def kept(tmp_path):
    """Three checkpoints of which two are kept."""
    keeper = Keeper(tmp_path, 2)
    for iteration in (10, 20, 30):
        keeper.save(iteration, arrays(iteration), {"counts": {"taken": iteration}})
    return keeper


def test_the_newest_comes_back_and_old_ones_go(kept):
    tensors, facts = kept.newest()
    assert np.array_equal(tensors["net/a"], arrays(30)["net/a"]) and facts["counts"] == {"taken": 30}
    assert sorted(path.name for path in kept.folder.iterdir()) == [
        "0000000020.json", "0000000020.safetensors", "0000000030.json", "0000000030.safetensors", "latest",
    ]  # fmt: skip
    assert (kept.folder / "latest").read_text() == "0000000030.safetensors\n"


def tear(path):
    path.write_bytes(path.read_bytes()[:-5])


def flip(path):
    held = bytearray(path.read_bytes())
    held[-1] ^= 1  # the last element of the last array: still a valid file
    path.write_bytes(held)


DAMAGE = {
    "torn": lambda folder: tear(folder / "0000000030.safetensors"),
    "one bit": lambda folder: flip(folder / "0000000030.safetensors"),
    "arrays gone": lambda folder: (folder / "0000000030.safetensors").unlink(),
    "torn counters": lambda folder: tear(folder / "0000000030.json"),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_one_is_named_and_the_one_before_used(how, kept, capsys):
    DAMAGE[how](kept.folder)
    tensors, facts = kept.newest()
    assert facts["iteration"] == 20 and tensors["net/a"][0, 0] == 20
    said = re.sub(r"\s+", "", capsys.readouterr().err)
    assert "0000000030" in said and "Thecheckpointbeforeitisused" in said


def test_arrays_without_their_counters_count_for_nothing(kept):
    """As a run leaves them that is killed between the two files."""
    (kept.folder / "0000000030.json").unlink()
    assert kept.newest()[1]["iteration"] == 20


def test_all_damaged_is_no_fresh_start(kept):
    for path in kept.folder.glob("*.safetensors"):
        tear(path)
    with pytest.raises(PortError, match=r"none of the 2 checkpoints .* is whole"):
        kept.newest()


def test_none_at_all(tmp_path):
    assert Keeper(tmp_path, 2).newest() is None


def test_a_full_disk_keeps_what_was_there(kept, monkeypatch):
    def full(path, tensors):
        path.write_bytes(b"\0" * 100)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tensors_file, "write", full)
    before = {path.name: path.read_bytes() for path in kept.folder.iterdir()}
    with pytest.raises(PortError, match=r"cannot write .*0000000040.safetensors: no space left on its disk"):
        kept.save(40, arrays(40), {})
    assert {path.name: path.read_bytes() for path in kept.folder.iterdir()} == before


def test_another_format_is_said(kept):
    path = kept.folder / "0000000030.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 99}))
    with pytest.raises(PortError, match="format 99, known is 1"):
        keep._read(path)
