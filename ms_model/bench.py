"""Times of the port, one subject in a process: `python -m ms_model.bench network|floor|... --weights W`.

The floor is the convolutions of one run and nothing else: a run in which every convolution hands back zeros tells their kinds
and counts; then each kind runs on random values of the same shape and element type, with random weights and a bias. It is
compiled as the network's parts are, several in one graph as in a residual trunk where its output fits its input. Of training,
it is the forward and the gradients of input, weights and bias, compiled as well, as training is.
"""

import contextlib
import sys

import mindspore
import mindspore.ops as F
from mindspore import Tensor, nn
from mindspore.common.initializer import Normal, initializer

from ms_model import device, speed
from ms_model.checkpoint import load
from ms_model.networks import load_network
from ms_model.train import Engine
from port.bench import worker
from port.bench.convolutions import Record
from port.errors import PortError, run_command
from port.parity import memory
from port.train.memory import made_batch
from port.weights.convert import load_weights


def main(argv=None):
    args = worker.worker_arguments("python -m ms_model.bench", device.DEVICES).parse_args(argv)
    return run_command(lambda: run(args), debug=args.debug)


def run(args):
    """Answer requests on standard input. -> 0"""
    device.select(args.device, args.threads)
    if args.subject in (worker.TRAINING, worker.TRAINING_FLOOR) and args.device == "cpu":
        device.one_after_the_other()  # as ms_model/train.py does; inference leaves the queues on
    if args.subject not in SUBJECTS:
        raise PortError("the plain transcription is PyTorch's alone. Use python -m torch_ref.bench plain.")
    given = (args.weights, args.fast, args.device) if args.subject in ("network", "floor") else (args.weights,)
    prepare = SUBJECTS[args.subject](*given)
    return worker.serve(prepare, device.describe, forget_memory, highest_memory)


def network(weights, names=(), device_name="cpu"):
    """The whole network, as infer runs it: in its exact default, or in fast ways."""
    net = speed.apply(load_network("ttvsr", weights), ("compiled", *names), device_name)
    return lambda request: timed_network(net, worker.clip(request))


def timed_network(net, frames):
    """-> run(), in which every frame is let go when it has come"""

    def once():
        for frame in net.frames(Tensor(frames)):
            frame.asnumpy()
        return {}

    return once


def floor(weights, names=(), device_name="cpu"):
    """The network's convolutions alone, in the ways in which it runs; of them, Winograd's are no convolutions to record."""
    net, kinds = speed.apply(load_network("ttvsr", weights), names, device_name), {}

    def prepare(request):
        calls = recorded(timed_network(net, worker.clip(request)))
        return lambda: worker.floor(calls, lambda one, times: timed(kinds, repeated, one, times))

    return prepare


def training_floor(weights):
    """The convolutions of a training pass alone."""
    net, kinds = load_network("ttvsr", weights), {}

    def prepare(request):
        frames, _ = made_batch(worker.training_settings(request, sizes_of(weights)))
        calls = recorded(lambda: net(placed(frames)))
        return lambda: worker.floor(calls, lambda one, times: timed(kinds, both_ways, one, times), back=True)

    return prepare


def training(weights):
    """One iteration of the recipe."""

    def prepare(request):
        settings = worker.training_settings(request, sizes_of(weights))
        engine, (lq, gt) = Engine(settings, weights, 1), made_batch(settings)

        def once():
            engine.add_gradients(lq, gt, last=True)
            engine.step()
            finish(engine.moving[-1])
            return {}

        return once

    return prepare


def sizes_of(weights):
    """Constructor arguments that a file tells."""
    return vars(load_weights(weights, load, "ttvsr")[0])


def peak(weights):
    """What the machine does at best. `side`: rows of the matrices; the convolution has 256 channels of a 16th."""

    def prepare(request):
        side, small = request["side"], request["side"] // 16
        a = placed(worker.noise((side, side)))
        layer, x = layer_of((256, 256, 3, 3), (1, 1)), placed(worker.noise((1, 256, small, small)))
        layer.construct = mindspore.jit(layer.construct)

        def once():
            return {
                "matmul": worker.rate(2 * side**3, lambda: finish(F.matmul(a, a))),
                "convolution": worker.rate(2 * 9 * 256 * 256 * small * small, lambda: finish(layer(x))),
            }

        return once

    return prepare


