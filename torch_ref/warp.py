"""Sampling pictures, features and location maps where a flow points.

Conventions: flow (n, 2, h, w) in pixels of its own grid, channel 0 is dx, channel 1 is dy; a value is fetched from
(position + flow). Pixel centres of the first and last row sit at -1 and 1 (align_corners=True).
"""

import torch
import torch.nn.functional as F

from torch_ref.device import laid_out_as


def identity_locations(n, h, w, like):
    """Whole-number positions. -> (n, 2, h, w), channel 0 is x, channel 1 is y; type and device of `like`"""
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    return torch.stack([x, y]).to(like)[None].repeat(n, 1, 1, 1)


def normalised_grid(flow):
    """Where `flow` points, each axis scaled to [-1, 1]. (n, 2, h, w) -> (n, h, w, 2)"""
    n, _, h, w = flow.shape
    position = identity_locations(n, h, w, like=flow) + flow
    x = 2.0 * position[:, 0] / max(w - 1, 1) - 1.0
    y = 2.0 * position[:, 1] / max(h - 1, 1) - 1.0
    return torch.stack([x, y], dim=3)


def flow_warp(x, flow, padding="border"):
    """Bilinear sampling. x (n, c, h, w), flow (n, 2, h, w) -> (n, c, h, w)

    padding  of positions outside: "border" clamps them to the border, "zeros" counts every pixel out there as zero
    """
    warped = F.grid_sample(x, normalised_grid(flow), mode="bilinear", padding_mode=padding, align_corners=True)
    return laid_out_as(x, warped)


def warp_locations(locations, flow):
    """Nearest sampling, halves to even, positions outside clamped to the border: whole numbers stay whole.

    locations (n, 2m, h, w), flow (n, 2, h, w) in tokens -> (n, 2m, h, w)
    """
    return F.grid_sample(locations, normalised_grid(flow), mode="nearest", padding_mode="border", align_corners=True)
