"""What goes wrong in a training, and what is said and kept then. An engine of one number, real data, the real command."""

import errno
import fcntl
import json
import os
import re
from contextlib import contextmanager
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest

from parity_tests.train.conftest import QUICK, losses_of
from port.errors import run_command
from port.models import ttvsr as facts
from port.train.command import run_training, train_arguments
from port.train.guard import Guard
from port.train.keep import Keeper
from port.train.launch import read_reasons, surroundings
from port.train.log import duration, read_log
from port.train.settings import load_preset
from port.weights import tensors_file


class Number:
    """One parameter that is the brightness of an enlarged frame; it learns that of the truth, by plain steps."""

    troubled: ClassVar = {}  # iteration -> what to make of the loss there

    def __init__(self, settings, weights, ranks):
        self.value, self.taken, self.gradient = np.float32(1.5), 0, np.float32(0)

    def add_gradients(self, lq, gt, last):
        enlarged = lq.repeat(4, axis=3).repeat(4, axis=4)
        self.gradient += np.mean((self.value * enlarged - gt) * enlarged)
        loss = float(np.mean((self.value * enlarged - gt) ** 2))
        return self.troubled.get(self.taken + 1, lambda x: x)(loss)

    def norm(self):
        return float(abs(self.gradient))

    def step(self):
        self.value -= np.float32(0.3) * self.gradient
        self.skip()

    def skip(self):
        self.taken, self.gradient = self.taken + 1, np.float32(0)

    def rate(self):
        return 0.3

    def upscale(self, lq):
        return np.clip(self.value * lq.repeat(4, axis=3).repeat(4, axis=4), 0, 1)

    def tensors(self):
        return {"net/value": np.array([self.value])}

    def counts(self):
        return {"taken": self.taken, "steps": []}

    def restore(self, tensors, counts):
        self.value, self.taken = tensors["net/value"][0], counts["taken"]


@contextmanager
def alone(device):
    yield 0, 1


PROCESSES = SimpleNamespace(
    started=lambda: False, joined=alone, mean=lambda array: array, wait=lambda: None, command=None
)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(facts, "MIN_SIZE", 16)
    monkeypatch.setattr(Number, "troubled", {})


@pytest.fixture
def train(clips, tmp_path, capsys):
    """train(*changes, **flags) -> exit code, what was said on stderr in one line; the run is in tmp_path / "run"."""

    def run(*changes, code=0, root=clips / "lq", gt=clips / "gt", **others):
        given = {"root": root, "gt": gt, "out": tmp_path / "run", **others}
        words = [word for name, value in given.items() if value is not None for word in (f"--{name}", str(value))]
        settings = [word for change in (*QUICK, *changes) for word in ("--set", change)]
        argv = ["tiny", *words, "--json", *settings]
        args = train_arguments("train", ("cpu",), argv)
        select = lambda device, threads: None  # noqa: E731
        found = run_command(lambda: run_training(args, argv, "torch_ref", select, Number, None, PROCESSES))
        out, err = capsys.readouterr()
        assert found == code, err
        return re.sub(r"\s+", " ", err) if code else json.loads(out)

    run.out = tmp_path / "run"
    return run


def test_a_run_learns_and_leaves_its_files(train):
    result = train("iterations=30", "save_every=10", "validate_every=15", "sample_every=30", "valid_dataset=folder",
                   "valid_clips=2", "valid_frames=2")  # fmt: skip
    losses = losses_of(train.out)
    assert sorted(losses) == list(range(1, 31)) and losses[30] < 0.5 * losses[1] and result["loss"] == losses[30]
    scores = [record for record in read_log(train.out / "log.jsonl") if "valid" in record]
    assert [record["iteration"] for record in scores] == [15, 30]
    assert scores[1]["valid"].items() >= {"clips": 2, "frames": 4, "channel": "rgb", "crop": 0}.items()
    assert scores[1]["valid"]["psnr"] > scores[0]["valid"]["psnr"] > 10
    assert {
        "settings.json",
        "log.jsonl",
        "initial.safetensors",
        "weights.safetensors",
        "checkpoints",
        "tensorboard",
    } <= {path.name for path in train.out.iterdir()}
    assert sorted(path.name for path in (train.out / "samples").iterdir()) == [
        "training_0000000030.png", "validation_0000000015.png", "validation_0000000030.png",
    ]  # fmt: skip
    assert b"train/loss" in b"".join(path.read_bytes() for path in (train.out / "tensorboard").iterdir())


def test_nan_stops_before_the_step_and_names_the_clips(train):
    Number.troubled = {5: lambda loss: float("nan")}
    said = train("iterations=8", "save_every=2", code=3)
    assert re.search(
        r"error: iteration 5: the loss is nan\. Its batch: clips (calm|wild) \(loss nan\)\. The step was not taken",
        said,
    )
    assert sorted(losses_of(train.out)) == [1, 2, 3, 4]
    tensors, kept = Keeper(train.out, 2).newest()
    assert kept["iteration"] == 4 and np.isfinite(tensors["net/value"]).all()
    Number.troubled = {}
    assert train("iterations=8", "save_every=2")["started_at"] == 4


