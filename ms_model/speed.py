"""Ways to compute faster, see port/models/speed.py. Without any, float32 is exact."""

from port.models.speed import chosen


def apply(net, names, device):
    """Make a network faster in the ways named, on `device`. -> the network. Raises UsageError, PortError"""
    for name in chosen(names, "mindspore", device, type(net).__name__.lower()):
        WAYS[name](net, device)
    return net


def _together(net, device):
    net.directions = "together"


WAYS = {
    "compiled": lambda net, device: net.compile_parts(),
    "together": _together,
}
