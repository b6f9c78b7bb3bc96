"""The measurement of what capture costs: rounds, ratios, goals, memory, exit codes. Nothing here asserts a time."""

import argparse
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from port import cli, overhead_cli
from port.parity import memory, overhead
from port.parity.overhead import FULL, MEMORY_GOAL, PLAIN, STATISTICS
from port.report.overhead_report import markdown

SMALL_PAIR = Path(__file__).parents[1] / "pairs" / "small_pair.py"
REPO = Path(__file__).parents[2]
MIB = 1 << 20


def made_up(statistics=1.0, full=1.0, growth=0):
    """Figures of three rounds in which the machine slows down by half each time; ratios as given."""
    speeds = [1.0, 2.0, 4.0]

    def mode(times, peak, **counts):
        seconds = [times * speed for speed in speeds]
        return {"seconds": seconds, "cpu_seconds": [times] * 3, "peaks": [peak] * 3, **counts}

    return {
        PLAIN: mode(1.0, 500 * MIB),
        STATISTICS: mode(statistics, 500 * MIB, sites=7, bytes=9),
        FULL: mode(full, 500 * MIB + growth, sites=7, bytes=5 * MIB),
    }


def judged(**figures):
    return overhead.judge(made_up(**figures), {"version": "1.0", "device": "CPU"})


@pytest.mark.parametrize(
    ("figures", "reached"),
    [
        ({"statistics": 1.3, "full": 2.0, "growth": MEMORY_GOAL}, {STATISTICS: True, FULL: True}),
        ({"statistics": 1.31}, {STATISTICS: False, FULL: True}),
        ({"full": 2.01}, {STATISTICS: True, FULL: False}),
        ({"growth": MEMORY_GOAL + 1}, {STATISTICS: True, FULL: False}),
    ],
)
def test_goals(figures, reached):
    column = judged(**figures)
    assert {mode: column["modes"][mode]["reached"] for mode in reached} == reached
    assert column["reached"] == all(reached.values())


def test_the_ratio_is_taken_within_rounds():
    """Times of one mode spread by a factor of four here, ratios not at all; one bad round does not count."""
    figures = made_up(full=1.5)
    figures[FULL]["seconds"][2] *= 10
    full = overhead.judge(figures, {})["modes"][FULL]
    assert (full["ratio"], full["lowest_ratio"], full["highest_ratio"]) == (1.5, 1.5, 15.0)
    assert full["seconds"] == 3.0 and full["cpu_ratio"] == 1.5


def test_an_unknown_peak_is_not_a_small_one():
    figures = made_up()
    figures[FULL]["peaks"][1] = None
    full = overhead.judge(figures, {})["modes"][FULL]
    assert full["growth_bytes"] is None and full["peak_bytes"] is None


def test_rounds_alternate_and_the_first_is_not_counted(tmp_path):
    calls = []

    def captured(plan, folder):
        calls.append(STATISTICS if plan.nothing_whole else FULL)
        folder.mkdir()
        (folder / "file").write_bytes(b"12345")
        return len(calls)

    figures = overhead.measure(lambda: calls.append(PLAIN), captured, tmp_path, repeats=2)
    assert calls == [PLAIN, STATISTICS, FULL] * 3
    assert all(len(figures[mode][name]) == 2 for mode in overhead.MODES for name in ("seconds", "cpu_seconds", "peaks"))
    assert figures[FULL]["bytes"] == 5 and figures[FULL]["sites"] == 9 and "bytes" not in figures[PLAIN]
    assert list(tmp_path.iterdir()) == []  # traces of many gigabytes are not left lying about


