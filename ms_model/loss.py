"""Training losses."""

import mindspore.ops as F

EPS = 1e-12  # under the root, so that the loss is smooth at zero


def charbonnier(output, target):
    """sqrt(d^2 + 1e-12), mean over every element. Both (n, t, 3, h, w) -> scalar"""
    return F.sqrt((output - target) ** 2 + EPS).mean()
