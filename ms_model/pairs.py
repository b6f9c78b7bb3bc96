"""One half of a pair: the network with its weights, its inputs, loss and optimiser, ready to be run under a recorder."""

import inspect
import re
from contextlib import contextmanager

import mindspore
import numpy as np
from mindspore import Tensor, ops

from ms_model.gate import gate
from port.errors import PortError
from port.parity.pair import load_pair, part
from port.parity.pair_capture import tied_in
from port.parity.probe import PASSIVE
from port.weights import tensors_file
from port.weights.layouts import SAME
from port.weights.map_by_names import map_by_names
from port.weights.proposal import Parameter
from port.weights.site_names import site_names

RECOMPUTING = "_recompute_cell"  # the cell that MindSpore puts into one that is marked by recompute()


class Side:
    """What a pass runs. Parameters and buffers go by the reference's names on both sides.

    spec     path of the pair's file
    weights  .safetensors of a reference's weights, by its names
    """

    def __init__(self, spec, weights=None):
        self.pair = load_pair(spec)
        mindspore.set_seed(0)
        self.net = part(self.pair, "ms", "net")().set_train(False)
        self.inputs = [Tensor(array) for array in self.pair.inputs]
        self.loss = part(self.pair, "ms", "loss") or mean_square
        self.optimizer = part(self.pair, "ms", "optimizer")
        self.clip = part(self.pair, "ms", "clip")
        self.fill(weights)
        if unknown := set(self.pair.compiled) - {"", *(name for name, _ in self.modules())}:
            raise PortError(f"COMPILE names {min(unknown)!r}; the port has no module of this name.")

    def fill(self, weights):
        """Put the weights in."""
        if weights is None:
            raise PortError("the port has no weights of its own to be compared by; give it those of the reference.")
        given = tensors_file.load(weights).tensors
        pair, own = self.pair, parameters_of(self.net, {})
        self.map = map_by_names(given, tied_in(weights), own, pair.weights, pair.left_out, pair.map_file)
        self.names, self.tied = self.map.port_name(), {}
        self.sites = site_names([name for name, _ in self.own_modules()], self.map, pair.sites)
        self.set_values(given)

    def state(self):
        """Parameters and buffers as the network calls them, by their place in it. name -> tensor"""
        return dict(self.net.parameters_and_names()) | dict(self.net.named_buffers())

    def values(self):
        """Parameters and buffers as arrays, by the reference's names; copies."""
        return self.map.to_torch({name: to_numpy(tensor).copy() for name, tensor in self.state().items()})

    def set_values(self, given):
        """Put arrays in by the reference's names."""
        state = self.state()
        for name, array in self.map.to_port(given).items():
            assign(state[name], array)

    def trained(self):
        """The parameters that need gradients, by their own names, in the network's order."""
        return {name: p for name, p in self.net.parameters_and_names() if p.requires_grad}

    def by_reference(self, gradients):
        """Gradients of the port's parameters as those of the reference's. own name -> tensor; -> pairs of name and tensor"""
        for entry in self.map.entries:
            own = {name: gradients[name] for name in entry.port if name in gradients}
            if entry.layout == SAME and own:
                yield entry.torch[0], own[entry.port[0]]
            elif len(own) == len(entry.port):
                arrays = [to_numpy(gradient) for gradient in own.values()]
                yield from zip(entry.torch, map(Tensor, entry.layout.backward(arrays, entry.torch_shapes)), strict=True)

    def cast(self, dtype):
        """Compute in another precision from now on. -> self"""
        if dtype == "float64":
            raise PortError(
                "MindSpore has no convolution in float64 on a CPU; the high-precision run is the reference's."
            )
        if dtype != "float32":
            wanted = getattr(mindspore, dtype)
            for _, cell in self.net.cells_and_names():
                for name, buffer in cell._buffers.items():
                    cell._buffers[name] = buffer.astype(wanted) if floats(buffer) else buffer
            for parameter in self.net.get_parameters():
                parameter.set_dtype(wanted)
            self.inputs = [t.astype(wanted) if t.is_floating_point() else t for t in self.inputs]
        return self

    def modules(self):
        """(the reference's name, module) of every module inside the network."""
        return [(self.sites[name], cell) for name, cell in self.own_modules() if name in self.sites]

    def own_modules(self):
        """(name, module) of every module inside the network, as the port itself calls them."""
        return [(name, cell) for name, cell in self.net.cells_and_names() if name and RECOMPUTING not in name]


