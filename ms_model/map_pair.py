"""The port's half of a map of weights: `python -m ms_model.map_pair PAIR --out DIR` finds the map and proves it by running."""

import argparse
import sys
from pathlib import Path

import mindspore
import numpy as np
from mindspore import Tensor

from ms_model import device
from ms_model.pairs import assign, parameters_of, to_numpy
from port import console
from port.convert.network import leaves, load_reference
from port.convert.settle import settle
from port.convert.verdict import save_verdict
from port.errors import run_command
from port.parity.pair import load_pair, part
from port.weights.propose import propose


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m ms_model.map_pair", description=__doc__)
    parser.add_argument("pair", help="the pair's Python file")
    parser.add_argument("--out", type=Path, required=True, help="folder that the reference's half has filled")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    args = parser.parse_args(argv)
    return run_command(lambda: run(args), debug=args.debug)


def run(args):
    """Propose a map by names, structure and calls; settle it by running. -> 0; the verdict is left in the folder"""
    device.select(device.DEVICES[0])
    pair = load_pair(args.pair)
    mindspore.set_seed(0)
    net = part(pair, "ms", "net")().set_train(False)
    reference = load_reference(args.out)
    state = dict(net.parameters_and_names()) | dict(net.named_buffers())
    proposal = propose(
        reference.parameters, described(net, state, called(net, pair.inputs)), pair.weights, pair.left_out
    )

    def run_with(values):
        for name, array in values.items():
            assign(state[name], array)
        return outputs_of(net, pair.inputs)

    save_verdict(args.out, settle(proposal, reference, run_with, console.note))
    return 0


def called(net, inputs):
    """When every module is first called. name -> place in the order of calls"""
    calls, handles = {}, []
    for name, cell in net.cells_and_names():
        note = lambda *_, name=name: calls.update({name: calls.get(name, len(calls))})  # noqa: E731
        handles.append(cell.register_forward_pre_hook(note))
    outputs_of(net, inputs)
    for handle in handles:
        handle.remove()
    return calls


def described(net, state, calls):
    """Every tensor, for the map. -> list of Parameter"""
    return [one for one in parameters_of(net, calls) if one.name in state]


def outputs_of(net, inputs):
    """What the network returns, as arrays by name."""
    output = net(*(Tensor(np.array(array)) for array in inputs))
    return {name: to_numpy(tensor).copy() for name, tensor in leaves(output).items()}


if __name__ == "__main__":
    sys.exit(main())