@pytest.mark.skipif(not memory.CLEAR.exists(), reason="peaks are counted on Linux only")
def test_the_peak_is_that_of_the_run():
    """In a process of its own: a large one may lose other pages to the system meanwhile."""
    program = """
import numpy as np
from port.parity import memory
peaks = [memory.forget_peak() or memory.peak_bytes()]
block = np.ones(64 << 20, np.uint8)
peaks.append(memory.peak_bytes())
del block
peaks += [memory.peak_bytes(), memory.forget_peak() or memory.peak_bytes()]
print(*peaks)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=REPO, capture_output=True, text=True, check=True)
    before, held, given_back, anew = map(int, done.stdout.split())
    assert held >= before + 60 * MIB and given_back >= before + 60 * MIB
    assert anew < before + 30 * MIB


@pytest.fixture(scope="module")
def columns(tmp_path_factory):
    """Figures of the small pair in both columns; the port takes the weights that the reference left."""
    work = tmp_path_factory.mktemp("overhead")
    weights = {"torch_ref": [], "ms_model": ["--weights", str(work / "torch_ref" / "weights.safetensors")]}
    found = {}
    for column, given in weights.items():
        (work / column).mkdir()
        flags = ["--out", str(work / column), "--repeats", "1", "--quiet", *given]
        assert importlib.import_module(f"{column}.overhead").main([str(SMALL_PAIR), *flags]) == 0
        found[column] = json.loads((work / column / "overhead.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("column", ["torch_ref", "ms_model"])
def test_a_small_pair_is_measured(columns, column):
    modes = columns[column]["modes"]
    assert list(modes) == [PLAIN, STATISTICS, FULL]
    assert modes[FULL]["sites"] == modes[STATISTICS]["sites"] > 40  # modules, gradients, parameters
    assert modes[FULL]["bytes"] > 1.5 * modes[STATISTICS]["bytes"] > 0  # the tensors are there, and only there
    assert all(entry["seconds"] > 0 and entry["peak_bytes"] > 10 * MIB for entry in modes.values())
    assert columns[column]["backend"]["framework"] == {"torch_ref": "torch", "ms_model": "mindspore"}[column]


def test_both_columns_have_the_same_sites(columns):
    counts = {name: column["modes"][FULL]["sites"] for name, column in columns.items()}
    assert counts["torch_ref"] == counts["ms_model"]


def run_with(monkeypatch, column, *flags):
    monkeypatch.setattr(overhead_cli, "prepared", lambda args, work: [("small | net", work, {})])
    monkeypatch.setattr(overhead_cli, "measured", lambda *a: {"name": "small | net", "columns": {"torch": column}})
    return cli.main(["overhead", *flags])


def test_exit_codes_report_and_json(tmp_path, monkeypatch, capsys):
    report = tmp_path / "overhead.md"
    assert run_with(monkeypatch, judged(), "--report", str(report)) == 0
    assert "All goals are reached." in report.read_text(encoding="utf-8") and "PASS" in capsys.readouterr().out
    assert run_with(monkeypatch, judged(full=2.5, growth=300 * MIB), "--report", str(report), "--json") == 1
    text, result = report.read_text(encoding="utf-8"), json.loads(capsys.readouterr().out)
    assert "Not all goals are reached" in text and "| 2.0 missed |" in text and "| 300 MiB |" in text
    assert "small \\| net" in text  # a name cannot break the page
    assert result["reached"] is False and result["subjects"][0]["columns"]["torch"]["modes"][FULL]["ratio"] == 2.5
    assert markdown(result) == text


@pytest.mark.parametrize(
    ("flags", "code", "says"),
    [
        (["ttvsr", "--pair", "x.py"], 2, "not both"),
        (["--pair", "absent.py"], 2, "no file absent.py"),
        (["--repeats", "0"], 2, "at least 1, found 0"),
        (["ttvsr", "--max-frames", "0"], 2, "at least 1, found 0"),
        (["ttvsr", "--weights", "absent.pth"], 3, "no weights file absent.pth"),
    ],
)
def test_mistakes_of_the_user(flags, code, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if "--max-frames" in flags:
        Path("w.pth").touch()
        flags = [*flags, "--weights", "w.pth"]
    assert cli.main(["overhead", *flags]) == code
    assert says in capsys.readouterr().err


def test_a_column_that_cannot_run_is_said_so(tmp_path, capfd):
    broken = tmp_path / "broken.py"
    broken.write_text("torch_net = 1\n", encoding="utf-8")
    args = argparse.Namespace(repeats=1, quiet=True)
    with pytest.raises(overhead_cli.PortError, match="the measurement of torch ended with exit code 3"):
        overhead_cli.measured("broken", tmp_path, {"torch": [str(broken)]}, args)
    assert "does not describe a pair" in capfd.readouterr().err
