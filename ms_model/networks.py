"""The networks by name, built and filled from a checkpoint."""

import mindspore
from mindspore import Parameter, Tensor

from ms_model.basicvsr import BasicVSR
from ms_model.checkpoint import load
from ms_model.ttvsr import TTVSR
from port.errors import PortError
from port.models.table import own_options
from port.weights.convert import load_checkpoint
from port.weights.detect import AUTO

NETWORKS = {"ttvsr": TTVSR, "basicvsr": BasicVSR}


def load_network(model, path, **options):
    """A network in evaluation mode with the weights of a file; its size is read off the tensors.

    model    name of the network, or "auto": recognised from its tensors
    options  constructor arguments that leave no trace in the weights (token_stride, keyframe_stride), left out for a network
             that has none; others must agree
    Raises PortError for an unknown model, a file that does not fit it, or options that do not fit the file.
    """
    found = load_checkpoint(path, load, model)
    own = own_options(found.model.name, options)
    net = NETWORKS[found.model.name](**fitting(path, vars(found.config), own))
    return fill(net, found).set_train(False)


def recognise(path, model):
    """The name of the network in a file, where `model` is "auto"; else `model` itself. Raises PortError."""
    return load_checkpoint(path, load, model).model.name if model == AUTO else model


def fitting(path, sizes, options):
    """The sizes of a file and the options together. Raises PortError where the two contradict each other."""
    for name in sizes.keys() & options.keys():
        if options[name] != sizes[name]:
            raise PortError(
                f"{path} holds a network of {name} = {sizes[name]}, asked for {options[name]!r}. Leave it out."
            )
    return sizes | options


def fill(net, found):
    """Put checked weights into a network, every name present on both sides. -> the network"""
    weights = {found.model.rules.forward(name): array for name, array in found.weights.items()}
    parameters = {name: Parameter(Tensor(array), name=name) for name, array in weights.items()}
    missing, extra = mindspore.load_param_into_net(net, parameters, strict_load=True)
    if missing or extra:  # load_param_into_net reports and does not raise
        raise PortError(f"weights do not fit the network: missing {missing[:3]}, not used {extra[:3]}.")
    return net
