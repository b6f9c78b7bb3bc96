"""Run the port and leave traces: `python -m ms_model.capture MODEL --weights W --input X.npy --out DIR`."""

import hashlib
import sys
from contextlib import contextmanager

import mindspore
import numpy as np
from mindspore import Tensor

from ms_model import device, speed
from ms_model.networks import load_network
from port.errors import PortError, run_command
from port.parity.capture import (
    PASSES,
    capture_arguments,
    chosen_passes,
    inference_ways,
    network_options,
    read_frames,
    run_pass,
    save_weights,
)
from port.parity.probe import PASSIVE
from port.weights.detect import MODELS


def to_numpy(tensor):
    """An array that may share the tensor's memory."""
    return tensor.asnumpy()


def like(array, tensor):
    """A tensor of the array's values with the type of `tensor`."""
    return Tensor(array).astype(tensor.dtype)


@contextmanager
def hooked(net, recorder, modules=True):
    """Show every named value, and with `modules` every module's inputs and outputs, to the recorder."""
    handles = []
    net.watch(recorder)
    for name, module in net.cells_and_names() if modules else ():
        if name:
            handles.append(module.register_forward_pre_hook(lambda _, args, name=name: recorder.inputs(name, args)))
            handles.append(module.register_forward_hook(lambda _, args, out, name=name: recorder.output(name, out)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        net.watch(PASSIVE)


def weights_of(net, model):
    """What the network actually holds, by the reference's names. name -> array"""
    rules = MODELS[model].rules
    return {rules.inverse(name): to_numpy(tensor) for name, tensor in net.parameters_dict().items()}


def weight_hashes(weights):
    """name -> shape, type and sha256."""
    return {
        name: {"shape": list(a.shape), "dtype": str(a.dtype), "sha256": hashlib.sha256(a.tobytes()).hexdigest()}
        for name, a in weights.items()
    }


def forward(net, frames, recorder, spec):
    """One run of a pass. frames (1, t, 3, h, w) float32 -> (t, 3, 4h, 4w)"""
    with hooked(net, recorder, modules=not spec.compiled):
        if spec.compiled:
            return streamed(net, placed(frames, spec))
        return whole(net, placed(frames, spec))


def whole(net, lrs):
    """All frames at the end. (1, t, 3, h, w) -> (t, 3, 4h, 4w)"""
    return to_numpy(net(lrs))[0]


def streamed(net, lrs):
    """The same as `infer` has them, one by one."""
    return np.concatenate([to_numpy(frame) for frame in net.frames(lrs)])


def described(net):
    """Class and constructor arguments of every module, for diagnoses. name -> (class, one line)"""
    return {name: (type(m).__name__, " ".join(repr(m).split())[:300]) for name, m in net.cells_and_names() if name}


def placed(array, spec):
    """The array as a tensor of a pass."""
    return Tensor(array, precision(spec))


def precision(spec):
    """The element type of a pass."""
    if spec.dtype != "float32":
        raise PortError("MindSpore has no convolution in float64 on a CPU; the high-precision run is the reference's.")
    return mindspore.float32


def main(argv=None):
    args = capture_arguments("python -m ms_model.capture", device.DEVICES).parse_args(argv)
    return run_command(lambda: run(args), debug=args.debug)


def run(args):
    """All passes asked for. -> 0, or 3 when a run broke off"""
    passes = chosen_passes(args)
    device.select(args.device)
    device.one_after_the_other()
    frames = read_frames(args.input)
    complete = [run_one(name, args, frames) for name in passes]
    return 0 if all(complete) else 3


def run_one(name, args, frames):
    """One pass of a fresh network. -> whether it went through"""
    net, spec = load_network(args.model, args.weights, **network_options(args)), PASSES[name]
    weights = weights_of(net, args.model)
    save_weights(args.out / name, weights)
    options = {name: getattr(net, name) for name in net.facts.OPTIONS}
    about = {"model": args.model, "options": options, "backend": device.describe()}
    about |= {"weights": weight_hashes(weights), "modules": described(net)}
    if spec.compiled:
        about["ways"] = inference_ways(args.fast, "mindspore", args.device, args.model)
        speed.apply(net, about["ways"], args.device)
    return run_pass(name, args, frames, about, lambda recorder: forward(net, frames, recorder, spec), to_numpy, like)


if __name__ == "__main__":
    sys.exit(main())
