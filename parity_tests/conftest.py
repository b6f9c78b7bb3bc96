"""What the tests of the operations, the blocks and the network share. Folders of other parts need nothing from here.

seeded            np.random.default_rng, the same start in every test
side              one column at a time: torch_ref, then ms_model (parity_tests/ops/both.py)
tolerances        the limits of port/parity/tolerances.toml
make_ttvsr        TTVSR of both columns from one weights file, through the real loaders
ttvsr_pair        the one that most tests use: 16 channels, 1 block, keyframe stride 1; restored after each test
"""

import os

# Two cores are shared with other jobs where this runs: OpenMP threads that spin while they wait for a core cost PyTorch
# 30 ms per operation there (a 64-channel convolution itself: 3 ms). Values are the same. Before anything imports torch.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import pytest

import ms_model  # noqa: F401  (sets the CPU's instruction set, before any test imports mindspore)
from parity_tests.ops.both import COLUMNS, make_weights
from port.parity import tolerance
from port.parity.probe import PASSIVE
from port.weights import tensors_file
from port.weights.ttvsr import TTVSRConfig


def pytest_collection_modifyitems(items):
    """Files with slow tests first: two at a time, a long one at the end would leave the other core idle."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture
def seeded():
    """A generator that starts alike in every test."""
    return np.random.default_rng(20220408)


@pytest.fixture(params=list(COLUMNS))
def side(request):
    """Each column in turn; imported only by the tests that ask for it."""
    return COLUMNS[request.param]()


@pytest.fixture(scope="session")
def tolerances():
    """The limits every verdict rests on, read once."""
    return tolerance.load()


@pytest.fixture(scope="session")
def make_ttvsr(tmp_path_factory):
    """make(channels, blocks, **strides) -> (reference, port), filled from one .safetensors file by `load_network`."""

    def make(channels=16, blocks=1, seed=0, **strides):
        path = tmp_path_factory.mktemp("ttvsr") / "weights.safetensors"
        tensors_file.write(path, make_weights(TTVSRConfig(channels, blocks), seed))
        return tuple(COLUMNS[name]().module("networks").load_network("ttvsr", path, **strides) for name in COLUMNS)

    return make


@pytest.fixture(scope="session")
def _shared_pair(make_ttvsr):
    return make_ttvsr(keyframe_stride=1)


@pytest.fixture
def ttvsr_pair(_shared_pair):
    """(reference, port), the same two objects for all tests: leave weights and methods as they are."""
    yield _shared_pair
    for net in _shared_pair:
        net.watch(PASSIVE)
