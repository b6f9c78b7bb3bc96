"""Whether another number of threads than the usual one is faster: `python -m parity_tests.bench.threads mindspore`.

A process for the usual number and for each that is asked for. They take turns, one at a time, with TTVSR on noise as `infer`
runs it, weights drawn; a ratio is taken within a round. Threads are those that the framework's own call sets:
torch.set_num_threads, or mindspore.runtime.dispatch_threads_num, which leaves alone those of its convolutions.
"""

import sys
from contextlib import ExitStack

from rich.table import Table

from parity_tests.bench.drawn import drawn_weights, parser_of, request_of, run_profile
from port import console
from port.bench.figures import spread
from port.bench.plan import COLUMNS
from port.bench.run import Worker
from port.errors import UsageError

USUAL = "usual"


def parse(argv=None):
    parser = parser_of("threads", __doc__, 3, "144x176")
    parser.add_argument("framework", choices=tuple(COLUMNS))
    parser.add_argument("--threads", default="1,2,4", metavar="N,..", help="beside the usual number")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args(argv)


def main(argv=None):
    return run_profile(parse, measure, argv)


def measure(args):
    """-> 0"""
    request, numbers = request_of(args), numbers_of(args)
    with drawn_weights(args.blocks) as weights, ExitStack() as closing:
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
