"""Gradients and training of TTVSR on a patch: the port is right, and a mistake in its training is named."""

import shutil
import sys

import numpy as np
import pytest

from parity_tests.ops.both import make_weights
from port.parity import pair_start, pair_verify
from port.parity.clip_training import SIDE, cut_patch, verify_patch
from port.parity.verify import Job, capture_reference, prepare
from port.weights import tensors_file
from port.weights.ttvsr import TTVSRConfig

STEPS = 2  # the flow network frozen in the first


def test_the_patch_is_the_middle_and_its_truth_lies_below_it():
    """Every pixel says where it is: 1000 * frame + 10 * row + column / 100."""
    t, h, w = 4, 70, 90
    frame, row, column = np.meshgrid(range(t), range(h), range(w), indexing="ij")
    frames = np.broadcast_to((1000.0 * frame + 10 * row + column / 100)[:, None], (t, 3, h, w)).astype(np.float32)
    truth = np.zeros((t, 4 * h, 4 * w, 3), np.uint8)
    truth[2, 4 * 3 : 4 * 4, 4 * 13 : 4 * 14] = 255  # what lies under the patch's first pixel
    patch = cut_patch(frames, truth)
    assert patch.input.shape == (1, 3, 3, SIDE, SIDE) and patch.target.shape == (1, 3, 3, 4 * SIDE, 4 * SIDE)
    assert patch.input[0, 2, 1, 0, 0] == np.float32(2000 + 10 * 3 + 0.13)
    assert patch.target.sum() == 3 * 16 and (patch.target[0, 2, :, :4, :4] == 1).all()
    enlarged = cut_patch(frames, None)
    assert enlarged.made_from == "the input enlarged"
    assert (enlarged.target[0, 2, :, :4, :4] == patch.input[0, 2, :, :1, :1]).all()


@pytest.fixture(scope="module")
def trained(frames, truth, tmp_path_factory):
    """-> (job, what was compared), of a small network"""
    work = tmp_path_factory.mktemp("trained")
    tensors_file.write(work / "small.safetensors", make_weights(TTVSRConfig(8, 1), 0))
    job = Job("ttvsr", work / "small.safetensors", frames, work, truth, keyframe_stride=1, whole="flows", quiet=True)
    prepare(job)
    capture_reference(job, "reference", job.whole)
    return job, verify_patch(job, STEPS)


@pytest.mark.slow
def test_forward_backward_and_training_pass(trained):
    stages, causes = trained[1].stages, trained[1].causes
    assert {name: stage.passed for name, stage in stages.items()} == dict.fromkeys(stages, True)
    assert causes == [] and trained[1].passed
    names = ["weights", "forward", "backward", "accumulated", "training", "accumulated training", "free decisions"]
    assert list(stages) == names
    gradients = [row for row in stages["backward"].rows if row.site.startswith("parameters/")]
    moved = [row for row in stages["training"].rows if row.kind == "update"]
    parameters = len(stages["weights"].rows) - 2  # mean and deviation of the pictures are not trained
    assert len(gradients) == parameters
    assert len(moved) == STEPS * parameters
    still = [row for row in moved if row.site.startswith("step.00/spynet.")]  # frozen in the first step on both sides
    assert len(still) == 6 * 5 * 2 and all(row.identical for row in still)
    assert 0.1 < max(row.ratio for row in gradients) <= 8  # two implementations, not one


@pytest.mark.slow
def test_a_flow_network_that_is_not_frozen_is_named(trained, tmp_path):
    job = trained[0]
    patch = job.work / "patch"
    shutil.copytree(patch, tmp_path / "patch", symlinks=True, ignore=shutil.ignore_patterns("reference", "port"))
    pair = tmp_path / "patch" / "pair.py"
    right = 'half("ms_model").Recipe(net, period=STEPS, frozen=1)'
    text = pair.read_text(encoding="utf-8")
    assert text.count(right) == 1
    pair.write_text(text.replace(right, right.replace("frozen=1", "frozen=0")), encoding="utf-8")
    port = tmp_path / "port"
    for name in ("imposed", "forced", "tiny"):
        shutil.copytree(patch / "port" / name, port / name)
    weights = patch / "reference" / "reference" / "weights.safetensors"
    command = [
        sys.executable,
        "-m",
        "ms_model.capture_pair",
        str(pair),
        "--out",
        str(port),
        "--passes",
        "updates",
        "--quiet",
    ]
    pair_start.run([*command, "--reference", str(patch / "reference"), "--weights", str(weights)])
    compared = pair_verify.compare_folders(patch / "reference", port, own_training=False)
    assert not compared.passed and not compared.stages["training"].passed
    wrong = {row.site for row in compared.stages["training"].failing}
    # its gradient is there at once; the update is not: in this run every step follows the reference's gradients
    assert "step.00/spynet.basic_module.0.basic_module.0.conv.weight@grad" in wrong
    assert "step.00/spynet.basic_module.0.basic_module.0.conv.weight@lr" in wrong
    assert compared.causes[0].stage == "training"
    assert all(cause.module.startswith("spynet") or cause.module == "" for cause in compared.causes)
