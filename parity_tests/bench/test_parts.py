"""The profile by parts of docs/speed.md: whose time is counted, and that none of it is lost."""

import importlib
import json
import time

import pytest

from parity_tests.bench import parts
from port.bench.plan import COLUMNS

SMALL = ["--frames", "3", "--size", "64x64", "--blocks", "1"]


def shares(framework, capsys):
    assert parts.main([framework, *SMALL, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert sum(row[1] for row in found["parts"]) == pytest.approx(1) and found["seconds"] > 0
    return {name: (share, calls, last) for name, share, calls, _, last in found["parts"]}


@pytest.mark.parametrize("framework", COLUMNS)
def test_shares_are_of_the_whole(framework, capsys):
    found = shares(framework, capsys)
    # flow of all pairs in each direction; features of all frames at once; attention and warping of two frames in either
    # direction; the first frame of each is a keyframe, and no other of the three
    calls = {"flow": 2, "features": 1, "attention": 4, "warping along the flow": 4, "tokens of a keyframe": 2, "trunk": 6}
    assert {name: found[name][1] for name in calls} == calls and found["fusion and upsampler"][1] == 3
    assert all(share >= 0 for share, *_ in found.values()) and parts.REST in found


@pytest.mark.parametrize("framework", COLUMNS)
def test_a_slow_part_is_seen(framework, capsys, monkeypatch):
    ttvsr = importlib.import_module(f"{COLUMNS[framework]}.ttvsr").TTVSR
    own = ttvsr._follow
    monkeypatch.setattr(ttvsr, "_follow", lambda *given: (time.sleep(0.5), own(*given))[1])
    share, calls, last = shares(framework, capsys)["warping along the flow"]
    assert last > 0.5 and calls == 4 and share > 0.3


def test_the_table(capsys):
    parts.show({"seconds": 12.34, "parts": [["trunk", 0.75, 95, 0.1, 0.2], [parts.REST, 0.25, None, None, None]]})
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert shown[0] == ["12.3", "s"]
    assert ["│", "trunk", "│", "75.0%", "│", "95", "│", "0.100", "│", "0.200", "│"] in shown


def test_a_size_that_is_none(capsys):
    assert parts.main(["torch", "--size", "180"]) == 2
    assert "rows x columns" in capsys.readouterr().err