def recorded(run):
    """Convolutions that a run calls: kind -> count."""
    record = Record()
    with recording(record):
        run()
    return record.calls


@contextlib.contextmanager
def recording(record):
    """-> a context in which every convolution is written down and hands back zeros"""
    own = nn.Conv2d.construct
    nn.Conv2d.construct = lambda cell, x: written_down(
        record, x, cell.weight, cell.bias, cell.stride, padding_of(cell), cell.dilation, cell.group
    )
    try:
        yield
    finally:
        nn.Conv2d.construct = own


def written_down(record, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """The arguments of conv2d. -> zeros of the shape that it would have given"""
    one = record.add(weight.shape, x.shape, *map(_pair, (stride, padding, dilation)), str(x.dtype).lower())
    return F.zeros(one.output, x.dtype)


def padding_of(cell):
    """Zeros on each side, as a number or one for rows and columns."""
    if cell.pad_mode == "pad":
        return cell.padding
    if cell.pad_mode == "same" and set(_pair(cell.stride)) == {1}:
        return tuple(k // 2 for k in cell.kernel_size)
    raise PortError(
        f"a convolution with pad_mode={cell.pad_mode} and stride {cell.stride} was called; the floor has none."
    )


def _pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def timed(kinds, made, one, times):
    """Seconds of so many calls of one kind, waited for; kinds: those made ready before, by kind and number."""
    if (one, times) not in kinds:
        kinds[one, times] = made(one, times)
        kinds[one, times](placed(worker.noise(one.input), one))  # once without counting
    x = placed(worker.noise(one.input), one)
    finish(x)
    return worker.seconds_of(lambda: kinds[one, times](x))


def placed(array, one=None):
    """An array on the device, of the element type of a kind."""
    return Tensor(array) if one is None else Tensor(array).astype(getattr(mindspore, one.dtype))


def layer_of(weight, padding, stride=(1, 1), groups=1):
    """A convolution that about keeps the size of its values."""
    around = (padding[0], padding[0], padding[1], padding[1])
    layer = nn.Conv2d(
        weight[1] * groups, weight[0], weight[2:], stride, "pad", around, group=groups, has_bias=True
    )  # fmt: skip
    scale = (weight[1] * weight[2] * weight[3]) ** -0.5
    layer.weight.set_data(initializer(Normal(scale), weight).init_data())
    return layer


def chain_of(one, count):
    """So many layers of one kind, compiled as one."""
    layers = [layer_of(one.weight, one.padding, one.stride, one.groups) for _ in range(count)]
    chain = nn.SequentialCell(*layers)
    if one.dtype != "float32":
        chain.to_float(getattr(mindspore, one.dtype))
    chain.construct = mindspore.jit(chain.construct)
    return chain


def repeated(one, times):
    """-> run(x): so many calls, one on the output of the other where it fits"""
    count = times if one.chained else 1
    chain = chain_of(one, count)

    def run_chain(x):
        for _ in range(times // count):
            y = chain(x)
        finish(y)

    return run_chain


def both_ways(one, times):
    """-> run(x): the same forward, and the gradients of weights, bias and input"""
    count = times if one.chained else 1
    chain, slope = chain_of(one, count), placed(worker.noise(one.output), one)
    graded = F.GradOperation(get_all=one.input_takes_gradient, get_by_list=True, sens_param=True)
    gradients = graded(chain, mindspore.ParameterTuple(chain.trainable_params()))

    def run_both(x):
        for _ in range(times // count):
            found = gradients(x, slope)
        finish(found[-1][-1])

    return run_both


def finish(x):
    """Wait until a value has been computed."""
    if mindspore.get_context("device_target") == "CPU":  # has no synchronize
        x[(0,) * x.ndim].asnumpy()
    else:
        mindspore.runtime.synchronize()


def forget_memory():
    """Count the highest use of memory anew."""
    memory.forget_peak()
    if mindspore.get_context("device_target") != "CPU":
        mindspore.runtime.reset_max_memory_allocated()


def highest_memory():
    """In bytes: of the accelerator's memory where one computes, else of this process."""
    if mindspore.get_context("device_target") != "CPU":
        return mindspore.runtime.max_memory_allocated()
    return memory.peak_bytes()


SUBJECTS = {
    "network": network, "floor": floor, worker.TRAINING: training, worker.TRAINING_FLOOR: training_floor, "peak": peak,
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
