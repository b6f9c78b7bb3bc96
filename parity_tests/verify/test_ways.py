"""Faster ways under the engine's eyes: each column as `infer` runs it, judged at every named value as a port is judged.

The reference's decisions are imposed, and the error against the float64 run may be `ratio.rms` times the reference's own.
"""

import json
import subprocess
import sys

import numpy as np
import pytest

from parity_tests.native import why_missing
from port import cli
from port.errors import UsageError
from port.models.table import NETWORKS
from port.native import build
from port.parity import tolerance
from port.parity.capture import inference_ways
from port.parity.compare import compare_compiled
from port.parity.trace import Trace
from port.processes import ROOT, surroundings
from port.processor import flags

WEIGHTS = {"torch_ref": None, "ms_model": "port.ckpt"}  # None: those that the job was given


def judged(job, column, ways, folder):
    """The stage of one run of a column in these ways against the reference's runs of `job`."""
    made = WEIGHTS[column]
    words = [sys.executable, "-m", f"{column}.capture", "ttvsr", "--weights", str(job.work / made if made else job.weights)]
    words += ["--input", str(job.work / "input.npy"), "--out", str(folder), "--passes", "compiled", "--quiet"]
    words += ["--reference", str(job.work / "reference" / "reference"), "--keyframe-stride", "1"]
    subprocess.run([*words, *(["--fast", ways] if ways else [])], cwd=ROOT, env=surroundings(), check=True)
    reference, truth = (Trace(job.work / "reference" / name) for name in ("reference", "float64"))
    own = Trace(folder / "compiled")
    sources = NETWORKS["ttvsr"].VALUE_SOURCES
    return own, compare_compiled(reference, truth, reference, own, tolerance.load(), sources)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("column", "ways", "taken"),
    [
        ("torch_ref", "", {"keep_memory", "channels_last"}),
        ("torch_ref", "none", set()),
        ("torch_ref", "winograd", {"keep_memory", "winograd"}),
        ("ms_model", "winograd", {"compiled", "winograd"}),
    ],
)
def test_a_way_errs_no_more_than_a_port_may(verified, column, ways, taken, tmp_path):
    if "winograd" in ways and (missing := why_missing("winograd")):
        pytest.skip(missing)
    own, stage = judged(verified[0], column, ways, tmp_path)
    assert set(own.about["ways"]) - {"none"} == taken
    assert stage.passed, [row.reason for row in stage.failing]
    assert len(stage.rows) > 20 and all(row.ratio is not None for row in stage.rows)
    assert all(name in stage.limit for name in taken)


@pytest.mark.slow
@pytest.mark.skipif(not {"amx_bf16", "avx512_bf16"} & flags(), reason="this CPU has no instructions for bfloat16")
def test_sixteen_bits_are_no_rounding_of_float32(verified, tmp_path):
    """The judge above can say no: bfloat16 is far beyond what float32 explains, from the features on."""
    _, stage = judged(verified[0], "torch_ref", "bfloat16", tmp_path)
    assert not stage.passed and "errs" in stage.failing[0].reason


def test_ways_that_a_comparison_cannot_take():
    assert inference_ways((), "torch", "cuda", "ttvsr") == ("none",)  # not together, which is the default there
    assert inference_ways(("compiled",), "mindspore", "cpu", "ttvsr") == ("none", "compiled")
    for names in (("together",), ("winograd", "channels_last")):
        with pytest.raises(UsageError):
            inference_ways(names, "torch", "cpu", "ttvsr")


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["ttvsr", "--fast", "together"], "takes other steps than the reference"),
        (["ttvsr", "--fast", "channels_last"], "is for torch, not for mindspore"),
        (["ttvsr", "--fast", "winogard"], "did you mean winograd?"),
        (["ttvsr", "--fast", "winograd"], "no C compiler 'no-such-compiler'"),
        (["--pair", "pair.py", "--fast", "winograd"], "--fast does not go with it"),
    ],
)
def test_verify_refuses_them_at_once(flags, says, weights, frames, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CC", "no-such-compiler")
    monkeypatch.setattr(build, "library", build.library.__wrapped__)
    monkeypatch.setattr(cli.verify, "verify", None)
    np.save(tmp_path / "clip.npy", frames)
    words = [*flags, *(["--weights", str(weights), "--input", str(tmp_path / "clip.npy")] if flags[0] == "ttvsr" else [])]
    try:
        code = cli.main(["verify", *words, "--report", str(tmp_path / "report")])
    except SystemExit as end:
        code = end.code
    assert code == (3 if "compiler" in says else 2) and says in " ".join(capsys.readouterr().err.split())


@pytest.mark.slow
def test_verify_in_a_faster_way(verified, weights, frames, tmp_path):
    """The whole command; its report says in which ways the port ran."""
    if missing := why_missing("winograd"):
        pytest.skip(missing)
    np.save(tmp_path / "clip.npy", frames[:2])
    words = ["verify", "ttvsr", "--weights", str(weights), "--input", str(tmp_path / "clip.npy"), "--keyframe-stride", "1"]
    assert cli.main([*words, "--fast", "winograd", "--report", str(tmp_path / "report"), "--quiet"]) == 0
    report = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert report["stages"]["compiled"]["verdict"] == "pass" and "winograd" in report["stages"]["compiled"]["limit"]
