"""Convolutions in 16 bits; flows, locations and attention stay in float32, since coordinates beyond 256 need more digits."""

import mindspore
from mindspore import nn

from port.errors import PortError

SUPPORTED = {"cpu": ("float32", "float16"), "ascend": ("float32", "bfloat16", "float16")}


class InHalf(nn.Cell):
    """A module that computes in another element type than what is around it. back: its results are converted back"""

    def __init__(self, inner, dtype, back=True):
        super().__init__()
        self.inner = inner
        self.dtype, self.back = dtype, back
        for parameter in inner.get_parameters():
            parameter.set_dtype(dtype)

    def construct(self, x):
        y = self.inner(x.astype(self.dtype))
        return y.astype(x.dtype) if self.back else y


def use_dtype(net, dtype, device):
    """Let the convolutions beside flow network and attention compute in `dtype`, a name. -> the network

    Raises PortError where `device` cannot.
    """
    if dtype not in SUPPORTED[device]:
        raise PortError(
            f"--dtype {dtype} is not for {device} in MindSpore: its convolutions take float32 and float16 there. "
            "Use float32 (or float16, to see what it does to the pictures)."
        )
    if dtype != "float32":
        for name in net.facts.HALF_PARTS:
            back = name not in net.facts.HALF_FROM
            setattr(net, name, InHalf(getattr(net, name), getattr(mindspore, dtype), back))
    return net
