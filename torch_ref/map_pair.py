"""The reference's half of a map of weights: `python -m torch_ref.map_pair PAIR --out DIR` describes it and runs it once."""

import argparse
import copy
import sys
from pathlib import Path

import torch

from port.convert.network import Reference, fingerprints, leaves
from port.errors import run_command
from port.parity.pair import load_pair, part
from port.weights.propose import Parameter
from torch_ref import device
from torch_ref.pairs import tied_names, to_numpy


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m torch_ref.map_pair", description=__doc__)
    parser.add_argument("pair", help="the pair's Python file")
    parser.add_argument("--out", type=Path, required=True, help="folder for what the port's half needs")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    args = parser.parse_args(argv)
    return run_command(lambda: run(args), debug=args.debug)


def run(args):
    """Describe the network, run it on values of their own in every tensor. -> 0"""
    device.select(device.DEVICES[0])
    pair = load_pair(args.pair)
    torch.manual_seed(0)
    net = part(pair, "torch", "net")().eval()
    calls = called(net, pair.inputs)
    state = dict(net.state_dict(keep_vars=True))
    parameters = described(net, state, calls)
    values = fingerprints(parameters, {name: to_numpy(tensor) for name, tensor in state.items()})
    net.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in values.items()})
    exercised = exercised_by(net, pair.inputs)
    outputs, truth = outputs_of(net, pair.inputs), outputs_of(copy.deepcopy(net).double(), pair.inputs)
    Reference(parameters, values, outputs, truth, exercised).save(args.out)
    return 0


def called(net, inputs):
    """When every module is first called. name -> place in the order of calls"""
    calls, handles = {}, []
    for name, module in net.named_modules():
        note = lambda *_, name=name: calls.update({name: calls.get(name, len(calls))})  # noqa: E731
        handles.append(module.register_forward_pre_hook(note))
    outputs_of(net, inputs)
    for handle in handles:
        handle.remove()
    return calls


def described(net, state, calls):
    """Every tensor, for the map. -> list of Parameter"""
    kinds = {name: type(module).__name__ for name, module in net.named_modules(remove_duplicate=False)}
    trained, tied = {name for name, _ in net.named_parameters()}, tied_names(state)
    owner = lambda name: name.rpartition(".")[0]  # noqa: E731
    return [
        Parameter(
            name, tuple(tensor.shape), kinds.get(owner(name), ""), calls.get(owner(name)),
            tuple(other for other, first in tied.items() if first == name), name not in trained,
        )
        for name, tensor in state.items()
        if name not in tied
    ]  # fmt: skip


def outputs_of(net, inputs):
    """What the network returns, as arrays by name."""
    own = next((p.dtype for p in net.parameters() if p.is_floating_point()), torch.float32)
    given = [torch.from_numpy(array) for array in inputs]
    with torch.no_grad():
        output = net(*(t.to(own) if t.is_floating_point() else t for t in given))
    return {name: to_numpy(tensor) for name, tensor in leaves(output).items()}


def exercised_by(net, inputs):
    """Names of the parameters that the outputs depend on: those with a gradient. All names of a tied one."""
    random = torch.Generator().manual_seed(0)
    outputs = leaves(net(*(torch.from_numpy(array) for array in inputs))).values()
    graded = [t for t in outputs if t.requires_grad]
    if graded:
        sum((t * torch.randn(t.shape, generator=random)).sum() for t in graded).backward()
    named = net.named_parameters(remove_duplicate=False)
    return frozenset(name for name, p in named if p.grad is not None and bool((p.grad != 0).any()))


if __name__ == "__main__":
    sys.exit(main())
