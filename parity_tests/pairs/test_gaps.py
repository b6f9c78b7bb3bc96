"""Kernels known to err: excused where a model predicts the port's value, within the bound, for this version; never else."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from port import gaps_cli
from port.parity import kernel_gaps, tolerance
from port.parity.compare import Stage
from port.parity.kernel_gaps import Gaps, load, pass_known_gaps
from port.parity.kernels import KERNELS
from port.parity.pair_compare import compare_sites
from port.parity.pair_start import capture_side
from port.parity.pair_verify import compare_folders, make_report
from port.parity.trace import Trace, TraceWriter

pytestmark = pytest.mark.slow

GAP_PAIR = Path(__file__).with_name("gap_pair.py")
NOT_COMPILED = '\nCOMPILE = False\nCOMPILE_REASON = "tested elsewhere"\n'


def captured(folder, text):
    """Both sides of a pair. -> their folders"""
    (folder / "pair.py").write_text(text + NOT_COMPILED, encoding="utf-8")
    for side, out in (("torch", folder / "reference"), ("ms", folder / "port")):
        capture_side(side, folder / "pair.py", out, folder / "reference", quiet=True)
    return folder / "reference", folder / "port"


@pytest.fixture(scope="module")
def traces(tmp_path_factory):
    return captured(tmp_path_factory.mktemp("gaps"), GAP_PAIR.read_text(encoding="utf-8"))


def report_on(traces):
    compared = compare_folders(*traces)
    return make_report("gaps", compared, *traces, {})


def test_known_kernels_are_listed_and_not_blamed_on_the_port(traces):
    report = report_on(traces)
    assert report["verdict"] == "pass" and report["root_causes"] == []
    found = {gap["op"]: gap for gap in report["kernel_gaps"]}
    assert found.keys() == {"tanh", "mish", "bicubic, align_corners=True"}
    assert {"forward/tanh:out", "forward/tanh:in0@grad", "end/output"} <= set(found["tanh"]["sites"])  # module and glue
    assert "forward/mish:in0@grad" in found["mish"]["sites"]
    for gap in found.values():
        assert 0 < gap["measured"] <= gap["bound"] and gap["version"].startswith("2.")


def test_without_the_table_they_fail(traces, monkeypatch):
    monkeypatch.setattr(kernel_gaps, "load", tuple)
    report = report_on(traces)
    assert report["verdict"] == "fail" and report["kernel_gaps"] == []
    assert {"tanh", "larger", "mish"} <= {cause["module"] for cause in report["root_causes"]}


def test_another_version_fails_and_is_told_what_it_looks_like(traces, monkeypatch):
    table = tuple(replace(gap, versions=("1.*",)) for gap in load())
    monkeypatch.setattr(kernel_gaps, "load", lambda: table)
    report = report_on(traces)
    assert report["verdict"] == "fail" and report["kernel_gaps"] == []
    assert {cause["diagnosis"] for cause in report["root_causes"]} == {"kernel_gap"}


def test_bicubic_with_the_other_corners_is_named_and_never_green(tmp_path):
    """Entry 44: another cubic. No bound excuses it; the report says what it is and what to write."""
    text = GAP_PAIR.read_text(encoding="utf-8").replace("align_corners=True", "align_corners=False")
    report = report_on(captured(tmp_path, text))
    assert report["verdict"] == "fail"
    assert [(cause["module"], cause["diagnosis"]) for cause in report["root_causes"]] == [("larger", "kernel_gap")]
    assert "matmul" in report["root_causes"][0]["suggestion"]
    assert "bicubic, align_corners=False" not in {gap["op"] for gap in report["kernel_gaps"]}


# ------------------------------------------------------------------------------------------- judged from traces

X = np.random.default_rng(4).uniform(-8, 8, (6, 50)).astype(np.float32)
IN, OUT = "forward/m:in0", "forward/m:out"
TANH = KERNELS["tanh"]


@pytest.fixture
def judged(tmp_path):
    """judged(port's value, function) -> (row, what is listed) after the rule for known gaps"""

    def write(values):
        writer = TraceWriter(tmp_path / str(len(list(tmp_path.iterdir()))), 1 << 30)
        for site, array in values.items():
            writer.add(site, "input" if ":in" in site else "output", array, whole=True)
        writer.finish(None, error=None)
        return Trace(writer.folder)

    def judge(value, function=np.tanh):
        exact = function(X.astype(np.float64))
        reference, truth = write({IN: X, OUT: exact.astype(np.float32)}), write({IN: X.astype(np.float64), OUT: exact})
        port = write({IN: X, OUT: value.astype(np.float32)})
        limits = tolerance.load()
        stage: Stage = compare_sites("forward", reference, port, truth, limits)
        assert stage.rows[1].reason  # the ratio alone fails it
        found = pass_known_gaps(stage, Gaps(reference, truth, load()), reference, port, truth, limits)
        return stage.rows[1], found

    return judge


KERNEL = TANH.kernel(X.astype(np.float64), X.shape)


def test_what_the_model_predicts_passes(judged):
    row, (found,) = judged(KERNEL)
    assert row.reason is None and row.note.startswith("kernel gap of tanh (catalogue 28)")
    assert 5e-5 < found["measured"] < found["bound"]


@pytest.mark.parametrize(
    "value",
    [
        KERNEL + 1e-5,
        KERNEL * 1.00001,
        np.tanh(X) + 1e-4,
        np.tanh(X * 1.0001),
        np.where(X > 7.9, 0.9998, KERNEL),
        KERNEL[::-1],
    ],
    ids=["offset", "factor", "within the bound", "slope", "few elements", "order"],
)
def test_another_error_of_the_same_size_fails(value, judged):
    row, found = judged(value)
    assert row.reason and found == []


def test_ten_times_the_bound_fails(judged):
    exact = np.tanh(X.astype(np.float64))
    row, found = judged(exact + 10 * (KERNEL - exact))
    assert row.reason and found == []


def test_another_function_with_the_same_error_fails(judged):
    function = lambda x: np.tanh(x) * 0.9  # noqa: E731
    row, found = judged(KERNEL * 0.9, function)
    assert row.reason and found == []


# ------------------------------------------------------------------------------------------- measured here


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    return gaps_cli.measure(tmp_path_factory.mktemp("measured"), "cpu")


def test_the_table_holds_what_is_measured_here(measured):
    version, device, made = measured
    rows = gaps_cli.compare(made, [gap for gap in load() if gap.applies({"version": version, "device": device})])
    assert len(rows) == len(load()) and [row["change"] for row in rows] == [""] * len(rows)
    assert all(row["model"] < 16 for row in rows if "model" in row)
    assert made["tanh"]["measured"] > 5e-5 and made["bicubic, align_corners=False"]["measured"] > 0.05


def test_changes_are_listed(measured):
    _, _, made = measured
    table = {gap.op: gap for gap in load()}
    other = [replace(table["tanh"], measured=5e-5), replace(table["topk, ties"], measured=0.0)]
    changes = {row["op"]: row["change"] for row in gaps_cli.compare(made, other)}
    assert "measured: 0.0001006 here, 5e-05 in the table" in changes["tanh"]
    assert "measured" in changes["topk, ties"] and "no entry" in changes["exp"]
    good = {name: {**found, "model": 1e5} for name, found in made.items() if name == "mish"}
    assert "another kernel" in gaps_cli.compare(good, list(load()))[0]["change"]


def test_the_verb_ends_with_1_where_something_changed(measured, monkeypatch, capsys):
    from port import cli

    monkeypatch.setattr(gaps_cli, "measure", lambda folder, device: measured)
    assert cli.main(["gaps", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["gaps"][0]["change"] == ""
    monkeypatch.setattr(gaps_cli, "load", lambda: (replace(load()[0], measured=1.0), *load()[1:]))
    assert cli.main(["gaps"]) == 1
    assert "in the table" in " ".join(capsys.readouterr().out.split())
