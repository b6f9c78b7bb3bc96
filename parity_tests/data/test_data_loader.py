"""The loader: the bits of `Batches`, in order, from any number of processes; its troubles and its end."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from parity_tests.data.made_sets import make_reds
from parity_tests.processes import gone, within
from port.cli import main
from port.data.augment import Recipe
from port.data.batches import Batches
from port.data.loader import Loader
from port.data.sets import open_set
from port.errors import PortError, UsageError
from port.workers import check_workers, spread

REPO = Path(__file__).resolve().parents[2]
TINY = Recipe(frames=3, crop=8)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make_reds(tmp_path_factory.mktemp("reds"), ("001", "002", "003"), 4, (48, 64))


@pytest.fixture(scope="module")
def batches(root):
    return Batches(open_set("reds", root), TINY, seed=5)


def same(a, b):
    return all(np.array_equal(x, y) and x.dtype == y.dtype for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("workers", [0, 2])
def test_the_bits_and_the_order_of_batches(workers, batches):
    with Loader(batches, first=3, workers=workers, last=10) as loader:
        source = iter(loader)
        made = [next(source)]
        for process, _ in loader.workers:
            os.kill(process.pid, signal.SIGINT)  # Ctrl-C reaches them, too; ending them is not its business
        made += source
    assert len(made) == 7
    assert all(same(batch, batches.batch(i)) for i, batch in enumerate(made, 3))
    assert not loader.workers


def test_workers_are_asked_ahead_but_not_without_bound(batches):
    """At no time more than 2 batches per worker are asked for and not yet handed over."""
    with Loader(batches, workers=1, ahead=2, last=6) as loader:
        asked, open_at = [], []
        ask = loader._ask
        loader._ask = lambda i: (asked.append(i), ask(i))
        for taken, _ in enumerate(loader):
            open_at.append(len(asked) - taken - 1)
    assert asked == list(range(6)) and open_at[:4] == [2, 2, 2, 2]


def test_an_error_of_a_worker_names_the_file(root, batches, tmp_path):
    pairs = open_set("reds", make_reds(tmp_path, ("001",), 3, (48, 64)))
    pairs[0].lq[0].write_bytes(pairs[0].lq[0].read_bytes()[:100])
    with (
        pytest.raises(PortError, match=r"001/00000000\.png: damaged"),
        Loader(Batches(pairs, TINY), workers=1) as loader,
    ):
        processes = [process for process, _ in loader.workers]
        next(iter(loader))
    assert not any(process.is_alive() for process in processes)


def test_a_killed_worker_is_told(batches):
    with Loader(batches, workers=1) as loader:
        (process, _), source = loader.workers[0], iter(loader)
        next(source)
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(PortError, match=r"worker process that was to load batch \d+ died \(exit code -9\)"):
            for _ in range(4):  # what it had sent before may still arrive
                next(source)


def test_misuse(batches):
    with pytest.raises(UsageError, match="from 0"):
        Loader(batches, workers=-1)
    with pytest.raises(PortError, match="`with` block"):
        next(iter(Loader(batches, workers=1)))


PROGRAM = """
import sys, time
{load_much}
from port.data.augment import Recipe
from port.data.batches import Batches
from port.data.loader import Loader
from port.data.sets import open_set
batches = Batches(open_set("reds", sys.argv[1]), Recipe(frames=3, crop=8))
with Loader(batches, workers=2) as loader:
    source = iter(loader)
    next(source)
    print(*(process.pid for process, _ in loader.workers), flush=True)
    {then}
"""


def start(root, then, load_much=""):
    """A program without a guard around its main part, as nobody should write it; -> process, pids of its workers"""
    code = PROGRAM.format(then=then, load_much=load_much)
    script = root / "program.py"
    script.write_text(code, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, str(script), str(root)],
        env=os.environ | {"PYTHONPATH": str(REPO)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    return process, [int(word) for word in process.stdout.readline().split()]


@pytest.mark.parametrize(
    ("end", "code"),
    [(lambda p: os.killpg(p.pid, signal.SIGINT), -signal.SIGINT), (lambda p: p.kill(), -signal.SIGKILL)],
    ids=["Ctrl-C", "kill -9"],
)
def test_no_worker_outlives_its_program(end, code, root):
    process, workers = start(root, "time.sleep(60)")
    assert len(workers) == 2
    end(process)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == code
    assert errors.count("Traceback") <= 1, "workers keep silent"
    assert within(10, lambda: all(map(gone, workers)))


def test_workers_do_not_run_the_main_module_again(root):
    """A training program imports a framework; its workers need none of it. Without care they would start workers, too."""
    process, workers = start(root, "pass", "open(sys.argv[1] + '/ran', 'a').write('x')")
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0 and "Traceback" not in errors, errors
    assert len(workers) == 2 and (root / "ran").read_text() == "x"


# ------------------------------------------------------------------------------------------------------ spread, bench


@pytest.mark.parametrize("workers", [0, 2])
def test_spread(workers):
    """Built-in functions and our own light ones: worker processes have little to import."""
    assert sorted(spread(abs, range(-9, 1), workers)) == list(range(10))
    with pytest.raises(UsageError, match="found -1"):
        list(spread(check_workers, [1, -1, 2], workers))


def test_spread_tells_of_a_worker_that_died():
    with pytest.raises(PortError, match="a worker process died"):
        list(spread(os._exit, [1], 2))


def bench(root, *flags):
    small = ["--frames", "3", "--crop", "8", "--batches", "2", "--repeats", "2", "--json"]
    return main(["data", "bench", "reds", str(root), *small, *flags])


def test_bench_gives_figures(root, capsys):
    assert bench(root, "--workers", "0,1") == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["workers"] for row in found["rows"]] == [0, 1]
    for row in found["rows"]:
        assert 0 < row["fastest"] <= row["seconds_per_batch"] <= row["slowest"] < 4.2 and row["keeps_up"]
        assert row["samples_per_second"] == pytest.approx(2 / row["seconds_per_batch"])


def test_bench_says_when_training_would_wait(root, capsys):
    assert bench(root, "--workers", "0", "--iteration", "1e-6") == 1
    assert not json.loads(capsys.readouterr().out)["rows"][0]["keeps_up"]


def test_bench_times_loading_and_not_the_start(root, capsys, monkeypatch):
    """A batch made to last 50 ms: that is the figure."""
    stored = Batches.stored_batch
    monkeypatch.setattr(Batches, "stored_batch", lambda self, i: (time.sleep(0.05), stored(self, i))[1])
    assert bench(root, "--workers", "0") == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert 0.05 <= row["fastest"] < 0.2


def test_bench_tells_processor_time_from_waiting(root, capsys, monkeypatch):
    """A batch that computes for 100 ms and waits for 300 takes 100 ms of processor time."""

    def busy_and_waiting(self, i):
        end = time.process_time() + 0.1
        while time.process_time() < end:
            pass
        time.sleep(0.3)
        return np.zeros((2, 3, 3, 8, 8), np.uint8), np.zeros((2, 3, 3, 32, 32), np.uint8)

    monkeypatch.setattr(Batches, "stored_batch", busy_and_waiting)
    assert bench(root, "--workers", "0", "--batches", "1") == 0
    assert 0.1 <= json.loads(capsys.readouterr().out)["cpu_seconds_per_batch"] < 0.2


@pytest.mark.parametrize(
    "flags",
    [["--workers", "one"], ["--repeats", "0"], ["--iteration", "0"], ["--batch-size", "0"], ["--workers", "-2"]],
)
def test_bench_refuses_nonsense(flags, root, capsys):
    assert bench(root, *flags) == 2
