"""Convolutions, dense layers and normalisations computed again in float64, with one thing changed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from port.diagnose.evidence import Evidence, Finding
from port.diagnose.tools import comparable, found, reference_of

LARGEST_PRODUCT = 200_000_000  # multiplications that a second look at a convolution may cost
CERTAIN = 0.98


@dataclass(frozen=True)
class Convolution:
    """Arguments of a 2-d convolution; pad is (top, bottom, left, right)."""

    weight: np.ndarray
    stride: int = 1
    pad: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: int = 1
    groups: int = 1


def convolution(evidence: Evidence) -> Finding | None:
    """Another padding, another kernel order, another dilation."""
    stated = stated_convolution(evidence)
    if stated is None:
        return None
    x, bias = evidence.inputs[0].astype(np.float64), evidence.parameters.get("bias")
    for label, says, hint, rows, changed in variants(stated, x.shape):
        value = convolve(x, changed, bias)
        if value is None or value.shape != evidence.port.shape:
            continue
        finding = found(evidence, label, value, says, hint, rows)
        if finding.explained > CERTAIN:
            return finding
    return None


def stated_convolution(evidence: Evidence) -> Convolution | None:
    """The reference's arguments, read from its description; None where it is no 2-d convolution or too large to repeat."""
    weight = evidence.parameters.get("weight")
    if evidence.kind != "output" or "Conv2d" not in evidence.description or weight is None or weight.ndim != 4:
        return None
    if not comparable(evidence) or not evidence.inputs or evidence.inputs[0].ndim != 4:
        return None
    if evidence.reference.size * weight[0].size > LARGEST_PRODUCT:
        return None
    stride, pad, dilation = (
        number(evidence, name, default) for name, default in (("stride", 1), ("padding", 0), ("dilation", 1))
    )
    groups = re.search(r"groups=(\d+)", evidence.description)
    return Convolution(weight.astype(np.float64), stride, (pad,) * 4, dilation, int(groups[1]) if groups else 1)


def number(evidence: Evidence, name: str, default: int) -> int:
    """The first number of an argument such as padding=(1, 1)."""
    match = re.search(rf"\b{name}=\(?(\d+)", evidence.description)
    return int(match[1]) if match else default


def variants(
    stated: Convolution, shape: tuple[int, ...]
) -> Iterator[tuple[str, str, str, tuple[int, ...], Convolution]]:
    """(label, what was done, what mends it, rows of the catalogue, the convolution with that done)"""
    same = same_padding(stated, shape)
    if same != stated.pad:
        yield (
            "shift" if stated.stride > 1 else "border",
            f"padded by {same} as pad_mode='same' does",
            f"nn.Conv2d(pad_mode='pad', padding={stated.pad[0]}): the default 'same' pads on one side only.",
            (1, 2),
            replace(stated, pad=same),
        )
    w, keep = stated.weight, "Do not change the kernel: both frameworks correlate, in PyTorch's layout."
    for axes, words in (
        ((-2, -1), "turned by 180 degrees"),
        ((-1,), "mirrored left to right"),
        ((-2,), "mirrored upside down"),
    ):
        yield "flipped_weight", f"the kernel is {words}", keep, (), replace(stated, weight=np.flip(w, axes))
    if w.shape[-1] == w.shape[-2]:
        yield (
            "transposed_weight",
            "rows and columns of the kernel are exchanged",
            keep,
            (10,),
            replace(stated, weight=w.swapaxes(-1, -2)),
        )
    if w.shape[0] == w.shape[1]:
        yield (
            "transposed_weight",
            "channels in and out are exchanged",
            keep,
            (10,),
            replace(stated, weight=w.swapaxes(0, 1)),
        )
    extent = (w.shape[-1] - 1) // 2
    for dilation in range(1, 4):
        if dilation != stated.dilation:
            changed = replace(stated, dilation=dilation, pad=(extent * dilation,) * 4)
            yield "shape", f"the dilation is {dilation}", f"Give it dilation={stated.dilation}.", (), changed


