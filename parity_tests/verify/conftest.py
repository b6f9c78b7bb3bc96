"""A small network and clip whose reference is captured once, and ports that are compared with it."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from parity_tests.golden import recipe
from parity_tests.golden.cases import spynet_weights
from port.parity.verify import Job, verify

BROKEN_PORT = Path(__file__).with_name("broken_port.py")
FRAMES = 3  # every frame a keyframe: two compete in the last step of each direction


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """Two residual blocks, the seed of the golden case `synthetic`: attention and keyframes matter."""
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_file(recipe.make_weights(1109, 2, spynet_weights()), path)
    return path


@pytest.fixture(scope="session")
def clip():
    """(t, 3, 64, 64) uint8"""
    return recipe.make_frames(1109, FRAMES, 64, 64)


@pytest.fixture(scope="session")
def frames(clip):
    return clip.astype(np.float32) / np.float32(255)


@pytest.fixture(scope="session")
def truth(clip):
    """A stand-in for ground truth: the input enlarged, with noise. (t, 256, 256, 3) uint8"""
    enlarged = clip.transpose(0, 2, 3, 1).repeat(4, axis=1).repeat(4, axis=2)
    noise = np.random.default_rng(5).normal(0, 4, enlarged.shape)
    return np.clip(np.rint(enlarged + noise), 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def verified(weights, frames, truth, tmp_path_factory):
    """The healthy port, with every module of every step compared alone. -> (job, outcome)"""
    job = Job("ttvsr", weights, frames, tmp_path_factory.mktemp("healthy"), truth, **COMMON)
    return job, verify(job)


COMMON = {"keyframe_stride": 1, "whole": "all", "quiet": True, "input_name": "synthetic"}


@pytest.fixture
def broken(verified, weights, frames, tmp_path):
    """Verify a port with a fault of broken_port.py against the healthy job's reference. -> report"""

    def run(fault):
        shutil.copytree(verified[0].work / "reference", tmp_path / "reference")
        command = [sys.executable, str(BROKEN_PORT), fault]
        job = Job("ttvsr", weights, frames, tmp_path, port_command=command, reuse_reference=True, **COMMON)
        return verify(job).report

    return run
