"""Ways to compute faster, see port/models/speed.py. Without any, float32 is exact."""

from ms_model.winograd import fast_convolutions
from port.errors import PortError
from port.models.speed import chosen


def apply(net, names, device):
    """Make a network faster in the ways named, on `device`. -> the network. Raises UsageError, PortError"""
    wanted = chosen(names, "mindspore", device, type(net).__name__.lower())
    for name in WAYS:  # in their order: what is compiled is compiled as the others left it
        if name in wanted:
            WAYS[name](net, device)
    return net


def _together(net, device):
    net.directions = "together"


def _winograd(net, device):
    if not fast_convolutions(net):
        raise PortError("--fast winograd: no convolution of the network is 3x3, in float32 and on a CPU. Leave it out.")


WAYS = {
    "none": lambda net, device: None,
    "together": _together,
    "winograd": _winograd,
    "compiled": lambda net, device: net.compile_parts(),
}
