"""Pairs in half precision: judged in units of their type, held against the reference cast alike, refused without a kernel."""

import json
from importlib import import_module

import numpy as np
import pytest

from parity_tests.pairs.conftest import SMALL_PAIR
from port import cli
from port.parity import tolerance
from port.parity.measure import EPS32, eps_of
from port.parity.pair_capture import Types, applicable, in_words
from port.parity.pair_start import capture_side
from port.parity.pair_verify import compare_folders, make_report
from port.parity.ratio import error_ratios

ACT = "nn.LeakyReLU(0.1)\n            self.pool = nn.AvgPool2d(2, stride=2)"
SLOPE = (ACT, ACT.replace("0.1", "0.11"))
FIRST = "self.first(x.flatten(start_dim=1))"
NOT_COMPILED = '\nCOMPILE = False\nCOMPILE_REASON = "tested elsewhere"\n'


@pytest.fixture(scope="module", params=[("float16", "float16"), ("float32", "float16")], ids=["both", "port"])
def half(request, tmp_path_factory):
    """half((old, new), ...) -> report of the changed port, in float16 against the reference in float16 or float32"""
    folder = tmp_path_factory.mktemp("half")
    dtype, port_dtype = request.param
    capture_side("torch", SMALL_PAIR, folder / "reference", folder / "reference", None, True, dtype, port_dtype)

    def run(*replacements, extra=NOT_COMPILED):
        text = SMALL_PAIR.read_text(encoding="utf-8")
        for old, new in replacements:
            assert text.count(old) == 1
            text = text.replace(old, new)
        (folder / "pair.py").write_text(text + extra, encoding="utf-8")
        capture_side("ms", folder / "pair.py", folder / "port", folder / "reference", quiet=True)
        compared = compare_folders(folder / "reference", folder / "port")
        return make_report("half", compared, folder / "reference", folder / "port", {})

    run.dtype = dtype
    return run


def test_a_healthy_pair_passes_and_the_types_are_named(half):
    report = half(extra="")
    assert report["verdict"] == "pass" and report["stages"]["compiled"]["verdict"] == "pass"
    assert [report["environment"][side]["dtype"] for side in ("reference", "port")] == [half.dtype, "float16"]
    assert report["coverage"]["stages"]["forward"]["sites_compared"] == 20
    assert 0 < report["stages"]["forward"]["worst"]["error_ratio"] < 8
    assert any(note.startswith("training: not compared") for note in report["notes"])


@pytest.mark.parametrize(
    "change, module", [(SLOPE, "act"), ((FIRST, f"{FIRST[:-1]} * 1.02)"), "")], ids=["slope", "glue"]
)
def test_mistakes_are_found_in_half_precision(change, module, half):
    report = half(change)
    assert report["verdict"] == "fail"
    assert [cause["module"] for cause in report["root_causes"]] == [module]


def test_a_module_left_in_float32_is_another_type(half):
    report = half((FIRST, f"{FIRST}.astype('float32')"))
    assert report["verdict"] == "fail"
    assert any("type float32 in the port, float16" in row["reason"] for row in report["stages"]["forward"]["failing"])


def test_a_type_without_a_kernel_could_not_run(tmp_path, capfd):
    """MindSpore has no convolution in bfloat16 on a CPU (catalogue 88)."""
    assert (
        cli.main(["verify", "--pair", str(SMALL_PAIR), "--dtype", "bfloat16", "--report", str(tmp_path), "--quiet"])
        == 3
    )
    assert "no kernel for Conv2D in bfloat16 on CPU" in capfd.readouterr().err
    assert not (tmp_path / "report.json").exists()


def test_a_port_in_another_type_than_its_reference_was_captured_for_is_refused(reference, tmp_path, capsys):
    port = tmp_path / "port"
    assert (
        cli.main(["capture", "ms", str(SMALL_PAIR), "--out", str(port), "--reference", str(reference), "--quiet"]) == 0
    )
    about = json.loads((port / "forced" / "trace.json").read_text(encoding="utf-8"))
    (port / "forced" / "trace.json").write_text(json.dumps({**about, "dtype": "float16"}), encoding="utf-8")
    assert cli.main(["compare", str(reference), str(port)]) == 3
    assert "captured in float16" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["verify", "--pair", str(SMALL_PAIR), "--dtype", "float8"],
        ["verify", "ttvsr", "--weights", "w.pth", "--input", "x", "--report", "r", "--dtype", "float16"],
        ["capture", "ms", str(SMALL_PAIR), "--out", "out", "--reference", "r", "--dtype", "float16"],
    ],
)
def test_wrong_words(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        raise SystemExit(cli.main(words))
    assert stop.value.code == 2 and "dtype" in capsys.readouterr().err


def test_errors_are_counted_in_units_of_the_type():
    """Half a unit in the last place is the floor: 8 times that passes, 9 times does not."""
    limits, exact = tolerance.load(), np.ones(100)
    for dtype, units in (("float16", limits.ratio_floor_eps_half), ("bfloat16", limits.ratio_floor_eps_half),
                         ("float32", limits.ratio_floor_eps)):  # fmt: skip
        for times in (8, 9):
            port = exact + times * units * eps_of(dtype)
            assert error_ratios(exact, port, exact, limits, eps=eps_of(dtype))[0] == pytest.approx(times)
    assert eps_of("float16") == np.finfo(np.float16).eps and eps_of("float64") == EPS32


class Side:
    def __init__(self, compiled=("",)):
        self.optimizer, self.pair = object(), self
        self.compiled = compiled


def test_passes_that_a_type_has():
    names = ["reference", "cast", "forcedcast", "training", "compiled"]
    assert applicable(names, Side()) == ["reference", "training", "compiled"]
    assert applicable(names, Side(()), types=Types("float16", "float16")) == ["reference"]
    assert applicable(names, Side(), types=Types("float32", "float16")) == [
        "reference",
        "cast",
        "forcedcast",
        "compiled",
    ]


@pytest.mark.parametrize(
    "column, words, operator",
    [
        ("ms_model", "Select CPU operator[MatMul] fail! Unsupported data type!", "MatMul"),
        ("ms_model", "For primitive[BatchNorm], the input argument[input_x] must be a type of {...}", "BatchNorm"),
        ("ms_model", "KernelMod Init Failed: GroupNorm", "GroupNorm"),
        ("ms_model", "For 'MatMul', the shapes do not fit", None),
        ("torch_ref", "\"slow_conv2d_cpu\" not implemented for 'Half'", "slow_conv2d_cpu"),
        ("torch_ref", "mat1 and mat2 shapes cannot be multiplied", None),
    ],
)
def test_the_operator_without_a_kernel_is_read_from_the_message(column, words, operator):
    assert import_module(f"{column}.pairs").missing_kernel(TypeError(words)) == operator


def test_a_failure_is_told_by_its_first_words():
    ruler = "-" * 40
    words = in_words(TypeError(f"\n{ruler}\n- Kernel select failed:\n{ruler}\nSelect CPU operator[Conv2D] fail!\nmore"))
    assert words == "TypeError: Select CPU operator[Conv2D] fail!"
    assert in_words(ValueError()) == "ValueError: ValueError()"
