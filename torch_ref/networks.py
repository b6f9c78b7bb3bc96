"""The networks by name, built and filled from a checkpoint."""

import torch

from port.weights.convert import load_checkpoint
from torch_ref.checkpoint import load
from torch_ref.ttvsr import TTVSR

NETWORKS = {"ttvsr": TTVSR}


def load_network(model, path, **options):
    """A network in evaluation mode with the weights of a file; its size is read off the tensors.

    model    name of the network, or "auto": recognised from its tensors
    options  constructor arguments that leave no trace in the weights (token_stride, keyframe_stride)
    Raises PortError for an unknown model or a file that does not fit it.
    """
    found = load_checkpoint(path, load, model)
    config = found.config
    net = NETWORKS[found.model.name](mid_channels=config.mid_channels, num_blocks=config.num_blocks, **options)
    return fill(net, found).eval()


def fill(net, found):
    """Put checked weights into a network, every name present on both sides. -> the network"""
    net.load_state_dict({name: torch.from_numpy(array) for name, array in found.weights.items()}, strict=True)
    return net
