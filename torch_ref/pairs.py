"""One half of a pair: the network with its weights, its inputs, loss and optimiser, ready to be run under a recorder."""

import inspect
import re
from contextlib import contextmanager

import torch

from port.errors import PortError
from port.parity.pair import load_pair, part
from port.parity.probe import PASSIVE
from port.weights import tensors_file
from port.weights.layouts import fitted
from torch_ref.gate import copying_gate, gate, refuses_in_place


class Side:
    """What a pass runs. Parameters and buffers go by the reference's names on both sides.

    spec     path of the pair's file
    weights  .safetensors of a reference's weights, by its names; None: the network's own, or the pair's VALUES
    """

    def __init__(self, spec, weights=None):
        self.pair = load_pair(spec)
        torch.manual_seed(0)
        self.net = part(self.pair, "torch", "net")().eval()
        self.inputs = [torch.from_numpy(array) for array in self.pair.inputs]
        self.loss = part(self.pair, "torch", "loss") or mean_square
        self.optimizer = part(self.pair, "torch", "optimizer")
        self.clip = part(self.pair, "torch", "clip")
        self.fill(weights)

    def fill(self, weights):
        """Put the weights in."""
        state = self.state()
        self.names = {name: name for name in state}
        self.tied = tied_names(state)
        self.sites = {}  # the reference's names are the names
        if weights is None and self.pair.values is None:
            return
        shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
        given = tensors_file.load(weights).tensors if weights else self.pair.values(shapes)
        with torch.no_grad():
            for name, tensor in state.items():
                if name not in given:
                    raise PortError(f"the weights lack {name!r}, which the network has.")
                tensor.copy_(torch.from_numpy(fitted(name, given[name], tuple(tensor.shape))))

    def state(self):
        """Parameters and buffers as the network calls them. name -> tensor"""
        return dict(self.net.state_dict(keep_vars=True))

    def values(self):
        """Parameters and buffers as arrays, by the reference's names; copies."""
        return {self.names[name]: to_numpy(tensor).copy() for name, tensor in self.state().items()}

    def set_values(self, given):
        """Put arrays in by the reference's names."""
        with torch.no_grad():
            for name, tensor in self.state().items():
                tensor.copy_(torch.from_numpy(given[self.names[name]]))

    def trained(self):
        """The parameters that need gradients, by the reference's names, in the network's order."""
        return {self.names[name]: p for name, p in self.net.named_parameters() if p.requires_grad}

    def cast(self, dtype):
        """Compute in another precision from now on. -> self"""
        self.net.to(getattr(torch, dtype))
        self.inputs = [t.to(getattr(torch, dtype)) if t.is_floating_point() else t for t in self.inputs]
        return self

    def modules(self):
        """(the reference's name, module) of every module inside the network."""
        return [(name, module) for name, module in self.net.named_modules() if name]


def tied_names(state):
    """Names of tensors that have a name already: -> {name: the first one}"""
    first = {}
    for name, tensor in state.items():
        first.setdefault(id(tensor), name)
    return {name: first[id(tensor)] for name, tensor in state.items() if first[id(tensor)] != name}


def mean_square(output, inputs):
    """The loss where the pair names none: every floating-point tensor of the output counts."""
    parts = output.values() if isinstance(output, dict) else output if isinstance(output, tuple | list) else [output]
    return sum((p**2).mean() for p in parts if hasattr(p, "dtype") and p.is_floating_point())


def to_numpy(tensor):
    """An array that may share the tensor's memory."""
    tensor = tensor.detach().cpu()
    return tensor.float().numpy() if tensor.dtype == torch.bfloat16 else tensor.numpy()  # numpy has no bfloat16


def like(array, tensor, keep=True):
    """A tensor of the array's values with the type and place of `tensor`. keep is for the port."""
    return torch.from_numpy(array).to(tensor)


def missing_kernel(failure):
    """The operator that the framework does not have in an element type, None for a failure of another kind."""
    found = re.search(r'"(\w+)" not implemented for', str(failure))
    return found and found.group(1)


def described(side):
    """Class and constructor arguments of every module, for reports and diagnoses. name -> (class, one line)"""
    return {name: (type(module).__name__, " ".join(repr(module).split())[:300]) for name, module in side.modules()}


@contextmanager
def hooked(side, recorder):
    """Show every module's inputs and outputs to the recorder, and every named value where the network has a probe."""
    handles = []
    if hasattr(side.net, "watch"):
        side.net.watch(recorder)
    for name, module in side.modules():
        positions = list(inspect.signature(module.forward).parameters)
        before = lambda _, args, kwargs, name=name, at=positions: recorder.call(name, args, kwargs, at)  # noqa: E731
        handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
        handles.append(module.register_forward_hook(lambda _, args, out, name=name: recorder.output(name, out)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        if hasattr(side.net, "watch"):
            side.net.watch(PASSIVE)


def run(side, recorder, backward=True):
    """Forward, loss and gradients of everything, shown to the recorder.

    A copy of every value costs as much again as the convolutions around it, so only networks that write in place get them.
    """
    before = side.values()
    try:
        run_gated(side, recorder, gate, backward)
    except RuntimeError as failure:
        if not refuses_in_place(failure):
            raise
        side.set_values(before)
        recorder.start_again()
        run_gated(side, recorder, copying_gate, backward)


def run_gated(side, recorder, gates, backward):
    """One run with these gates."""
    recorder.gate = gates
    recorder.graded = lambda value: not backward or value.requires_grad
    with hooked(side, recorder), torch.set_grad_enabled(backward):
        inputs = [t.clone().requires_grad_(backward and t.is_floating_point()) for t in side.inputs]
        loss = scored(side, recorder, inputs)
        if backward:
            side.net.zero_grad()
            loss.backward()
    for name, parameter in side.trained().items() if backward else ():
        if parameter.grad is not None:
            recorder.parameter_gradient(name, parameter.grad)


def scored(side, recorder, inputs):
    """The loss of one run; its output and the loss itself are sites."""
    output = side.net(*inputs)
    recorder.step("end")
    output = recorder.result("output", output)
    return recorder("loss", side.loss(output, inputs))
