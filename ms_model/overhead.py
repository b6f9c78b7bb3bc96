"""Time the port with and without a recorder: `python -m ms_model.overhead ttvsr|PAIR --out DIR`."""

import sys

import mindspore

from ms_model import capture, device, pairs
from ms_model.networks import load_network
from port import console
from port.errors import run_command
from port.files import write_json
from port.parity import overhead
from port.parity.capture import PASSES, read_frames
from port.parity.nested import walk
from port.parity.pair_capture import save_weights


def main(argv=None):
    args = overhead.overhead_arguments("python -m ms_model.overhead", device.DEVICES).parse_args(argv)
    return run_command(lambda: run(args), debug=args.debug)


def run(args):
    """Both sides of the comparison, several times; the figures go to overhead.json. -> 0"""
    device.select(args.device)
    device.one_after_the_other()  # as every capture does; the plain run is no slower for it
    plain, captured = of_network(args) if args.subject == "ttvsr" else of_pair(args)
    rounds = 1 + overhead.check_repeats(args.repeats)
    with console.progress(args.quiet) as display:
        task = display.add_task("mindspore", total=rounds * len(overhead.MODES))
        figures = overhead.measure(plain, captured, args.out, args.repeats, lambda: display.advance(task))
    write_json(args.out / "overhead.json", overhead.judge(figures, device.describe()))
    return 0


def of_network(args):
    """A forward run of a network of this package. -> the plain run, the captured run"""
    net, frames, spec = load_network(args.subject, args.weights), read_frames(args.input), PASSES["reference"]

    def plain():
        return capture.to_numpy(net(capture.placed(frames, spec)))

    def captured(plan, folder):
        run_it = lambda recorder: capture.forward(net, frames, recorder, spec)  # noqa: E731
        return overhead.capture(run_it, capture.to_numpy, capture.like, plan, folder)

    return plain, captured


def of_pair(args):
    """Forward, loss and gradients of one half of a pair; its weights are left for the other. -> as above"""
    side = pairs.Side(args.subject, args.weights)
    save_weights(args.out, side.values())

    def captured(plan, folder):
        return overhead.capture(lambda recorder: pairs.run(side, recorder), pairs.to_numpy, pairs.like, plan, folder)

    return lambda: plain_pair(side), captured


def plain_pair(side):
    """What pairs.run does, shown to nobody."""
    trained = list(side.trained().values())
    places = tuple(i for i, t in enumerate(side.inputs) if t.is_floating_point()) or None
    graded = mindspore.value_and_grad(lambda *inputs: side.loss(side.net(*inputs), inputs), places, trained or None)
    loss, gradients = graded(*side.inputs)
    return walk((loss, gradients), "", lambda _, tensor: pairs.to_numpy(tensor))  # computed when it returns


if __name__ == "__main__":
    sys.exit(main())
