"""Tokens in loops, written from the specification and from nothing in the two columns."""

import math

import numpy as np


def cut_by_hand(x, stride=4):
    """(n, c, h, w) -> (n, c*S*S, h//S, w//S), channel c*S*S + ky*S + kx."""
    n, c, h, w = x.shape
    out = np.zeros((n, c * stride * stride, h // stride, w // stride), x.dtype)
    for channel, ky, kx in np.ndindex(c, stride, stride):
        plane = x[:, channel, ky::stride, kx::stride]
        out[:, (channel * stride + ky) * stride + kx] = plane[:, : h // stride, : w // stride]
    return out


def lay_patches(x, stride, patch):
    """Overlapping patches side by side: (n, c, h, w) -> (n, c, h * patch // S, w * patch // S), zeros where none fits."""
    n, c, h, w = x.shape
    pad = (patch - stride) // 2
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    out = np.zeros((n, c, h * patch // stride, w * patch // stride), x.dtype)
    for i in range((h + 2 * pad - patch) // stride + 1):
        for j in range((w + 2 * pad - patch) // stride + 1):
            taken = padded[:, :, i * stride : i * stride + patch, j * stride : j * stride + patch]
            out[:, :, i * patch : (i + 1) * patch, j * patch : (j + 1) * patch] = taken
    return out


def pool_by_hand(x, h, w):
    """Adaptive average pooling: window i is floor(i * H / h) .. ceil((i + 1) * H / h)."""
    big_h, big_w = x.shape[2:]
    out = np.zeros((*x.shape[:2], h, w))
    for i, j in np.ndindex(h, w):
        rows = slice(i * big_h // h, math.ceil((i + 1) * big_h / h))
        columns = slice(j * big_w // w, math.ceil((j + 1) * big_w / w))
        out[:, :, i, j] = x[:, :, rows, columns].mean(axis=(2, 3))
    return out


def enlarged_by_hand(x, stride, patch):
    """In float64."""
    return cut_by_hand(pool_by_hand(lay_patches(x.astype(np.float64), stride, patch), *x.shape[2:]), stride)
