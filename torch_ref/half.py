"""Convolutions in 16 bits; flows, locations and attention stay in float32, since coordinates beyond 256 need more digits."""

import torch
from torch import nn

from port.errors import PortError

SUPPORTED = {"cpu": ("float32", "bfloat16"), "cuda": ("float32", "bfloat16", "float16")}


class InHalf(nn.Module):
    """A module that computes in another element type than what is around it. back: its results are converted back"""

    def __init__(self, inner, dtype, back=True):
        super().__init__()
        self.inner = inner.to(dtype)
        self.dtype, self.back = dtype, back

    def forward(self, x):
        y = self.inner(x.to(self.dtype))
        return y.to(x.dtype) if self.back else y


def use_dtype(net, dtype, device):
    """Let the convolutions beside flow network and attention compute in `dtype`, a name. -> the network

    Raises PortError where `device` cannot, or is slower than in float32.
    """
    if dtype not in SUPPORTED[device]:
        raise PortError(
            f"--dtype {dtype} is not for {device} in PyTorch: convolutions take ten times as long there. "
            "Use float32 (or bfloat16, to see what it does to the pictures)."
        )
    if dtype != "float32":
        for name in net.facts.HALF_PARTS:
            back = name not in net.facts.HALF_FROM
            setattr(net, name, InHalf(getattr(net, name), getattr(torch, dtype), back))
    return net
