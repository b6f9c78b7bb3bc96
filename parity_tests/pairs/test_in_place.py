"""Modules that write into their input: what is seen of them equals what is seen of modules that do not."""

import numpy as np
import pytest

from port.parity.recorder import Plan, Recorder
from port.parity.trace import Trace, TraceWriter

PAIR = """
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

IN_PLACE = {in_place}

class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))
    def forward(self, x):
        self.calls += 1
        return x * self.calls

class Rectify(nn.Module):
    def forward(self, x):
        return F.relu(x, inplace=IN_PLACE)

def torch_net():
    return nn.Sequential(nn.Conv2d(3, 4, 3), Counting(), nn.LeakyReLU(0.1, inplace=IN_PLACE), nn.Conv2d(4, 4, 3), Rectify())

def ms_net():
    raise NotImplementedError

def inputs():
    return np.random.default_rng(0).standard_normal((2, 3, 8, 8)).astype(np.float32)
"""


def traced(folder, in_place):
    """One run of the network with or without modules that work in place. -> its trace, the buffer afterwards"""
    from torch_ref import pairs

    folder.mkdir()
    (folder / "pair.py").write_text(PAIR.format(in_place=in_place))
    side, writer = pairs.Side(folder / "pair.py"), TraceWriter(folder / "trace", 1 << 30)
    pairs.run(side, Recorder(writer, pairs.to_numpy, pairs.like, Plan(whole_steps=frozenset({"all"}))))
    writer.finish(None)
    return Trace(folder / "trace"), side.values()["1.calls"]


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("in_place")
    return traced(folder / "apart", False), traced(folder / "within", True)


def test_sites_and_gradients_are_those_of_the_network_that_copies(both):
    (apart, _), (within, _) = both
    assert list(apart.sites) == list(within.sites)
    assert any(name.endswith("0:out@grad") for name in apart.sites)
    assert {n: s.hash for n, s in apart.sites.items()} == {n: s.hash for n, s in within.sites.items()}


def test_the_run_that_was_made_anew_starts_from_the_same_buffers(both):
    (_, once), (_, anew) = both
    assert np.array_equal(once, [1.0]) and np.array_equal(anew, once)


def test_nothing_of_the_first_attempt_is_left(both):
    (_, _), (within, _) = both
    assert not [name for name in within.sites if "#" in name]
    assert all(within.whole(name) is not None for name in within.sites)
