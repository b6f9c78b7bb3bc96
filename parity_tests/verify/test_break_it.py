"""A healthy port passes; every planted fault turns the verdict to fail and is named where it was planted."""

import math

import pytest

DECISION_SITES = 8  # location and argmax at four steps: choices, not values

# fault -> (step, how the site goes on, how the module's name begins)
EXPECTED = {
    "bilinear_for_pooling": ("bwd.02", "token_s2", "LTAM.tokenize"),
    "fold_by_reshape": ("bwd.01", "value_s1", "LTAM (tokens_to_pixels)"),
    "swap_align_corners": ("flows", "spynet.basic_module.1:in0", "spynet"),
    "shift_keyframe": ("fwd.00", "token_index", "LTAM.tokenize"),
    "shift_later_keyframe": ("fwd.01", "token_index", "LTAM.tokenize"),
    "nan_in_frames": ("up.00", "frame", "_upsample"),
}
WEIGHT_FAULTS = {  # fault -> (tensor, diagnosis)
    "flip_kernel": ("resblocks.main.2.1.conv1.weight", "flipped_weight"),
    "transpose_weight": ("resblocks.main.2.0.conv2.weight", "transposed_weight"),
}


def test_healthy_port_passes(verified):
    report = verified[1].report
    assert report["verdict"] == "pass", report["first_divergence"]
    assert {name: stage["verdict"] for name, stage in report["stages"].items()} == dict.fromkeys(
        report["stages"], "pass"
    )
    assert report["first_divergence"] is None and report["root_causes"] == []
    assert report["schema"] == 2


def test_everything_was_compared(verified):
    """Two directions, three frames, about eighty modules: nothing is green because it was left out."""
    report = verified[1].report
    coverage, modules = report["coverage"], report["stages"]["modules"]
    assert coverage["sites_compared"] == coverage["sites_total"] > 500
    assert coverage["skipped"] == []
    assert modules["compared"] == modules["sites"] == coverage["sites_total"]
    assert report["stages"]["weights"]["bit_equal"] == report["stages"]["weights"]["tensors"] == 106


def test_healthy_figures(verified):
    """Within the limits, and not by being the same computation: float32 rounding differs between the frameworks."""
    stages = verified[1].report["stages"]
    assert 0.1 < stages["modules"]["worst"]["error_ratio"] <= 8
    (strictest, *_) = stages["modules"]["beside"]
    assert strictest["rule"] == "max|a-b| <= 2e-05 x rms"
    assert strictest["passed"] == stages["modules"]["compared"] - DECISION_SITES
    assert stages["modules"]["excused"] == []
    assert 90 <= stages["end_to_end"]["psnr_between"] < math.inf
    assert abs(stages["end_to_end"]["psnr_delta_db"]) <= 1e-4
    assert 0.1 < stages["accumulated"]["worst"]["error_ratio"] <= 8
    assert 20 < stages["end_to_end"]["psnr_reference"] < 60


def test_decisions_were_compared(verified):
    for place in ("modules", "accumulated", "end_to_end"):
        counts = {count["name"]: count for count in verified[1].report["stages"][place]["decisions"]}
        # 256 tokens at each of the four steps that look back
        assert counts["location"]["total"] == counts["argmax"]["total"] == 4 * 256
        assert counts["argmax"]["beyond_margin"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("fault", EXPECTED)
def test_fault_is_named(fault, broken):
    report = broken(fault)
    step, site, module = EXPECTED[fault]
    first = report["first_divergence"]
    assert report["verdict"] == "fail"
    assert first["stage"] == "modules"
    assert (first["step"], first["module"].startswith(module)) == (step, True), first
    assert first["site"].startswith(f"{step}/{site}")
    assert first["frame"] == (int(step[-2:]) if step != "flows" else None)
    assert [cause["module"].startswith(module.split()[0]) for cause in report["root_causes"]] == [True] * len(
        report["root_causes"]
    )  # nobody else is blamed
    assert report["stages"]["weights"]["differing"] == []


@pytest.mark.slow
@pytest.mark.parametrize("fault", WEIGHT_FAULTS)
def test_wrong_weight_is_named(fault, broken):
    report = broken(fault)
    name, diagnosis = WEIGHT_FAULTS[fault]
    assert report["verdict"] == "fail"
    (cause,) = report["root_causes"]
    assert (cause["stage"], cause["site"], cause["module"]) == ("weights", name, name.rpartition(".")[0])
    assert cause["also"] == ["modules"]  # seen in what the module computes, too, and not blamed a second time
    assert cause["diagnosis"] == diagnosis
    assert [entry["name"] for entry in report["stages"]["weights"]["differing"]] == [name]
    assert {row["module"] for row in report["stages"]["modules"]["failing"]} == {cause["module"]}


@pytest.mark.slow
def test_two_faults_at_once_are_both_named(broken):
    """One in the flow network, one in the tokens: the second is not hidden behind what the first spoils."""
    report = broken("swap_align_corners+bilinear_for_pooling")
    modules = [cause["module"] for cause in report["root_causes"]]
    assert modules == ["spynet", "LTAM.tokenize (enlarged_tokens)"]
    assert report["verdict"] == "fail" and report["first_divergence"]["module"] == "spynet"
