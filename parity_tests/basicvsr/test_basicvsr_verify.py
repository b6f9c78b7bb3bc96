"""`verify basicvsr`: the whole engine on a small network, healthy and with a mistake planted in the port."""

import shutil
import sys
from pathlib import Path

import pytest

from port.models import basicvsr
from port.parity.verify import Job, verify

BROKEN = Path(__file__).with_name("broken_basicvsr.py")


COMMON = {"whole": "all", "quiet": True, "input_name": "made"}


@pytest.fixture(scope="module")
def healthy(small_file, clip, tmp_path_factory):
    """-> (job, outcome)"""
    work = tmp_path_factory.mktemp("basicvsr-verify")
    job = Job("basicvsr", small_file, clip[0, :2, :, :64, :64].copy(), work, **COMMON)
    return job, verify(job)


@pytest.mark.slow
def test_the_port_passes_in_every_stage(healthy):
    _, outcome = healthy
    report = outcome.report
    assert {name: stage["verdict"] for name, stage in report["stages"].items()} == dict.fromkeys(
        ("weights", "modules", "accumulated", "compiled", "end_to_end"), "pass"
    )
    assert report["model"] == "basicvsr" and report["decisions"] == [] and report["root_causes"] == []
    compared = {row["site"].partition(":")[0] for row in outcome.rows}
    assert {"bwd.00/backward_resblocks.main.2.1.conv2", "fwd.01/forward_resblocks.main.0", "up.00/conv_last",
            "flows/spynet", "fwd.01/warped_feat_prop"} <= compared  # fmt: skip
    assert not any(line.startswith("modules that this clip never runs") for line in report["not_compared"])


@pytest.mark.slow
def test_planted_mistakes_are_found_each_at_its_place(healthy, tmp_path):
    """Features warped with the padding of pictures, and the two directions fused the wrong way round."""
    job, _ = healthy
    shutil.copytree(job.work / "reference", tmp_path / "reference")
    command = [sys.executable, str(BROKEN), "border+exchanged"]
    broken = Job("basicvsr", job.weights, job.frames, tmp_path, port_command=command, reuse_reference=True, **COMMON)
    report = verify(broken).report
    assert report["verdict"] == "fail"
    causes = {cause["site"]: cause["diagnosis"] for cause in report["root_causes"]}
    assert list(causes) == ["bwd.00/warped_feat_prop", "up.00/fusion:in0"]
    assert causes["up.00/fusion:in0"] == "permuted_channels"


def test_steps_that_show_every_module():
    """The last of each direction has the most behind it; of a single frame there is but one."""
    assert basicvsr.detail_steps(7) == "flows,bwd.00,fwd.06,up.00"
    assert basicvsr.detail_steps(1) == "flows,bwd.00,fwd.00,up.00"