def same_padding(stated: Convolution, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """What pad_mode='same' puts around a picture (n, c, h, w): the odd pixel goes to the bottom and the right."""
    sides = []
    for size, kernel in zip(shape[-2:], stated.weight.shape[-2:], strict=True):
        reach = (kernel - 1) * stated.dilation + 1
        total = max((-(-size // stated.stride) - 1) * stated.stride + reach - size, 0)
        sides += [total // 2, total - total // 2]
    return tuple(sides)


def convolve(x: np.ndarray, c: Convolution, bias: np.ndarray | None) -> np.ndarray | None:
    """2-d correlation in float64; None where the picture is smaller than the kernel. x (n, c, h, w)"""
    x = np.pad(x, ((0, 0), (0, 0), c.pad[:2], c.pad[2:]))
    reach = [(k - 1) * c.dilation + 1 for k in c.weight.shape[-2:]]
    if any(size < r for size, r in zip(x.shape[-2:], reach, strict=True)) or x.shape[1] != c.weight.shape[1] * c.groups:
        return None
    windows = sliding_window_view(x, reach, (2, 3))[:, :, :: c.stride, :: c.stride, :: c.dilation, :: c.dilation]
    parts = zip(np.split(windows, c.groups, 1), np.split(c.weight, c.groups, 0), strict=True)
    out = np.concatenate([np.einsum("nchwij,ocij->nohw", win, w, optimize=True) for win, w in parts], 1)
    return out if bias is None else out + bias.astype(np.float64).reshape(1, -1, 1, 1)


def dense(evidence: Evidence) -> Finding | None:
    """A square weight used the other way round, with or without the bias."""
    weight, bias = (evidence.parameters.get(name) for name in ("weight", "bias"))
    if (
        evidence.kind != "output"
        or not comparable(evidence)
        or weight is None
        or weight.ndim != 2
        or not evidence.inputs
    ):
        return None
    x = evidence.inputs[0].astype(np.float64)
    if weight.shape[0] != weight.shape[1] or x.shape[-1] != weight.shape[0]:
        return None
    value = x @ weight.astype(np.float64) + (0.0 if bias is None else bias.astype(np.float64))
    hint = "nn.Dense keeps PyTorch's layout (out, in): do not transpose."
    return found(evidence, "transposed_weight", value, "rows and columns of the weight are exchanged", hint, (10,))


def group_norm(evidence: Evidence) -> Finding | None:
    """Another number of groups, or another epsilon."""
    if (
        evidence.kind != "output"
        or not comparable(evidence)
        or evidence.module_type != "GroupNorm"
        or not evidence.inputs
    ):
        return None
    x, (stated, own) = evidence.inputs[0].astype(np.float64), stated_group_norm(evidence)
    for groups in (g for g in range(1, x.shape[1] + 1) if x.shape[1] % g == 0):
        for eps in (0.0, 1e-12, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2):
            if (groups == stated) == (eps == own):  # exactly one thing is changed
                continue
            label = "affine" if groups != stated else "epsilon"
            says = f"{groups} groups and epsilon {eps:g}, in the reference {stated} and {own:g}"
            value = grouped(x, groups, eps, evidence.parameters)
            finding = found(evidence, label, value, says, f"nn.GroupNorm({stated}, {x.shape[1]}, eps={own:g}).", (18,))
            if finding.explained > CERTAIN:
                return finding
    return None


def stated_group_norm(evidence: Evidence) -> tuple[int, float]:
    """Number of groups and epsilon of the reference."""
    groups = re.search(r"GroupNorm\((\d+)", evidence.description)
    eps = re.search(r"eps=([0-9.e+-]+)", evidence.description)
    return int(groups[1]) if groups else 1, float(eps[1]) if eps else 1e-5


def grouped(x: np.ndarray, groups: int, eps: float, parameters) -> np.ndarray:
    """Group normalisation of (n, c, ...)."""
    parts = x.reshape(x.shape[0], groups, -1)
    normed = (parts - parts.mean(-1, keepdims=True)) / np.sqrt(parts.var(-1, keepdims=True) + eps)
    shape = (1, -1) + (1,) * (x.ndim - 2)
    weight, bias = (parameters.get(name, default) for name, default in (("weight", np.ones(1)), ("bias", np.zeros(1))))
    return normed.reshape(x.shape) * weight.reshape(shape) + bias.reshape(shape)


def unit_length(evidence: Evidence) -> Finding | None:
    """Vectors of length one with another epsilon, or over another axis."""
    if evidence.kind != "output" or not comparable(evidence) or not evidence.inputs:
        return None
    x = evidence.inputs[0].astype(np.float64)
    if x.shape != evidence.port.shape or evidence.inputs[0].dtype.kind != "f":
        return None
    for axis in range(x.ndim):
        squares = (x * x).sum(axis, keepdims=True)
        for eps in (1e-12, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2):
            for lengths in (
                np.maximum(np.sqrt(squares), eps),
                np.sqrt(np.maximum(squares, eps)),
                np.sqrt(squares + eps),
                np.sqrt(squares) + eps,
            ):
                says = f"divided by the length along axis {axis} with epsilon {eps:g}"
                finding = found(
                    evidence,
                    "epsilon",
                    x / lengths,
                    says,
                    "ops.L2Normalize has epsilon 1e-4: write it out with PyTorch's 1e-12.",
                    (23,),
                )
                if finding.explained > CERTAIN and not np.allclose(x / lengths, reference_of(evidence), rtol=1e-5):
                    return finding
    return None


EXPLANATIONS = (convolution, dense, group_norm, unit_length)
