"""`verify --pair`, `capture` and `compare`: exit codes, files, messages."""

import json
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from parity_tests.pairs.conftest import SMALL_PAIR
from port import cli
from port.errors import PortError
from port.parity.pair_start import capture_side

pytestmark = pytest.mark.slow


def code_of(*words):
    try:
        return cli.main([str(word) for word in words])
    except SystemExit as stop:
        return stop.code


def test_two_halves_then_compare(reference, tmp_path, capsys):
    port = tmp_path / "port"
    assert code_of("capture", "ms", SMALL_PAIR, "--out", port, "--reference", reference, "--quiet") == 0
    junit, folder = tmp_path / "sites.xml", tmp_path / "report"
    capsys.readouterr()
    assert code_of("compare", reference, port, "--report", folder, "--junit", junit, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["schema"] == 2 and report["verdict"] == "pass" and report["root_causes"] == []
    assert json.loads((folder / "report.json").read_text(encoding="utf-8")) == report
    assert "PASS" in (folder / "report.md").read_text(encoding="utf-8")
    suites = ElementTree.parse(junit).getroot()
    assert [suite.get("name") for suite in suites] == list(report["stages"])
    assert sum(int(suite.get("failures")) for suite in suites) == 0
    assert sum(int(suite.get("tests")) for suite in suites) > 200


def test_a_different_port_is_1(tmp_path, capsys):
    pair = tmp_path / "pair.py"
    pair.write_text(SMALL_PAIR.read_text(encoding="utf-8").replace("epsilon=1e-5", "epsilon=1e-3"), encoding="utf-8")
    assert code_of("verify", "--pair", pair, "--report", tmp_path / "report", "--quiet") == 1
    shown = capsys.readouterr().out
    assert "FAIL" in shown and "layer_norm" in shown and "epsilon" in shown
    assert shown.rstrip().endswith("report/report.html")
    assert "**epsilon**" in (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    for part in ("Root cause 1", "layer_norm", "Give it epsilon=1e-05", "forward/layer_norm:out", "Do it again"):
        assert part in page, part
    assert len((tmp_path / "report" / "sites.csv").read_text(encoding="utf-8").splitlines()) > 200


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["verify"], 2, "--pair"),
        (["verify", "ttvsr"], 2, "required: --weights, --input, --report"),
        (["verify", "ttvsr", "--pair", "x.py"], 2, "does not go with it"),
        (["verify", "--pair", "x.py", "--input", "y"], 2, "does not go with it"),
        (["verify", "--pair", "x.py", "--weights", "w.pth"], 2, ".safetensors"),
        (["verify", "--pair", "gone.py"], 2, "no such file"),
        (["capture", "ms", SMALL_PAIR, "--out", "out"], 2, "--reference"),
        (["capture", "tf", SMALL_PAIR, "--out", "out"], 2, "invalid choice"),
        (["compare", "gone", "gone"], 3, "no folder"),
        (["compare", ".", "."], 3, "no trace of the pass"),
    ],
)
def test_wrong_words(words, code, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert code_of(*words) == code
    captured = capsys.readouterr()
    assert says in captured.err and captured.out == ""


@pytest.mark.parametrize("program", ["port", "port.cli"])
def test_both_spellings_of_the_program_run(program, tmp_path):
    done = subprocess.run([sys.executable, "-m", program, "compare", "gone", "gone"], capture_output=True, text=True)
    assert done.returncode == 3 and "no folder gone" in done.stderr


def test_a_reference_that_does_not_fit_is_no_reference(tmp_path):
    """Some of its traces are written by then; going on with them would leave the other stages out without a word."""
    with pytest.raises(PortError, match="exit code 3"):
        capture_side("torch", SMALL_PAIR, tmp_path, tmp_path, quiet=True, trace_limit=4e-5)
    assert (tmp_path / "reference" / "trace.json").exists() and not (tmp_path / "updates64" / "trace.json").exists()
