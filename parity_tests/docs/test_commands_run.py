"""Commands of the documents that run, on stand-ins: a network with one block, two frames of 64x64."""

import importlib
import json
import re
import shutil
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import convert_weights
from parity_tests.docs.pages import REPO, blocks, commands, documented, not_in_code
from parity_tests.stream import memory_table
from port import cli
from port.errors import run_command
from port.evaluate.both import compare
from port.models import ttvsr
from port.video.read import read_clip


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    """A folder with what the documents assume: ttvsr_torch.pth (one block), my_clip (two frames of 64x64), my_truth."""
    from parity_tests.ops.both import make_weights
    from port.video.write import write_clip
    from port.weights.ttvsr import TTVSRConfig
    from torch_ref.checkpoint import save

    folder = tmp_path_factory.mktemp("docs")
    weights = make_weights(TTVSRConfig(mid_channels=16, num_blocks=1))
    save(folder / "ttvsr_torch.pth", {f"generator.{name}": array for name, array in weights.items()})
    picture = np.random.default_rng(0).integers(0, 256, (66, 66, 3)).astype(np.uint8)
    clip = np.stack([picture[i : i + 64, i : i + 64] for i in range(2)])
    write_clip(folder / "my_clip", clip)
    write_clip(folder / "my_truth", clip.repeat(4, axis=1).repeat(4, axis=2))
    return folder


def run(words):
    """Run one documented command in this process, in the current folder. -> its exit code"""
    if words[1] == "-m":
        return importlib.import_module(words[2]).main(words[3:])
    options = convert_weights.parse(words[2:])
    return run_command(lambda: convert_weights.main(options), options.debug)


@pytest.mark.parametrize("name", ["README.md", "docs/weights.md"])
def test_conversions_run(name, sandbox, monkeypatch):
    """All of a document, in its order: each finds what the ones before it wrote."""
    monkeypatch.chdir(sandbox)
    conversions = documented(name, "convert_weights.py")
    assert len(conversions) >= 2
    assert [run(words) for words in conversions] == [0] * len(conversions)
    assert (sandbox / "ttvsr_torch.ckpt").is_file() and (sandbox / "back.pth").is_file()


def test_json_fields_of_a_conversion(sandbox, monkeypatch):
    monkeypatch.chdir(sandbox)
    (words,) = [words for words in documented("docs/weights.md", "convert_weights.py") if "--json" in words]
    run(["python", "convert_weights.py", "ttvsr_torch.pth", "-o", "ttvsr.safetensors"])
    assert run(words) == 0
    summary = json.loads((sandbox / "summary.json").read_text(encoding="utf-8"))
    assert not_in_code(summary, "docs/weights.md") == set()


def test_data_page(tmp_path, monkeypatch, capsys):
    """docs/data.md from its first command to its last, on three clips of three small frames."""
    from parity_tests.data.made_sets import make_benchmark, write_pair

    monkeypatch.chdir(tmp_path)
    names = ["00000000", "00000001", "00000002"]
    for kind, clips in (("train", ("000", "001", "011", "015", "020")), ("val", ("000",))):
        gt, lq = Path(f"zips/{kind}/{kind}_sharp"), Path(f"zips/{kind}/{kind}_sharp_bicubic/X4")
        for clip in clips:
            write_pair(gt / clip, lq / clip, int(clip), names, (64, 96))
    make_benchmark("Vid4", size=(32, 48))
    shutil.rmtree("Vid4/BD")
    smaller = {"check": "--subset", "bench": "--frames=3 --crop=8 --batches=1 --repeats=1"}
    for words in documented("docs/data.md", "port"):
        extra = smaller.get(words[4], "").split()
        assert cli.main([*words[3:], *extra]) == 0, (words, capsys.readouterr())
    (snippet,) = blocks((REPO / "docs" / "data.md").read_text(encoding="utf-8"), "python")
    capsys.readouterr()
    exec(compile(snippet, "docs/data.md", "exec"), {})
    assert capsys.readouterr().out.splitlines() == ["(2, 3, 3, 16, 16) (2, 3, 3, 64, 64)"] * 2


@pytest.mark.slow
def test_inference_runs(sandbox, monkeypatch):
    """The first command of each column in the README; both leave the same pictures."""
    monkeypatch.chdir(sandbox)
    assert run(documented("README.md", "convert_weights.py")[0]) == 0
    for column, out in (("torch_ref", "out-torch"), ("ms_model", "out-ms")):
        assert run(documented("README.md", f"{column}.infer")[0]) == 0
        assert len(list((sandbox / out).glob("*.png"))) == 2
    reference, port = (read_clip(sandbox / out).frames.astype(int) for out in ("out-torch", "out-ms"))
    assert reference.shape == (2, 256, 256, 3) and np.abs(reference - port).max() <= 1


FILMS = {"holiday.mp4": 3, "film.mkv": 3, "long.mp4": 5}  # what docs/video.md enlarges, and how many frames it has here


