"""Run the reference and leave traces: `python -m torch_ref.capture MODEL --weights W --input X.npy --out DIR`."""

import hashlib
import sys
from contextlib import contextmanager

import numpy as np
import torch

from port.errors import run_command
from port.parity.capture import (
    PASSES,
    capture_arguments,
    chosen_passes,
    idle,
    inference_ways,
    network_options,
    read_frames,
    run_pass,
    save_weights,
)
from port.parity.probe import PASSIVE
from torch_ref import device, speed
from torch_ref.networks import load_network


def to_numpy(tensor):
    """An array that may share the tensor's memory."""
    return tensor.detach().cpu().numpy()


def like(array, tensor):
    """A tensor of the array's values with the type and place of `tensor`."""
    return torch.from_numpy(array).to(tensor)


@contextmanager
def hooked(net, recorder, modules=True):
    """Show every named value, and with `modules` every module's inputs and outputs, to the recorder."""
    handles = []
    net.watch(recorder)
    for name, module in net.named_modules() if modules else ():
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
    """What the network actually holds. name -> array"""
    return {name: to_numpy(tensor) for name, tensor in net.state_dict().items()}


def weight_hashes(weights):
    """name -> shape, type and sha256."""
    return {
        name: {"shape": list(a.shape), "dtype": str(a.dtype), "sha256": hashlib.sha256(a.tobytes()).hexdigest()}
        for name, a in weights.items()
    }


def forward(net, frames, recorder, spec):
    """One run of a pass. frames (1, t, 3, h, w) float32 -> (t, 3, 4h, 4w)"""
    zeros = lambda shape, inputs: inputs[0].new_zeros(shape)  # noqa: E731
    parts = [(name, net.get_submodule(name)) for name in net.facts.REPLACEABLE] if spec.only_whole else ()
    with hooked(net, recorder, modules=not spec.compiled), torch.no_grad(), idle(parts, "forward", recorder, zeros):
        if spec.compiled:
            return streamed(net, placed(frames, spec))  # some ways choose element types themselves
        return whole(net.to(precision(spec)), placed(frames, spec))


def whole(net, lrs):
    """All frames at the end. (1, t, 3, h, w) -> (t, 3, 4h, 4w)"""
    return to_numpy(net(lrs))[0]


def streamed(net, lrs):
    """The same as `infer` has them, one by one."""
    return np.concatenate([to_numpy(frame) for frame in net.frames(lrs)])


def described(net):
    """Class and constructor arguments of every module, for diagnoses. name -> (class, one line)"""
    return {name: (type(m).__name__, " ".join(repr(m).split())[:300]) for name, m in net.named_modules() if name}


def placed(array, spec):
    """The array as a tensor of a pass, on the device in use."""
    return torch.as_tensor(array, dtype=precision(spec), device=torch.get_default_device())


def precision(spec):
    """The element type of a pass."""
    return getattr(torch, spec.dtype)


def main(argv=None):
    args = capture_arguments("python -m torch_ref.capture", device.DEVICES).parse_args(argv)
    return run_command(lambda: run(args), debug=args.debug)


def run(args):
    """All passes asked for. -> 0, or 3 when a run broke off"""
    passes = chosen_passes(args)
    frames = read_frames(args.input)
    complete = [run_one(name, args, frames) for name in passes]
    return 0 if all(complete) else 3


def run_one(name, args, frames):
    """One pass of a fresh network. -> whether it went through"""
    device.select(args.device)  # anew: a way of the pass before may have changed what holds for the whole process
    net, spec = load_network(args.model, args.weights, **network_options(args)), PASSES[name]
    weights = weights_of(net, args.model)
    save_weights(args.out / name, weights)
    options = {name: getattr(net, name) for name in net.facts.OPTIONS}
    about = {"model": args.model, "options": options, "backend": device.describe()}
    about |= {"weights": weight_hashes(weights), "modules": described(net)}
    if spec.compiled:
        about["ways"] = inference_ways(args.fast, "torch", args.device, args.model)
        speed.apply(net, about["ways"], args.device)
    return run_pass(name, args, frames, about, lambda recorder: forward(net, frames, recorder, spec), to_numpy, like)


if __name__ == "__main__":
    sys.exit(main())
