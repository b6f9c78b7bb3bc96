"""The profile by parts of docs/speed.md: whose time is counted, and that none of it is lost."""

import importlib
import json
import time

import pytest

from parity_tests.bench import parts
from port.bench.plan import COLUMNS

pytestmark = pytest.mark.usefixtures("memory_as_it_was")
SMALL = ["--frames", "3", "--size", "64x64", "--blocks", "1"]


def seconds(framework, capsys):
    """Part -> (seconds, calls, seconds of the last call)"""
    assert parts.main([framework, *SMALL, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert all(last < found["seconds"] for *_, last in found["parts"] if last is not None)
    return {name: (share * found["seconds"], calls, last) for name, share, calls, _, last in found["parts"]}


@pytest.mark.parametrize("framework", COLUMNS)
def test_every_call_is_counted(framework, capsys):
    found = seconds(framework, capsys)
    # flow of all pairs in each direction; features of all frames at once; attention and warping of two frames in either
    # direction; the first frame of each is a keyframe, and no other of the three
    calls = {"flow": 2, "features": 1, "attention": 4, "warping along the flow": 4, "tokens of a keyframe": 2, "trunk": 6}
    assert {name: found[name][1] for name in calls} == calls and found["fusion and upsampler"][1] == 3
    assert all(own >= 0 for own, *_ in found.values()) and parts.REST in found


@pytest.mark.parametrize("framework", COLUMNS)
def test_a_slow_part_is_seen(framework, capsys, monkeypatch):
    ttvsr = importlib.import_module(f"{COLUMNS[framework]}.ttvsr").TTVSR
    own = ttvsr._follow
    monkeypatch.setattr(ttvsr, "_follow", lambda *given: (time.sleep(0.5), own(*given))[1])
    own, calls, last = seconds(framework, capsys)["warping along the flow"]
    assert last > 0.5 and calls == 4 and own > 4 * 0.5


@pytest.mark.parametrize("framework", COLUMNS)
def test_what_is_no_part_is_not_lost(framework, capsys, monkeypatch):
    ttvsr = importlib.import_module(f"{COLUMNS[framework]}.ttvsr").TTVSR
    own = ttvsr._is_mirror_extended
    monkeypatch.setattr(ttvsr, "_is_mirror_extended", lambda *given: (time.sleep(1.5), own(*given))[1])
    assert seconds(framework, capsys)[parts.REST][0] > 1.5


def test_the_table(capsys):
    parts.show({"seconds": 12.34, "parts": [["trunk", 0.75, 95, 0.1, 0.2], [parts.REST, 0.25, None, None, None]]})
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert shown[0] == ["12.3", "s"]
    assert ["│", "trunk", "│", "75.0%", "│", "95", "│", "0.100", "│", "0.200", "│"] in shown


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--size", "180"], "rows x columns"),
        (["--frames", "1"], "--frames must be at least 2"),
        (["--fast", "compile"], "would compile the clock"),
    ],
)
def test_mistakes_of_the_user(flags, says, capsys):
    assert parts.main(["torch", *flags]) == 2
    assert says in capsys.readouterr().err
