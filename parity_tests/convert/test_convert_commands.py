"""`convert_weights.py --pair` and `--map` as commands: what they write, what they refuse, how they end."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import convert_weights
from parity_tests.convert.layer_nets import pair_file
from parity_tests.convert.made_files import ported, weight_map, weights, write
from port.convert import run
from port.convert.settle import Settled
from port.errors import run_command
from port.weights.map_file import read_map, write_map

REPO = Path(__file__).resolve().parents[2]


def command(*words):
    """In this process. -> exit code"""
    try:
        options = convert_weights.parse([*map(str, words)])
    except SystemExit as stop:
        return stop.code
    return run_command(lambda: convert_weights.main(options))


@pytest.fixture
def mapped(tmp_path):
    """in.safetensors and map.toml"""
    write_map(tmp_path / "map.toml", weight_map())
    return write(tmp_path / "in.safetensors", weights()), tmp_path / "map.toml"


def test_a_pair_is_converted_there_and_back(tmp_path):
    """The whole command on a network with gates in another order and a matrix the other way round: both networks run, the map
    is written and proved; with the map alone the checkpoint comes back bit for bit."""
    random = np.random.default_rng(5)
    shapes = {"step.weight_ih": (16, 3), "step.weight_hh": (16, 4), "step.bias_ih": (16,), "step.bias_hh": (16,),
              "head.weight": (4, 4), "head.bias": (4,)}  # fmt: skip
    given = {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    source, map_ = write(tmp_path / "net.safetensors", given), tmp_path / "map.toml"
    words = ["--pair", pair_file("gates", tmp_path / "my_pair.py"), source, "-o", tmp_path / "ms.safetensors"]
    line = [
        sys.executable,
        "convert_weights.py",
        *map(str, words),
        "--map",
        str(map_),
        "--json",
        str(tmp_path / "s.json"),
    ]
    done = subprocess.run(line, cwd=REPO, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (
        "proved" in done.stdout and "read back bit-equal" in done.stdout and "other layouts break parity" in done.stdout
    )
    found = load_file(tmp_path / "ms.safetensors")
    i, f, g, o = np.split(given["step.weight_ih"], 4)
    assert np.array_equal(found["step.weight_ih"], np.concatenate([i, g, f, o]))
    assert np.array_equal(found["head.weight"], given["head.weight"].T)

    assert command(tmp_path / "ms.safetensors", "--map", map_, "-o", tmp_path / "back.safetensors", "--quiet") == 0
    back = load_file(tmp_path / "back.safetensors")
    assert back.keys() == given.keys() and all(back[n].tobytes() == a.tobytes() for n, a in given.items())


@pytest.mark.parametrize("dtype", ["keep", "bfloat16"])
@pytest.mark.parametrize("suffix", [".pth", ".ckpt"])
def test_formats_that_are_written_whole(suffix, dtype, mapped, tmp_path, capsys):
    """From .safetensors to a framework's file and back by the same map."""
    source, map_ = mapped
    if suffix == ".pth":  # which has the reference's names
        assert command(source, "--map", map_, "-o", tmp_path / "ms.safetensors") == 0
        source = tmp_path / "ms.safetensors"
    middle, end = tmp_path / f"middle{suffix}", tmp_path / "end.safetensors"
    assert command(source, "--map", map_, "-o", middle, "--dtype", dtype) == 0
    assert command(middle, "--map", map_, "-o", end, "--dtype", "keep" if dtype == "keep" else "float32") == 0
    expected = ported(weights()) if suffix == ".pth" else {**weights(), "count": np.array(0)}
    found = load_file(end)
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].shape == array.shape
        assert np.allclose(found[name], array, rtol=0 if dtype == "keep" else 2**-8, atol=0), name


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"split 3"', '"split 2"', "line {}: layout 'split 2' is for 1 torch and 2 ms names"),
        ('ms = "out_t"', 'ms = "q"', "line {}: 'q' (ms) stands twice, before in line 9"),
        ('"gates 0 2 1 3"', '"gates 0 2 1 4"', "line {}: unknown layout"),
        ("schema = 1", "schema = 9", "expected schema = 1, found 9"),
    ],
)
def test_a_map_edited_wrongly_is_refused_with_its_line(old, new, says, mapped, tmp_path, capsys):
    source, map_ = mapped
    text = map_.read_text(encoding="utf-8")
    assert text.count(old) == 1
    line = text[: text.index(old)].count("\n") + 1
    map_.write_text(text.replace(old, new), encoding="utf-8")
    assert command(source, "--map", map_) == 3
    assert f"{map_}" in (told := capsys.readouterr().err) and says.format(line) in told
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.safetensors", "map.toml"]


