"""`shrink`: the folder shows its root cause in a clean process, alone, and no longer when the port's line is mended."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file

from parity_tests.pairs.conftest import FAULTY
from port import cli
from port.shrink.cut import candidates
from port.shrink.keep import drop_large
from port.shrink.siblings import copy_with_siblings

pytestmark = pytest.mark.slow

CAUSES = {"forward": 1, "glue": 2, "backward": 3, "optimiser": 4}  # in the order of the report
MENDED = {"forward": FAULTY[0], "glue": FAULTY[3], "backward": FAULTY[1]}


@pytest.fixture(scope="module")
def report(reference, ports, tmp_path_factory):
    """Folder of the report on the faulty port."""
    folder = tmp_path_factory.mktemp("shrink") / "report"
    assert cli.main(["compare", str(reference), str(ports["faulty"]), "--report", str(folder), "--json"]) == 1
    return folder


def check(folder):
    """check.py in a process that knows nothing of this repository. -> its exit code, what it prints"""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([sys.executable, "check.py"], cwd=folder, env=clean, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("what", MENDED)
def test_folder_shows_the_fault_until_it_is_mended(what, report, tmp_path, capsys):
    out = tmp_path / "alone"
    assert cli.main(["shrink", str(report), "--cause", str(CAUSES[what]), "--out", str(out), "--quiet"]) == 0
    assert str(out) in capsys.readouterr().out
    readme, held = (out / "README.md").read_text(encoding="utf-8"), {path.name for path in out.iterdir()}
    data = "inputs.safetensors" if what == "glue" else "data.safetensors"
    assert held == {"README.md", "about.json", "check.py", "run_torch.py", "run_mindspore.py", "shrunk.py", "pair.py",
                    "weights.safetensors", "expected.safetensors", data}  # fmt: skip
    assert "| port |" in readme and "pair.py:" in readme and ("whole network" in readme) == (what == "glue")
    whole = load_file(report / "causes" / "network.safetensors")
    before = sum(array.nbytes for name, array in whole.items() if what != "glue" or name.startswith("input/"))
    assert sum(array.nbytes for array in load_file(out / data).values()) <= before * (0.25 if what == "glue" else 0.1)

    code, said = check(out)
    assert code == 1 and "FAULT" in said, said
    right, wrong = MENDED[what]
    text = (out / "pair.py").read_text(encoding="utf-8")
    assert text.count(wrong) == 1
    (out / "pair.py").write_text(text.replace(wrong, right), encoding="utf-8")
    code, said = check(out)
    assert code == 0 and "MENDED" in said, said
    if (
        what == "glue"
    ):  # sites that do not exist, as those of a second step on inputs of one: neither a fault nor mended
        about = json.loads((out / "about.json").read_text(encoding="utf-8"))
        (out / "about.json").write_text(json.dumps(about | {"sites": ["forward/first:in0#1"]}), encoding="utf-8")
        code, said = check(out)
        assert code == 3 and "nothing was compared" in said, said


def test_evidence_is_that_of_the_cause(report):
    """What the report keeps: the call's input, both values and float64, the one that is wrong being the port's."""
    about = json.loads((report / "causes" / "1.json").read_text(encoding="utf-8"))
    kept = load_file(report / "causes" / "1.safetensors")
    assert (about["module"], about["kind"], about["too_large"]) == ("act", "forward", [])
    x, right, wrong = (kept[name] for name in ("argument/0", "value/reference", "value/port"))
    assert np.allclose(right, np.where(x > 0, x, 0.1 * x)) and np.allclose(wrong, np.where(x > 0, x, 0.2 * x))
    assert kept["value/truth"].dtype == np.float64
    optimiser = json.loads((report / "causes" / "4.json").read_text(encoding="utf-8"))
    assert optimiser["kind"] is None and optimiser["stage"] == "training"


@pytest.mark.parametrize(
    ("cause", "code", "says"), [("9", 2, "names 4 root causes"), ("0", 2, "counted from 1"), ("one", 2, "invalid int")]
)
def test_wrong_numbers(cause, code, says, report, capsys):
    try:
        found = cli.main(["shrink", str(report), "--cause", cause])
    except SystemExit as stop:
        found = stop.code
    assert found == code and says in capsys.readouterr().err


def test_what_cannot_be_shrunk_is_said(report, reference, ports, tmp_path, capsys):
    def says(words, text):
        assert cli.main(["shrink", *map(str, words)]) == 3
        assert text in capsys.readouterr().err

    says([tmp_path], "no report")
    cli.main(["compare", str(reference), str(ports["healthy"]), "--report", str(tmp_path / "good"), "--json"])
    says([tmp_path / "good"], "names no root cause")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("dear")
    says([report, "--out", tmp_path / "mine"], "was not made by `port shrink`")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "dear"
    copy = shutil.copytree(report, tmp_path / "copy")
    told = json.loads((copy / "report.json").read_text(encoding="utf-8"))
    told["root_causes"][1]["stage"] = "compiled"
    (copy / "report.json").write_text(json.dumps(told), encoding="utf-8")
    says([copy, "--cause", "2"], "shows in compiled code only")
    shutil.rmtree(copy / "causes" / "code")
    says([copy], "pair's file was not at hand")
    shutil.rmtree(copy / "causes")
    says([copy], "no evidence")


def test_a_passing_report_keeps_no_causes_of_an_earlier_one(report, reference, ports, tmp_path):
    copy = shutil.copytree(report, tmp_path / "copy")
    assert cli.main(["compare", str(reference), str(ports["healthy"]), "--report", str(copy), "--json"]) == 0
    assert not (copy / "causes").exists()


def test_cuts_are_around_the_worst_place_and_the_whole_is_among_them():
    x = np.arange(2 * 3 * 16 * 16, dtype=np.float32).reshape(2, 3, 16, 16)
    cuts = [cut["argument/0"] for cut in candidates({"argument/0": x}, (1, 0, 9, 15))]
    assert any(cut.shape == x.shape for cut in cuts)
    smallest = min(cuts, key=lambda cut: cut.size)
    assert smallest.shape == (1, 3, 1, 1) and np.array_equal(smallest, x[1:, :, 9:10, 15:])
    assert all(np.isin(x[1, 0, 9, 15], cut) for cut in cuts)


def test_arguments_of_other_sizes_are_left_whole():
    given = {"argument/0": np.zeros((2, 3, 8, 8)), "argument/1": np.zeros((2, 5))}
    assert all(cut["argument/1"].shape[1:] == (5,) for cut in candidates(given, ()))
    assert not any(cut["argument/0"].shape[0] == 1 for cut in candidates(given | {"argument/1": np.zeros((3, 5))}, ()))


def test_what_is_too_large_is_named():
    arrays = {"a": np.zeros(10, np.float32), "b": np.zeros(30, np.float32), "c": np.zeros(25, np.float32)}
    assert [text.split()[0] for text in drop_large(arrays, 110, 120)] == ["b", "c"] and list(arrays) == ["a"]


def test_files_beside_the_pair_come_along(tmp_path):
    """Imported ones, those named in a string, and what they import in turn; packages stay where they are."""
    there, here = tmp_path / "there", tmp_path / "here"
    for folder in (there / "package", here):
        folder.mkdir(parents=True)
    texts = {"my_pair": "def ms_net():\n    import layers, numpy, package.sub\n    return 'half.py', 'no.py', '../x.py'\n",
             "layers": "from blocks import Block\n", "blocks": "import my_pair\n", "half": "", "other": ""}  # fmt: skip
    for name, text in texts.items():
        (there / f"{name}.py").write_text(text, encoding="utf-8")
    found = copy_with_siblings(there / "my_pair.py", here)
    assert sorted(found["copied"]) == ["blocks.py", "half.py", "layers.py"] and found["referenced"] == ["package"]
    assert {path.name for path in here.iterdir()} == {"pair.py", "layers.py", "blocks.py", "half.py"}
    assert (here / "pair.py").read_text(encoding="utf-8") == texts["my_pair"]
