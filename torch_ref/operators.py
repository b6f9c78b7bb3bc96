"""PyTorch's operators, called one by one: `python -m torch_ref.operators --work DIR`, started by `python -m port ops`."""

import sys
import warnings

import torch

from port.errors import run_command
from port.files import write_json
from port.ops import worker
from port.ops.inputs import direction
from torch_ref import device


def fill(layer, dtype, weights):
    """Put arrays into the layer's parameters and buffers, and the layer into the type."""
    layer.to(getattr(torch, dtype.partition(" ")[0]))
    held = {**dict(layer.named_parameters()), **dict(layer.named_buffers())}
    for name, array in weights.items():
        held[name].data.copy_(torch.from_numpy(array))


def run(module, job, values):
    """One job. -> structure and arrays of the result, or of the gradients"""
    torch.set_default_dtype(torch.float64 if job.dtype.startswith("float64") else torch.float32)
    torch.manual_seed(0)
    worker.layer_of(module, job, fill, values)
    call = getattr(module, job.function)
    given = [torch.from_numpy(values[name].copy()) for name in job.arguments]
    if not worker.is_backward(job.mode):
        with torch.no_grad():
            structure, found = worker.flatten(call(*given), torch.is_tensor)
        return structure, [array(value) for value in found]
    return "gradients", gradients(job, call, given, job.places)


def gradients(job, call, given, places):
    """Of every floating argument, along the direction that the shape of the result gives."""
    for place in places:
        given[place].requires_grad_()
    _, found = worker.flatten(call(*given), torch.is_tensor)
    found = [value for value in found if torch.is_tensor(value) and value.requires_grad]
    along = [torch.from_numpy(direction(value.detach().resolve_conj().numpy())) for value in found]
    back = torch.autograd.grad(
        found, [given[place] for place in places], along, allow_unused=True, materialize_grads=True
    )
    return [array(value) for value in back]


def array(value):
    """In numpy, complex numbers as pairs."""
    return worker.real(value.detach().resolve_conj().numpy().copy() if torch.is_tensor(value) else value)


def main(argv=None):
    args = worker.arguments("python -m torch_ref.operators", device.DEVICES).parse_args(argv)
    return run_command(lambda: serve(args))


def serve(args):
    """All jobs of the folder. -> 0"""
    warnings.simplefilter("ignore")  # PyTorch warns of what the table calls on purpose
    device.select(args.device)
    write_json(args.work / "device.json", device.describe())
    worker.serve(args.work, run)
    return 0


if __name__ == "__main__":
    sys.exit(main())
