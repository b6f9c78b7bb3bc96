"""Sampling where a flow points: flow_warp for features, warp_locations for whole-number positions."""

import mindspore
import mindspore.ops as ms_ops
import numpy as np
import pytest
import torch

from ms_model import warp as ms_warp
from parity_tests.ops.both import AGREEMENT, worst
from torch_ref import warp as torch_warp

# Positions go through [-1, 1] and back in float32: an error of a few eps of the widest position (40 pixels: 40 * 6e-8 =
# 2.4e-6 pixels), times the slope between neighbouring pixels (about 2 rms). 2e-5 leaves a factor of four.
CLOSE = 2e-5


def bilinear_by_hand(x, flow):
    """float64; position + flow, clamped to the picture, weights from the four pixels around it."""
    n, c, h, w = x.shape
    out = np.zeros((n, c, h, w))
    for b, i, j in np.ndindex(n, h, w):
        px, py = np.clip(j + flow[b, 0, i, j], 0, w - 1), np.clip(i + flow[b, 1, i, j], 0, h - 1)
        x0, y0 = min(int(px), w - 2), min(int(py), h - 2)
        ax, ay = px - x0, py - y0
        top = (1 - ax) * x[b, :, y0, x0] + ax * x[b, :, y0, x0 + 1]
        bottom = (1 - ax) * x[b, :, y0 + 1, x0] + ax * x[b, :, y0 + 1, x0 + 1]
        out[b, :, i, j] = (1 - ay) * top + ay * bottom
    return out


def random_case(rng, n=2, c=3, h=9, w=14, reach=4.0):
    x = rng.standard_normal((n, c, h, w)).astype(np.float32)
    return x, rng.uniform(-reach, reach, (n, 2, h, w)).astype(np.float32)


def test_flow_warp_at_written_positions(side):
    """A picture whose value is 10 * y + x, so that every sample says where it was taken; the last two are clamped."""
    x = (10.0 * np.arange(5)[:, None] + np.arange(5)).astype(np.float32)[None, None]
    flow = np.zeros((1, 2, 5, 5), np.float32)
    flow[0, :, 1, 1] = 0.25, 0.5  # x 1.25, y 1.5
    flow[0, :, 2, 3] = -1.5, 1.0  # x 1.5, y 3
    flow[0, :, 0, 0] = -3.0, 0.5  # x clamped to 0, y 0.5
    flow[0, :, 4, 4] = 0.5, 7.0  # both clamped to 4
    out = side.array(side.module("warp").flow_warp(side.tensor(x), side.tensor(flow)))[0, 0]
    expected = x[0, 0].copy()
    expected[1, 1], expected[2, 3], expected[0, 0], expected[4, 4] = 16.25, 31.5, 5.0, 44.0
    np.testing.assert_allclose(out, expected, atol=1e-5)


def test_flow_warp_is_bilinear_with_clamped_positions(side, seeded):
    x, flow = random_case(seeded)
    out = side.array(side.module("warp").flow_warp(side.tensor(x), side.tensor(flow)))
    assert worst(bilinear_by_hand(x, flow), out) <= CLOSE


def swap_axes(x, flow):
    return torch_warp.flow_warp(x, flow.flip(1))


def against_the_flow(x, flow):
    return torch_warp.flow_warp(x, -flow)


def zeros_outside(x, flow):
    return torch.nn.functional.grid_sample(
        x, torch_warp.normalised_grid(flow), padding_mode="zeros", align_corners=True
    )


def corners_not_aligned(x, flow):
    return torch.nn.functional.grid_sample(
        x, torch_warp.normalised_grid(flow), padding_mode="border", align_corners=False
    )


@pytest.mark.parametrize("broken", [swap_axes, against_the_flow, zeros_outside, corners_not_aligned])
def test_the_hand_written_warp_sees_mistakes(broken, seeded):
    x, flow = random_case(seeded)
    assert worst(bilinear_by_hand(x, flow), broken(torch.from_numpy(x), torch.from_numpy(flow)).numpy()) > 0.5


@pytest.mark.parametrize("size", [(33, 40), (1, 5)])
def test_flow_warp_agrees_between_the_columns(size, seeded):
    x, flow = random_case(seeded, 2, 4, *size, reach=9.0)
    reference = torch_warp.flow_warp(torch.from_numpy(x), torch.from_numpy(flow)).numpy()
    found = ms_warp.flow_warp(mindspore.Tensor(x), mindspore.Tensor(flow)).asnumpy()
    assert worst(reference, found) <= AGREEMENT


def test_identity_locations_hold_x_before_y(side):
    like = side.tensor(np.zeros(1, np.float32))
    out = side.array(side.module("warp").identity_locations(2, 2, 3, like=like))
    assert out.dtype == np.float32
    one = [[[0, 1, 2], [0, 1, 2]], [[0, 0, 0], [1, 1, 1]]]
    assert out.tolist() == [one, one]