def test_a_gradient_that_is_no_number_stops_too(train, monkeypatch):
    monkeypatch.setattr(Number, "norm", lambda self: float("inf"))
    assert "iteration 1: the gradient is inf." in train("iterations=2", code=3)


@pytest.mark.parametrize("deed", ["warn", "skip"])
def test_a_spike_is_left_out_or_not(deed, train, monkeypatch):
    Number.troubled = {25: lambda loss: 1e4 * loss}
    taken, step = [], Number.step
    monkeypatch.setattr(Number, "step", lambda self: (taken.append(self.taken + 1), step(self)))
    train("iterations=26", f"on_spike={deed}", "spike=10")
    assert taken == [k for k in range(1, 27) if k != 25 or deed == "warn"]
    spiked = [record for record in read_log(train.out / "log.jsonl") if "verdict" in record]
    assert [(record["iteration"], record["verdict"]) for record in spiked] == [
        (25, "spike" if deed == "warn" else "skip")
    ]


def test_the_warning_of_a_spike(capsys):
    guard = Guard(load_preset("tiny"), [1.0] * 20)
    assert guard.judge(7, 9.9, 1.0, "clips calm") == "step"
    assert guard.judge(8, 25.0, 1.0, "clips wild") == "spike"
    said = re.sub(r"\s+", " ", capsys.readouterr().err)
    assert "iteration 8: loss 25 is 25 times the usual 1. Batch: clips wild. The step is taken all the same" in said
    assert 25.0 not in guard.recent
    assert Guard(load_preset("tiny"), [1.0] * 19).judge(8, 25.0, 1.0, "") == "step"  # too few to tell


def test_an_unreadable_picture_is_named(train, clips, tmp_path):
    broken = tmp_path / "broken"
    for folder in ("lq", "gt"):
        (broken / folder / "calm").mkdir(parents=True)
        for path in (clips / folder / "calm").iterdir():
            (broken / folder / "calm" / path.name).write_bytes(path.read_bytes()[: 400 if folder == "gt" else None])
    said = train("iterations=2", code=3, root=broken / "lq", gt=broken / "gt")
    assert re.search(r"error: cannot read .*broken/gt/calm/\d\.png", said), said


def test_a_wrong_root_is_said_before_anything_is_made(train, tmp_path):
    assert "nowhere" in train("iterations=2", code=3, root=tmp_path / "nowhere")
    assert not train.out.exists()
    assert "no ground truth for calm. Name it by --gt" in train("iterations=2", code=3, gt=None)


def test_a_full_disk_keeps_the_checkpoint_before(train, monkeypatch):
    write = tensors_file.write

    def full(path, tensors):
        if "0000000004" in str(path):
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, tensors)

    monkeypatch.setattr(tensors_file, "write", full)
    said = train("iterations=6", "save_every=2", code=3)
    assert (
        "the checkpoint of iteration 4 could not be kept: cannot write" in said and "no space left on its disk" in said
    )
    assert "The last whole one is of iteration 2; the same command goes on from it" in said
    monkeypatch.setattr(tensors_file, "write", write)
    assert train("iterations=6", "save_every=2")["started_at"] == 2


def test_other_settings_need_another_folder(train):
    train("iterations=2", "save_every=2")
    said = train("iterations=4", "rate=0.1", "seed=3", code=2)
    assert "holds a run with other settings (seed: 3, was 0; rate: 0.1, was 0.0002). Choose another --out" in said
    assert train("iterations=4", "save_every=1")["started_at"] == 2  # these may change


def test_two_runs_in_one_folder_are_refused(train):
    train.out.mkdir()
    with open(train.out / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another process is training in" in train("iterations=2", code=3)


def test_a_finished_run_is_told_again_and_not_trained(train):
    train("iterations=2")
    before = (train.out / "log.jsonl").read_bytes()
    assert train("iterations=2")["loss"] is None
    assert (train.out / "log.jsonl").read_bytes() == before


def test_wrong_flags(train, tmp_path):
    assert "--devices and --threads must be at least 1" in train(code=2, devices=0)
    assert "--weights: there is no file" in train(code=3, weights=tmp_path / "none.pth")


def test_the_reason_of_a_process_stands_before_its_partners_loss(tmp_path):
    """The one that failed gives a reason, the other only lost its partner."""
    folder = tmp_path / "logs" / "errors"
    folder.mkdir(parents=True)
    (folder / "0.txt").write_text("3\nTraceback ...\nRuntimeError: connection closed")
    (folder / "1.txt").write_text("3\ncannot read x.png")
    assert read_reasons(tmp_path) == {"1": (3, "cannot read x.png")}


def test_surroundings_share_out_the_cores(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert surroundings(2)["OMP_NUM_THREADS"] == "4" and surroundings(16)["OMP_NUM_THREADS"] == "1"


def test_time_left_in_words():
    assert duration(59.6) == "00:01:00" and duration(20 * 86400 + 3723) == "20 d 01:02:03"
