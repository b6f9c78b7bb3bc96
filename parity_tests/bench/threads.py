"""Whether another number of threads than the usual one is faster: `python -m parity_tests.bench.threads mindspore`.

A process for the usual number and for each that is asked for. They take turns, one at a time, with TTVSR on noise as `infer`
runs it, weights drawn; a ratio is taken within a round. Threads are those that the framework's own call sets:
torch.set_num_threads, or mindspore.runtime.dispatch_threads_num, which leaves alone those of its convolutions.
"""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from rich.table import Table

from port import console
from port.bench.figures import spread
from port.bench.plan import COLUMNS
from port.bench.request import read_size
from port.bench.run import Worker
from port.errors import UsageError, run_command
from port.train.initial import initial_weights
from port.weights import tensors_file
from port.weights.ttvsr import TTVSRConfig

USUAL = "usual"


def parse(argv=None):
    parser = argparse.ArgumentParser(prog="python -m parity_tests.bench.threads", description=__doc__)
    parser.add_argument("framework", choices=tuple(COLUMNS))
    parser.add_argument("--threads", default="1,2,4", metavar="N,..", help="beside the usual number")
    parser.add_argument("--frames", type=int, default=3)
    parser.add_argument("--size", default="144x176", metavar="HxW", help="rows and columns")
    parser.add_argument("--blocks", type=int, default=60, help="residual blocks; fewer for a try")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    return run_command(lambda: measure(args), debug=False)


def measure(args):
    """-> 0"""
    height, width = read_size(args.size)
    numbers = numbers_of(args)
    request = {"frames": args.frames, "height": height, "width": width}
    with tempfile.TemporaryDirectory(prefix="port-threads-") as folder, ExitStack() as closing:
        weights = Path(folder) / "weights.safetensors"
        tensors_file.save(weights, initial_weights(TTVSRConfig(64, args.blocks), 0))
        workers = {}
        for name in dict.fromkeys((USUAL, *numbers)):
            workers[name] = started(args.framework, name, weights)
            closing.callback(workers[name].close)
            workers[name].ask(request)  # once without counting
        seconds = {name: [] for name in workers}
        for _ in range(args.rounds):
            for name, one in workers.items():
                seconds[name].append(one.ask(request)["seconds"])
    console.print_json(seconds) if args.json else show(seconds)
    return 0


def numbers_of(args):
    """Of threads. Raises UsageError."""
    least = {"frames": 2, "blocks": 1, "rounds": 1}
    for name, number in least.items():
        if getattr(args, name) < number:
            raise UsageError(f"--{name} must be at least {number}, found {getattr(args, name)}.")
    numbers = args.threads.split(",")
    if not all(number.isdecimal() and int(number) for number in numbers):
        raise UsageError(f"--threads takes whole numbers from 1 on, with commas between them; found {args.threads!r}.")
    return numbers


def started(framework, name, weights):
    """A process with so many threads, or with the usual number."""
    return Worker(framework, "network", weights, "cpu", more=() if name == USUAL else ("--threads", name))


def show(seconds):
    """As a table on stdout."""
    table = Table("threads", "seconds (lowest .. highest)", "by the usual number (lowest .. highest)")
    for name, own in seconds.items():
        ratios = [one / usual for one, usual in zip(own, seconds[USUAL], strict=True)]
        told = [f"{one.median:.3g} ({one.lowest:.3g} .. {one.highest:.3g})" for one in (spread(own), spread(ratios))]
        table.add_row(name, *told)
    console.print_wide(table, 100)


if __name__ == "__main__":
    sys.exit(main())
