"""Sampling pictures, features and location maps where a flow points.

Conventions: flow (n, 2, h, w) in pixels of its own grid, channel 0 is dx, channel 1 is dy; a value is fetched from
(position + flow). Pixel centres of the first and last row sit at -1 and 1 (align_corners=True).
"""

import mindspore
import mindspore.ops as F


def identity_locations(n, h, w, like):
    """Whole-number positions. -> (n, 2, h, w), channel 0 is x, channel 1 is y; type of `like`"""
    y, x = F.meshgrid(F.arange(h), F.arange(w), indexing="ij")
    return F.stack([x, y]).astype(like.dtype)[None].tile((n, 1, 1, 1))


def normalised_grid(flow):
    """Where `flow` points, each axis scaled to [-1, 1]. (n, 2, h, w) -> (n, h, w, 2)"""
    n, _, h, w = flow.shape
    position = identity_locations(n, h, w, like=flow) + flow
    x = 2.0 * position[:, 0] / max(w - 1, 1) - 1.0
    y = 2.0 * position[:, 1] / max(h - 1, 1) - 1.0
    return F.stack([x, y], axis=3)


def flow_warp(x, flow, padding="border"):
    """Bilinear sampling. x (n, c, h, w), flow (n, 2, h, w) -> (n, c, h, w)

    padding  of positions outside: "border" clamps them to the border, "zeros" counts every pixel out there as zero
    """
    return F.grid_sample(x, normalised_grid(flow), mode="bilinear", padding_mode=padding, align_corners=True)


def warp_locations(locations, flow):
    """Nearest sampling, halves to even, positions outside clamped to the border: whole numbers stay whole.

    locations (n, 2m, h, w), flow (n, 2, h, w) in tokens -> (n, 2m, h, w)
    """
    # grid_sample(mode="nearest") rounds halves up here, to even in PyTorch; so the sampling is written out, in the order
    # of operations of PyTorch's kernel. Pinned by parity_tests/ops/test_warp.py::test_halves_round_to_even.
    n, c, h, w = locations.shape
    grid = normalised_grid(flow)
    x, y = _nearest_pixel(grid[..., 0], w), _nearest_pixel(grid[..., 1], h)
    position = (y * w + x).reshape(n, 1, h * w).broadcast_to((n, c, h * w))
    return F.gather_elements(locations.reshape(n, c, h * w), 2, position).reshape(n, c, h, w)


def _nearest_pixel(x, size):
    """From [-1, 1] to the nearest whole pixel inside the grid."""
    pixels = (x + 1.0) * ((size - 1) / 2)
    return F.round(F.clamp(pixels, 0, size - 1)).astype(mindspore.int32)
