"""The attack on the readers and the measurement of a conversion, as short commands; the attack finds what is planted."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from port import convert_cli
from port.convert import bench, fuzz

REPO = Path(__file__).resolve().parents[2]


def command(*words):
    done = subprocess.run([sys.executable, "-m", "port", *words], cwd=REPO, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def test_a_short_attack(tmp_path):
    code, out, err = command("fuzz", "--inputs", "300", "--seed", "5", "--json", "--report", str(tmp_path / "fuzz.md"))
    assert code == 0, err
    found = json.loads(out)
    assert {kind: one["inputs"] for kind, one in found.items()} == {
        "safetensors": 90, "index": 30, "map": 30, "pth": 75, "ckpt": 75
    }  # fmt: skip
    for one in found.values():
        assert not one["findings"] and one["refused"] + one["read"] == one["inputs"] and one["refused"] > 15
    assert "| all | 300 |" in (tmp_path / "fuzz.md").read_text(encoding="utf-8")


def test_a_small_measurement(tmp_path):
    """Of 20 MB the figures mean little: what counts is that all of it runs, and that the disk is clean after it."""
    words = ("convert-bench", "--size", "0.02", "--runs", "1", "--work", str(tmp_path), "--json")
    code, out, err = command(*words)
    found = json.loads(out)
    assert code == (0 if found["passed"] else 1), err
    assert found["bytes"] > 18e6 and found["killed"]["identical"]
    assert {figure["title"] for figure in found["figures"]} == {
        "plain copy", "conversion", "conversion to float16", "conversion to bfloat16", "the rest after a kill"
    }  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_wrong_usage():
    for words in (["fuzz", "--inputs", "3"], ["convert-bench", "--size", "0"], ["convert-bench", "--runs", "0"]):
        from port import cli

        assert cli.main(words) == 2


def test_a_disk_that_is_too_small_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(bench.shutil, "disk_usage", lambda path: SimpleNamespace(free=10**9))
    with pytest.raises(bench.PortError, match=r"has 1\.0 GB free; 17\.6 GB are needed"):
        bench.bench(tmp_path, 8, 1)


# ---------------------------------------------------------------------------------------------- planted


PLANTED = """if True:
    import json, os, subprocess, sys, time
    from pathlib import Path
    from port.convert import fuzz
    fuzz.SECONDS, what, folder = 0.2, sys.argv[1], Path(sys.argv[2])
    def crash(content): raise ValueError("a reader's own mistake")
    def hang(content): time.sleep(5)
    def write(content): (folder / "left-behind").write_bytes(content)
    def start(content): subprocess.run(["true"])
    def run(content): os.mkdir(folder / "canary")
    def memory(content): bytearray(1 << 40)
    def unprintable(content): raise fuzz.PortError("bad \\x1b[2J")
    def stop(content): raise KeyboardInterrupt
    def die(content): os._exit(7)
    planted, honest, seen = locals()[what], fuzz.own_load("safetensors"), []
    def load(path):
        seen.append(path)
        if len(seen) == 7:
            planted(path.read_bytes())
        honest(path)
    made = fuzz.own_specimens("safetensors", folder)
    print(json.dumps(fuzz.attack("safetensors", load, made, 20, 1, folder)))"""


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("crash", "ValueError: a reader's own mistake"),
        ("hang", "TimeoutError: more than 0.2 s"),
        ("write", "for writing"),
        ("start", "subprocess.Popen"),
        ("run", "os.mkdir"),
        ("memory", "MemoryError"),
        ("unprintable", "a message that cannot be printed"),
        ("stop", "KeyboardInterrupt"),
    ],
)
def test_the_attack_finds_what_is_planted(what, says, tmp_path):
    """A reader that does at the seventh file what none may."""
    done = subprocess.run(
        [sys.executable, "-c", PLANTED, what, str(tmp_path)], cwd=REPO, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["findings"][0]["input"] == 6 and says in found["findings"][0]["what"], found["findings"]
    assert found["inputs"] == 20 and found["inputs"] == found["refused"] + found["read"] + len(found["findings"])


def test_a_reader_that_dies_or_never_ends_is_a_finding(tmp_path, monkeypatch, capsys):
    """Of the process itself; the command then ends in 1."""
    for name, text in (("dies", "import os; os._exit(7)"), ("hangs", "import time; time.sleep(60)")):
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(fuzz, "READERS", {"map": ("dies", 0.5), "index": ("hangs", 0.5)})
    monkeypatch.setattr(fuzz, "surroundings", lambda: dict(os.environ))
    start = time.monotonic()
    found = fuzz.fuzz(10, 0, seconds=1)
    assert time.monotonic() - start < 10
    said = {kind: one["findings"][0]["what"] for kind, one in found.items()}
    assert "ended with 7" in said["map"] and "no end within 1 s" in said["index"]
    monkeypatch.setattr(convert_cli, "fuzz", lambda inputs, seed: found)
    from port import cli

    assert cli.main(["fuzz", "--inputs", "10"]) == 1
    out = capsys.readouterr().out
    assert "FAIL" in out and "ended with 7" in out
