"""How docs/speed.md knows that the usual number of threads is a good one."""

import json

import pytest

from parity_tests.bench import threads
from port.bench.plan import COLUMNS

SMALL = ["--frames", "2", "--size", "64x64", "--blocks", "1", "--threads", "1", "--rounds", "2"]


@pytest.mark.parametrize("framework", COLUMNS)
def test_all_take_turns(framework, capsys, monkeypatch):
    asked, own = [], threads.Worker

    class Told(own):
        def __init__(self, *given, more=()):
            super().__init__(*given, more=more)
            self.more = more

        def ask(self, request):
            answer = super().ask(request)
            asked.append((self.more, answer["backend"].get("threads")))
            return answer

    monkeypatch.setattr(threads, "Worker", Told)
    assert threads.main([framework, *SMALL, "--json"]) == 0
    seconds = json.loads(capsys.readouterr().out)
    assert {name: len(own) for name, own in seconds.items()} == {threads.USUAL: 2, "1": 2}
    assert [more for more, _ in asked] == [(), ("--threads", "1")] * 3
    if framework == "torch":  # MindSpore does not tell
        assert {told for more, told in asked if more} == {1}


def test_the_table(capsys):
    threads.show({threads.USUAL: [2.0, 4.0, 8.0], "1": [3.0, 6.0, 12.0]})
    assert "6 (3 .. 12)" in capsys.readouterr().out


def test_ratios_are_taken_within_rounds(capsys):
    threads.show({threads.USUAL: [2.0, 4.0, 8.0], "1": [3.0, 6.0, 12.0]})
    assert "1.5 (1.5 .. 1.5)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "says"), [
        (["--threads", "0"], "whole numbers from 1 on"),
        (["--size", "8"], "rows x columns"),
        (["--rounds", "0"], "--rounds must be at least 1"),
    ],
)
def test_mistakes_of_the_user(flags, says, capsys):
    assert threads.main(["torch", *flags]) == 2
    assert says in capsys.readouterr().err