def parameters_of(net, calls):
    """Every tensor of a network, for the map of weights. calls: name of a cell -> when it was first called"""
    cells = {name: type(cell).__name__ for name, cell in net.cells_and_names()}
    owner = lambda name: name.rpartition(".")[0]  # noqa: E731
    held = [(name, tensor, False) for name, tensor in net.parameters_and_names()]
    held += [(name, tensor, True) for name, tensor in net.named_buffers()]
    return [
        Parameter(n, tuple(t.shape), cells.get(owner(n), ""), calls.get(owner(n)), buffer=buffer)
        for n, t, buffer in held
    ]


def assign(tensor, array):
    """Put values into a parameter or a buffer."""
    # set_data would give the parameter new memory, and an optimiser that has run keeps updating the old
    given = Tensor(array).astype(tensor.dtype)  # a parameter of another type keeps it, for the comparison to see
    ops.assign(tensor, given) if hasattr(tensor, "set_data") else tensor.assign_value(given)


def mean_square(output, inputs):
    """The loss where the pair names none: every floating-point tensor of the output counts."""
    parts = output.values() if isinstance(output, dict) else output if isinstance(output, tuple | list) else [output]
    return sum((p**2).mean() for p in parts if hasattr(p, "dtype") and p.is_floating_point())


def to_numpy(tensor):
    """An array that may share the tensor's memory."""
    array = tensor.asnumpy()
    return array if array.dtype.kind in "fiub" else array.astype(np.float32)  # bfloat16 has no numpy type


def like(array, tensor, keep=True):
    """A tensor of the array's values with the type of `tensor`; keep: but no less precise, a cast to half stays where it is."""
    given = Tensor(array)
    kept = keep and given.is_floating_point() and tensor.is_floating_point() and given.itemsize > tensor.itemsize == 2
    return given if kept and tensor.dtype != mindspore.bfloat16 else given.astype(tensor.dtype)


def missing_kernel(failure):
    """The operator that the framework does not have in an element type, None for a failure of another kind."""
    found = re.search(r"(?:operator\[|primitive\[|KernelMod Init Failed: )(\w+)", str(failure))
    return found and found.group(1)


def described(side):
    """Class and constructor arguments of every module, for reports and diagnoses. name -> (class, one line)"""
    return {name: (type(module).__name__, " ".join(repr(module).split())[:300]) for name, module in side.modules()}


@contextmanager
def without_recomputing(net):
    """Cells marked by `recompute()` run once: run again on the way back, they would be seen as calls that nobody made.

    It changes no value, only memory. Training and the compiled run leave it as it is.
    """
    held = [
        (cell, cell._cells.pop(RECOMPUTING)) for _, cell in list(net.cells_and_names()) if RECOMPUTING in cell._cells
    ]
    for cell, _ in held:
        object.__setattr__(cell, RECOMPUTING, None)
    try:
        yield
    finally:
        for cell, wrapper in held:
            object.__delattr__(cell, RECOMPUTING)
            cell._cells[RECOMPUTING] = wrapper


@contextmanager
def hooked(side, recorder):
    """Show every module's inputs and outputs to the recorder, and every named value where the network has a probe."""
    handles = []
    if hasattr(side.net, "watch"):
        side.net.watch(recorder)
    for name, module in side.modules():
        positions = list(inspect.signature(module.construct).parameters)
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
    """Forward, loss and gradients of everything, shown to the recorder."""
    recorder.gate = gate if backward else recorder.gate
    recorder.graded = lambda value: not backward or getattr(value, "_requires_grad", True)
    with without_recomputing(side.net), hooked(side, recorder):
        if not backward:
            scored(side, recorder, side.inputs)
            return
        trained = side.trained()
        places = tuple(i for i, t in enumerate(side.inputs) if t.is_floating_point()) or None
        graded = mindspore.grad(lambda *inputs: scored(side, recorder, inputs), places, list(trained.values()) or None)
        gradients = graded(*side.inputs)
    found = zip(trained, gradients[1] if places and trained else gradients, strict=True) if trained else ()
    for name, gradient in side.by_reference(dict(found)):
        recorder.parameter_gradient(name, gradient)


def scored(side, recorder, inputs):
    """The loss of one run; its output and the loss itself are sites."""
    output = side.net(*inputs)
    recorder.step("end")
    output = recorder.result("output", output)
    return recorder("loss", side.loss(output, inputs))


def floats(value):
    """The floating-point tensors of a nested value, in order. It is compiled, too, hence plain loops and pairs of types."""
    found = ()
    if isinstance(value, (list, tuple)):
        for leaf in value:
            found = found + floats(leaf)
    elif isinstance(value, dict):
        for leaf in value.values():
            found = found + floats(leaf)
    elif isinstance(value, Tensor) and value.dtype in (mindspore.float32, mindspore.float16, mindspore.bfloat16):
        found = (value,)
    return found