def settled(monkeypatch, undetermined=(), equal=True):
    """What running the pair would find."""
    found = weight_map()
    found.undetermined = list(undetermined)
    monkeypatch.setattr(run, "find_map", lambda pair, quiet: Settled(found, equal, 0.0 if equal else 1.0, 3))


@pytest.mark.parametrize(("why", "says"), [(("'q' and 'k'",), "is undetermined"), ((), "is not proved")])
def test_a_map_in_doubt_converts_nothing_until_it_is_mended(why, says, mapped, tmp_path, monkeypatch, capsys):
    source, map_ = mapped
    map_.unlink()
    settled(monkeypatch, why, equal=bool(why))
    target = tmp_path / "out.safetensors"
    assert command("--pair", "my_pair.py", source, "--map", map_, "-o", target) == 1
    told = capsys.readouterr().err
    assert f"not converted: the map {says}" in told and str(map_) in told and not target.exists()
    assert read_map(map_).undetermined == list(why)
    if why:
        assert command("--pair", "my_pair.py", source, "--map", map_, "-o", target) == 1
        text = map_.read_text(encoding="utf-8")
        map_.write_text(text.replace("undetermined = [\"'q' and 'k'\"]", "undetermined = []"), encoding="utf-8")
        assert command(source, "--map", map_, "-o", target) == 0 and target.exists()


def test_a_pair_without_a_checkpoint_gives_its_map(tmp_path, monkeypatch, capsys):
    settled(monkeypatch)
    assert command("--pair", "my_pair.py", "--map", tmp_path / "map.toml") == 0
    assert read_map(tmp_path / "map.toml") == weight_map()
    assert "proved" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("in.safetensors --dtype float16", "--dtype needs --pair or --map"),
        ("in.safetensors --shard-size 1", "--shard-size needs --pair or --map"),
        ("in.safetensors --allow-non-finite", "--allow-non-finite needs --pair or --map"),
        ("--quiet", "name a checkpoint"),
        ("in.safetensors --map map.toml --model ttvsr", "do not go with --pair and --map"),
        ("in.safetensors --map map.toml --shard-size 0", "--shard-size is at least 0.001"),
        ("in.safetensors --map map.toml --dtype int8", "invalid choice: 'int8'"),
        ("in.safetensors --map gone.toml", "there is no map gone.toml, and no --pair"),
        ("in.safetensors --map map.toml -o out.onnx", "unknown extension '.onnx'"),
        ("in.safetensors --map map.toml -o out.pth", "no .pth file has"),
        ("in.safetensors --map map.toml -o in.safetensors", "is the source itself"),
        ("in.safetensors --map map.toml --json map.toml", "would overwrite"),
        ("--pair gone.py in.safetensors", "no pair gone.py"),
    ],
)
def test_wrong_usage_ends_in_2(words, says, mapped, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert command(*words.split()) == 2
    assert says in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.safetensors", "map.toml"]


@pytest.mark.parametrize("suffix", [".safetensors", ".ckpt"])
def test_what_is_not_finite_is_refused_unless_it_is_meant(suffix, mapped, tmp_path, capsys):
    source, map_ = mapped
    given = weights()
    given["conv"][2, 1, 3] = np.nan
    write(source, given)
    target = tmp_path / f"out{suffix}"
    assert command(source, "--map", map_, "-o", target) == 3
    assert "'conv4' holds NaN or infinite values, the first at (2, 1, 0, 3)" in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.safetensors", "map.toml"]
    assert command(source, "--map", map_, "-o", target, "--allow-non-finite") == 0
    if suffix == ".safetensors":
        assert load_file(target)["conv4"].tobytes() == given["conv"].tobytes()
