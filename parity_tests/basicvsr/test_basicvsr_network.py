"""BasicVSR in both columns against the official source, run in double precision."""

from copy import deepcopy

import numpy as np
import pytest

from parity_tests.ops.both import COLUMNS
from port.errors import PortError


def rms(x):
    return float(np.sqrt(np.mean(np.square(np.asarray(x, np.float64)))))


@pytest.fixture(scope="session")
def outputs(networks, clip):
    """column -> (1, t, 3, 4h, 4w) float32"""
    found = {}
    for name, net in zip(COLUMNS, networks, strict=True):
        side = COLUMNS[name]()
        found[name] = side.array(net(side.tensor(clip)))
    return found


def middle(official_net, clip):
    """What the official network makes of the middle frame."""
    import torch

    with torch.no_grad():
        return official_net(torch.from_numpy(clip).double()).numpy()


def test_the_middle_frame_is_the_official_one(official_net, networks, outputs, clip, tolerances):
    """Two steps from the first frame, one from the last: warping, recurrence, fusion and upsampling all take part."""
    true = middle(official_net, clip)
    exact = double(networks[0], clip)[:, 2]
    assert rms(exact - true) < 1e-12 * rms(true)  # double precision rounds by 1e-16, some hundred times over
    reference, port = (rms(outputs[name][:, 2] - true) for name in COLUMNS)
    assert port < tolerances.ratio_rms * reference


@pytest.mark.parametrize("count", [1, 2])
def test_short_clips(networks, official_net, clip, count):
    """A single frame has no flow; of two, the official network gives the second."""
    few = clip[:, :count]
    true, side = middle(official_net, few), COLUMNS["ms_model"]()
    assert rms(double(networks[0], few)[:, -1] - true) < 1e-12 * rms(true)
    assert rms(side.array(networks[1](side.tensor(few)))[:, -1] - true) < 1e-5 * rms(true)  # measured: 1e-6


def double(reference, clip):
    """The reference in double precision. -> (1, t, 3, 4h, 4w)"""
    import torch

    with torch.no_grad():
        return deepcopy(reference).double()(torch.from_numpy(clip).double()).numpy()


def test_flows_are_large_enough_to_matter(official_net, clip):
    """Otherwise a wrong warp would go unseen: some positions lie outside, where zeros and the border differ."""
    import torch

    with torch.no_grad():
        flow = official_net.spynet(*(torch.from_numpy(clip[:, k]).double() for k in (0, 1))).numpy()
    assert np.abs(flow).max() > 1 and rms(flow) > 0.3


def test_zeros_outside_when_features_are_warped(seeded, side):
    """By hand: a flow of half a pixel beyond the last column weighs it with a half, and takes zero for the rest."""
    warp = side.module("warp").flow_warp
    x = seeded.standard_normal((1, 2, 3, 4)).astype(np.float32)
    flow = np.zeros((1, 2, 3, 4), np.float32)
    flow[:, 0] = 0.5
    padded = np.concatenate([x, np.zeros_like(x[..., :1])], axis=3)
    expected = (padded[..., :-1] + padded[..., 1:]) / 2
    found = side.array(warp(side.tensor(x), side.tensor(flow), padding="zeros"))
    assert np.abs(found - expected).max() < 1e-6
    border = side.array(warp(side.tensor(x), side.tensor(flow)))
    assert np.abs(border[..., -1] - x[..., -1]).max() < 1e-6


def test_frames_it_cannot_take_are_named(networks, side):
    net = networks[list(COLUMNS).index(side.package)]
    with pytest.raises(PortError, match="BasicVSR: frames must be at least 64x64 pixels, found 70x60"):
        net(side.tensor(np.zeros((1, 1, 3, 60, 70), np.float32)))
    with pytest.raises(PortError, match="BasicVSR: frames hold NaN"):
        net(side.tensor(np.full((1, 1, 3, 64, 64), np.nan, np.float32)))
