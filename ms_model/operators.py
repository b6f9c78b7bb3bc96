"""MindSpore's operators, called one by one: `python -m ms_model.operators --work DIR`, started by `python -m port ops`."""

import sys
import warnings

import mindspore
from mindspore import Tensor, ops

from ms_model import device
from port.errors import run_command
from port.files import write_json
from port.ops import worker
from port.ops.inputs import direction


def fill(layer, dtype, weights):
    """Put arrays into the layer's parameters, and the layer into the type; a primitive has none."""
    if not isinstance(layer, mindspore.nn.Cell):
        return
    for parameter in layer.get_parameters():
        parameter.set_dtype(getattr(mindspore, dtype))
    held = {name.rpartition(".")[2]: parameter for name, parameter in layer.parameters_dict().items()}
    for name, array in weights.items():
        parameter = held.get(name, getattr(layer, name, None))
        if parameter is not None:
            parameter.set_data(Tensor(array.reshape(parameter.shape)))
        elif name != "bias":  # which many layers have only when asked
            raise KeyError(f"no parameter {name}; there are {', '.join(held)}")


def run(module, job, values):
    """One job. -> structure and arrays of the result, or of the gradients"""
    mindspore.set_seed(0)
    worker.layer_of(module, job, fill, values)
    call = getattr(module, job.function)
    given = [Tensor(values[name].copy()) for name in job.arguments]
    if not worker.is_backward(job.mode):
        result = (mindspore.jit(call) if worker.is_compiled(job.mode) else call)(*given)
        structure, found = worker.flatten(result, is_tensor)
        return structure, [array(value) for value in found]
    return "gradients", gradients(job, call, given, job.places)


def gradients(job, call, given, places):
    """Of every floating argument, along the direction that the shape of the result gives."""
    result = call(*given)
    along = directions(result)
    back = ops.GradOperation(get_all=True, sens_param=True)(call)
    if worker.is_compiled(job.mode):
        back = mindspore.jit(back)
    found = back(*given, along)
    return [array(found[place]) for place in places]


def directions(result):
    """Of the result's structure; a result that is no floating tensor has no direction, and gets zeros."""
    if isinstance(result, tuple | list):
        return tuple(directions(item) for item in result)
    value = result.asnumpy()
    return Tensor(direction(value)) if value.dtype.kind in "fc" else ops.zeros_like(result)


def is_tensor(value):
    return isinstance(value, Tensor)


def array(value):
    """In numpy, complex numbers as pairs."""
    return worker.real(value.asnumpy().copy() if isinstance(value, Tensor) else value)


def main(argv=None):
    args = worker.arguments("python -m ms_model.operators", device.DEVICES).parse_args(argv)
    return run_command(lambda: serve(args))


def serve(args):
    """All jobs of the folder. -> 0"""
    warnings.simplefilter("ignore")  # MindSpore warns of what the table calls on purpose
    device.select(args.device)
    device.one_after_the_other()
    write_json(args.work / "device.json", device.describe())
    worker.serve(args.work, run)
    return 0


if __name__ == "__main__":
    sys.exit(main())