@pytest.fixture
def films(sandbox, monkeypatch):
    """The films of docs/video.md with 16x16 pixels, and a clip; networks that take so small ones."""
    from port.video.write import write_clip

    monkeypatch.chdir(sandbox)
    monkeypatch.setattr(ttvsr, "MIN_SIZE", 16)
    frames = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3)).astype(np.uint8)
    for name, count in FILMS.items():
        write_clip(sandbox / name, frames[:count], Fraction(25))


def test_video_page(films, monkeypatch, capsys):
    """docs/video.md from its first command to its last, each writing what it says; but for the one that needs an Ascend."""
    run(["python", "convert_weights.py", "ttvsr_torch.pth", "-o", "ttvsr_torch.ckpt"])
    for name in ("RUNS", "LONG"):
        monkeypatch.setattr(memory_table, name, ((2, 64, 64),))  # each takes a process
    text = (REPO / "docs" / "video.md").read_text(encoding="utf-8")
    left_out = [words for words in commands(text) if "ascend" in words]
    assert len(left_out) == 1
    for words in commands(text):
        if words in left_out:
            continue
        targets = [Path(after) for flag, after in pairwise(words) if flag in ("--output", "--compare")]
        targets += [Path(words[5])] if "parity_tests.stream.standin" in words else []
        for path in targets:  # several commands write the same film
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        extra = ["--compare-frame", "1"] if "--compare-frame" in words else []
        assert run([*words, *extra]) == 0, (words, capsys.readouterr())
        for path in targets:
            (film,) = [word for word in words if word in FILMS]
            frames = 1 if path.suffix == ".png" else FILMS[film]
            assert read_clip(path).frames.shape[:2] == (frames, 64), words
        shown = capsys.readouterr().out
        if "parity_tests.stream.seams" in words:
            asked = [word for word in words if re.fullmatch(r"\d+(,\d+)+", word)]
            assert len(re.findall(r"^\| (window|tile) ", shown, re.M)) == len(asked)


def test_evaluation_runs(sandbox, monkeypatch, capsys):
    """The command on a folder of one's own, and what it and `results` put into JSON."""
    monkeypatch.chdir(sandbox)
    (words,) = [words for words in documented("docs/evaluate.md", "torch_ref.evaluate") if "folder" in words]
    assert run([*words, "--json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["mean"]["clips"], found["mean"]["frames"]) == (1, 2)
    assert sorted(path.name for path in (sandbox / "out/my_clip").iterdir()) == ["00000000.png", "00000001.png"]
    both = {**compare(found, found, 0.0), "weights": "", "command": "", "created": "", "wall_seconds": 0}
    for result in (found, both["reference"], both["port"]):
        result.pop("environment")  # its names are the machine's
    assert not_in_code(both, "docs/evaluate.md") == set()


@pytest.mark.slow
def test_two_machines(sandbox, monkeypatch, capsys):
    """The recipe of docs/parity.md from its first command to its last line of Python, and the fields of report.json."""
    monkeypatch.chdir(sandbox)
    text = (REPO / "docs" / "parity.md").read_text(encoding="utf-8")
    (array,) = [words for words in commands(text) if words[1] == "-c"]
    monkeypatch.setattr("sys.argv", ["-c", *array[3:]])
    exec(compile(array[2], "-c", "exec"), {})
    steps = [words for words in commands(text) if words[1] != "-c" and "port" not in words]
    assert [words[2] if words[1] == "-m" else words[1] for words in steps] == [
        "convert_weights.py", "torch_ref.capture", "ms_model.capture"
    ]  # fmt: skip
    assert [run([*words, "--quiet"] if words[1] == "-m" else words) for words in steps] == [0, 0, 0]
    (snippet,) = blocks(text, "python")
    exec(compile(snippet, "docs/parity.md", "exec"), {})
    assert "PASS" in capsys.readouterr().out
    report = json.loads((sandbox / "report" / "report.json").read_text(encoding="utf-8"))
    assert report["verdict"] == "pass"
    assert not_in_code(report, "docs/parity.md") == set()
    header = (sandbox / "report" / "sites.csv").read_text(encoding="utf-8").splitlines()[0]
    assert not_in_code(dict.fromkeys(header.split(",")), "docs/parity.md") == set()
    for path in (sandbox / "work").rglob("*.safetensors"):
        path.unlink()


@pytest.mark.slow
def test_training_runs(sandbox, monkeypatch):
    """The first command of docs/train.md, two steps of it."""
    from parity_tests.data.made_sets import write_pair

    monkeypatch.chdir(sandbox)
    write_pair("clips/gt/a", "clips/lq/a", 0, ["0", "1", "2"], size=(272, 256))
    words = documented("docs/train.md", "torch_ref.train")[0]
    assert run([*words, "--set", "iterations=2", "--set", "frames=2", "--quiet"]) == 0
    text = (REPO / "docs/train.md").read_text(encoding="utf-8")
    files = {path.name for path in Path("runs/tiny").iterdir() if not path.name.startswith(".")}
    assert files - {"initial.safetensors", "result.json"} == set(re.findall(r"^\| `([\w.]+)` \|", text, re.M)) & files
    record = json.loads(Path("runs/tiny/log.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert not_in_code(record, "docs/train.md") == set()
