"""Times of the reference, one subject in a process: `python -m torch_ref.bench network|plain|floor|... --weights W`.

The floor is the convolutions of one run and nothing else: a run in which every convolution hands back zeros tells their kinds
and counts; then each kind runs on random values of the same shape, element type and layout, with random weights and a bias,
one after the other as in a residual trunk where its output fits its input. Of training, it is the forward and the gradients of
input, weights and bias.
"""

import sys

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from port.bench import worker
from port.bench.convolutions import Record
from port.errors import PortError, run_command
from port.parity import memory
from port.train.memory import made_batch
from port.weights.convert import load_weights
from torch_ref import device, speed
from torch_ref.checkpoint import load
from torch_ref.networks import load_network
from torch_ref.plain import load_plain
from torch_ref.train import Engine


def main(argv=None):
    args = worker.worker_arguments("python -m torch_ref.bench", device.DEVICES).parse_args(argv)
    return run_command(lambda: run(args), debug=args.debug)


def run(args):
    """Answer requests on standard input. -> 0"""
    device.select(args.device, args.threads)
    given = (args.weights, args.fast, args.device) if args.subject in ("network", "floor") else (args.weights,)
    prepare = SUBJECTS[args.subject](*given)
    return worker.serve(prepare, device.describe, forget_memory, highest_memory)


def network(weights, names=(), device_name="cpu"):
    """The whole network, as infer runs it: in its exact default, or in fast ways."""
    net = speed.apply(load_network("ttvsr", weights), names, device_name)
    return lambda request: timed_network(net, worker.clip(request))


def timed_network(net, frames):
    """-> run(), in which every frame is let go when it has come"""

    def once():
        for frame in net.frames(torch.as_tensor(frames, device=torch.get_default_device())):
            frame.cpu()
        return {}

    return once


def plain(weights):
    """The plain transcription of the algorithm, which gives all frames at its end."""
    net = load_plain(weights)

    def prepare(request):
        frames = worker.clip(request)

        def once():
            with torch.inference_mode():
                net(torch.as_tensor(frames, device=torch.get_default_device())).cpu()
            return {}

        return once

    return prepare


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
        layer, x = (one.to(memory_format=torch.channels_last) for one in (layer, x))

        def once():
            with torch.inference_mode():
                return {
                    "matmul": worker.rate(2 * side**3, lambda: finish(a @ a)),
                    "convolution": worker.rate(2 * 9 * 256 * 256 * small * small, lambda: finish(layer(x))),
                }

        return once

    return prepare


def recorded(run):
    """Convolutions that a run calls: kind -> count."""
    record = Record()
    with torch.no_grad(), recording(record):
        run()
    return record.calls


def recording(record):
    """-> a context in which every convolution is written down and hands back zeros"""

    class Recorder(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            name = getattr(function, "__name__", "")
            if "conv" not in name:
                return function(*args, **(kwargs or {}))
            if name != "conv2d":
                raise PortError(f"the network calls {name}, which torch_ref/bench.py does not record.")
            return written_down(record, *args, **(kwargs or {}))

    return Recorder()


def written_down(record, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """The arguments of conv2d. -> zeros of the shape and layout that it would have given"""
    layout = "channels_last" if any(of_layout(one, "channels_last") for one in (x, weight)) else "contiguous"
    dtype = str(x.dtype).removeprefix("torch.")
    one = record.add(weight.shape, x.shape, *map(_pair, (stride, padding, dilation)), dtype, layout)
    return x.new_zeros(one.output).contiguous(memory_format=FORMATS[layout])


def _pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def of_layout(x, layout):
    """Whether x lies in memory so, and not as well in the ordinary way."""
    return x.is_contiguous(memory_format=FORMATS[layout]) and not x.is_contiguous()


def timed(kinds, made, one, times):
    """Seconds of so many calls of one kind, waited for; kinds: those made ready before, by kind and number."""
    if (one, times) not in kinds:
        kinds[one, times] = made(one, times)
        kinds[one, times](placed(worker.noise(one.input), one))  # once without counting
    x = placed(worker.noise(one.input), one)
    finish(x)
    return worker.seconds_of(lambda: kinds[one, times](x))


def placed(array, one=None):
    """An array on the device, of the element type and layout of a kind."""
    x = torch.from_numpy(array).to(torch.get_default_device())
    return x if one is None else x.to(getattr(torch, one.dtype)).contiguous(memory_format=FORMATS[one.layout])


def layer_of(weight, padding, stride=(1, 1), groups=1):
    """A convolution that about keeps the size of its values."""
    layer = nn.Conv2d(weight[1] * groups, weight[0], weight[2:], stride, padding, groups=groups)
    nn.init.normal_(layer.weight, std=(weight[1] * weight[2] * weight[3]) ** -0.5)
    return layer.requires_grad_(False)


def chain_of(one, count):
    """So many layers of one kind, one after the other."""
    layers = [layer_of(one.weight, one.padding, one.stride, one.groups) for _ in range(count)]
    return nn.Sequential(*layers).to(getattr(torch, one.dtype)).to(memory_format=FORMATS[one.layout])


def repeated(one, times):
    """-> run(x): so many calls, one on the output of the other where it fits"""
    count = times if one.chained else 1
    chain = chain_of(one, count)

    def run_chain(x):
        with torch.inference_mode():
            for _ in range(times // count):
                y = chain(x)
        finish(y)

    return run_chain


def both_ways(one, times):
    """-> run(x): the same forward, and the gradients of weights, bias and input"""
    count = times if one.chained else 1
    chain, slope = chain_of(one, count).requires_grad_(), placed(worker.noise(one.output), one)

    def run_both(x):
        wanted = [*chain.parameters(), *[x.requires_grad_()] * one.input_takes_gradient]
        for _ in range(times // count):
            found = torch.autograd.grad(chain(x), wanted, slope)
        finish(found[-1])

    return run_both


def finish(x):
    """Wait until a value has been computed."""
    if x.is_cuda:
        torch.cuda.synchronize()


def forget_memory():
    """Count the highest use of memory anew."""
    memory.forget_peak()
    if torch.get_default_device().type == "cuda":
        torch.cuda.reset_peak_memory_stats()


def highest_memory():
    """In bytes: of the graphics card's memory where one computes, else of this process."""
    if torch.get_default_device().type == "cuda":
        return torch.cuda.max_memory_allocated()
    return memory.peak_bytes()


SUBJECTS = {
    "network": network, "plain": plain, "floor": floor, worker.TRAINING: training, worker.TRAINING_FLOOR: training_floor,
    "peak": peak,
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