def warp_locations(side, flow, maps=1):
    """Identity locations warped by `flow`: where each token ends up. (1, 2 * maps, h, w)"""
    warp, flow = side.module("warp"), side.tensor(flow)
    fresh = side.array(warp.identity_locations(1, *flow.shape[2:], like=flow))
    return side.array(warp.warp_locations(side.tensor(np.concatenate([fresh] * maps, axis=1)), flow))


def halves(rng, h, w):
    """A flow of (whole number + 0.5) tokens everywhere, between -3.5 and 3.5."""
    return (rng.integers(-4, 4, (1, 2, h, w)) + 0.5).astype(np.float32)


def test_halves_round_to_even_where_the_arithmetic_is_exact(side, seeded):
    """With 16 and 32 steps across, no rounding happens on the way: the position is exactly x.5, and even wins."""
    flow = halves(seeded, 17, 33)
    y, x = np.mgrid[:17, :33]
    out = warp_locations(side, flow)
    assert np.array_equal(out[0, 0], np.rint(np.clip(x + flow[0, 0], 0, 32)))
    assert np.array_equal(out[0, 1], np.rint(np.clip(y + flow[0, 1], 0, 16)))


# token grids of frames between 64 and 448 pixels; odd, even and powers of two
SIZES = [(16 + i, 80 - i) for i in range(0, 33, 3)] + [(45, 79), (36, 44), (64, 112)]


def test_halves_round_to_even(seeded):
    """Both columns are torch's own grid_sample, bit for bit; MindSpore's is not, which is why the port writes it out."""
    differing = 0
    for h, w in SIZES:
        flow = halves(seeded, h, w)
        torch_flow, ms_flow = torch.from_numpy(flow), mindspore.Tensor(flow)
        grid, ms_grid = torch_warp.normalised_grid(torch_flow), ms_warp.normalised_grid(ms_flow)
        assert np.array_equal(grid.numpy(), ms_grid.asnumpy()), (h, w)
        fresh = torch_warp.identity_locations(1, h, w, like=torch_flow)
        ms_fresh = mindspore.Tensor(fresh.numpy())
        how = {"mode": "nearest", "padding_mode": "border", "align_corners": True}
        expected = torch.nn.functional.grid_sample(fresh, grid, **how).numpy()
        assert np.array_equal(torch_warp.warp_locations(fresh, torch_flow).numpy(), expected), (h, w)
        assert np.array_equal(ms_warp.warp_locations(ms_fresh, ms_flow).asnumpy(), expected), (h, w)
        differing += int((ms_ops.grid_sample(ms_fresh, ms_grid, **how).asnumpy() != expected).sum())
    # about every other exact half goes the other way; were it none, the written-out sampling could go
    assert differing > 1000


def test_locations_agree_between_the_columns_on_random_flows(seeded):
    """Away from ties as well; several maps are warped by one flow."""
    for h, w in SIZES[::4]:
        flow = seeded.normal(0, 3, (1, 2, h, w)).astype(np.float32)
        fresh = seeded.integers(0, 16, (1, 6, h, w)).astype(np.float32)
        reference = torch_warp.warp_locations(torch.from_numpy(fresh), torch.from_numpy(flow)).numpy()
        found = ms_warp.warp_locations(mindspore.Tensor(fresh), mindspore.Tensor(flow)).asnumpy()
        assert np.array_equal(reference, found), (h, w)


def test_locations_stay_whole_and_inside(side, seeded):
    """Five warps in a row by flows that leave the grid: always some token's own whole position."""
    warp, locations = side.module("warp"), None
    for _ in range(5):
        flow = side.tensor(seeded.normal(0, 6, (1, 2, 11, 18)).astype(np.float32))
        locations = warp.identity_locations(1, 11, 18, like=flow) if locations is None else locations
        locations = warp.warp_locations(locations, flow)
    out = side.array(locations)
    assert np.array_equal(out, np.rint(out))
    assert out[:, 0].min() >= 0 and out[:, 0].max() <= 17 and out[:, 1].min() >= 0 and out[:, 1].max() <= 10


@pytest.mark.parametrize(
    "dx, dy, corner", [(99, 99, (9, 5)), (-99, 99, (0, 5)), (99, -99, (9, 0)), (-1e6, -1e6, (0, 0))]
)
def test_flow_beyond_the_border_takes_the_border(side, dx, dy, corner):
    flow = np.empty((1, 2, 6, 10), np.float32)
    flow[:, 0], flow[:, 1] = dx, dy
    out = warp_locations(side, flow, maps=2)
    for channel in range(4):
        assert (out[0, channel] == corner[channel % 2]).all()
