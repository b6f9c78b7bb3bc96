"""What the tests of `evaluate` share.

reds4     a REDS4-shaped set, 4 clips of 3 frames, 24x20 -> 96x80
evaluate  evaluate(*flags, dataset=, root=) runs the stand-in's `evaluate` in this process; -> its result
"""

import json
import shutil

import pytest

from parity_tests.data.made_sets import make_reds
from parity_tests.evaluate import stand_in

CLIPS = ("000", "011", "015", "020")


@pytest.fixture(scope="session")
def _reds4(tmp_path_factory):
    return make_reds(tmp_path_factory.mktemp("evaluate") / "REDS", (*CLIPS, "001"), frames=3, size=(80, 96))


@pytest.fixture
def reds4(_reds4, tmp_path):
    """A copy, so that a test may spoil it."""
    return shutil.copytree(_reds4, tmp_path / "REDS")


@pytest.fixture
def evaluate(tmp_path, monkeypatch, capfd):
    """Weights are a file that is never read; finished clips go to tmp_path/.cache."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.bin").write_bytes(b"weights")

    def run(*flags, dataset="reds4", root="REDS", load=stand_in.load):
        stand_in.given.clear()
        words = ["--weights", "w.bin", "--dataset", dataset, "--root", root, "--json", *flags]
        capfd.readouterr()
        assert stand_in.run(words, load) == 0
        return json.loads(capfd.readouterr().out)

    return run
