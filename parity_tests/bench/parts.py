"""Where the time of TTVSR goes, part by part, in either framework: `python -m parity_tests.bench.parts mindspore`.

The network with 64 channels and 60 blocks as `infer` runs it, weights drawn, on noise. Before and after every part all that was
launched is waited for, so that its time is its own. The first and the last call of a part stand beside its share: the attention
meets more keyframes from frame to frame.
"""

import importlib
import sys
import time
from collections import defaultdict

from rich.table import Table

from parity_tests.bench.drawn import drawn_weights, parser_of, request_of, run_profile
from port import console
from port.bench import worker
from port.bench.plan import COLUMNS
from port.errors import UsageError
from port.models.speed import fast_names

# method of the network or of a part of it -> what it does; none of them calls another one
PARTS = {
    "spynet.forward": "flow",
    "feat_extractor.forward": "features",
    "_follow": "warping along the flow",
    "LTAM.forward": "attention",
    "LTAM.tokenize": "tokens of a keyframe",
    "resblocks.forward": "trunk",
    "_upsampled": "fusion and upsampler",
}
REST = "all others"


def parse(argv=None):
    parser = parser_of("parts", __doc__, 6, "180x320")
    parser.add_argument("framework", choices=tuple(COLUMNS))
    parser.add_argument("--fast", type=fast_names, default=(), metavar="NAME,..")
    return parser.parse_args(argv)


def main(argv=None):
    return run_profile(parse, measure, argv)


def measure(args):
    """-> 0"""
    request = request_of(args)
    if "compile" in args.fast:
        raise UsageError("--fast compile: PyTorch would compile the clock along with the parts. Leave it out.")
    column = COLUMNS[args.framework]
    bench, device = (importlib.import_module(f"{column}.{name}") for name in ("bench", "device"))
    device.select("cpu")
    net, spent = network(column, args), defaultdict(list)
    run = bench.timed_network(net, worker.clip(request))
    run()  # once without counting: parts are compiled for the clip, which the clock must not be
    for path in PARTS:
        watch(net, path, spent, bench.finish)
    start = time.perf_counter()
    run()
    found = summed_up(spent, time.perf_counter() - start)
    console.print_json(found) if args.json else show(found)
    return 0


def network(column, args):
    """Of the size and in the ways that are asked for."""
    networks, speed = (importlib.import_module(f"{column}.{name}") for name in ("networks", "speed"))
    ways = ("compiled", *args.fast) if args.framework == "mindspore" else args.fast
    with drawn_weights(args.blocks) as weights:
        return speed.apply(networks.load_network("ttvsr", weights), ways, "cpu")


def watch(net, path, spent, finish):
    """From now on, every call of a method adds its seconds to spent[path]; finish(x) waits for x"""
    *parents, name = path.split(".")
    for parent in parents:
        net = getattr(net, parent)
    name = "construct" if name == "forward" and hasattr(net, "construct") else name
    own = getattr(net, name)

    def timed(*given):
        for x in tensors(given):
            finish(x)
        start = time.perf_counter()
        result = own(*given)
        for x in tensors(result):
            finish(x)
        spent[path].append(time.perf_counter() - start)
        return result

    setattr(net, name, timed)


def tensors(value):
    """All in nested tuples and dictionaries."""
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, tuple):
        return [x for one in value for x in tensors(one)]
    return [value] if hasattr(value, "ndim") else []


def summed_up(spent, seconds):
    """-> seconds of the run, and [part, share, calls, first, last] with the seconds of two calls; the rest last"""
    rows = [[PARTS[path], sum(own) / seconds, len(own), own[0], own[-1]] for path, own in spent.items()]
    rows.sort(key=lambda row: -row[1])
    return {"seconds": seconds, "parts": [*rows, [REST, 1 - sum(row[1] for row in rows), None, None, None]]}


def show(found):
    """As a table on stdout."""
    table = Table("part", "share", "calls", "first call, s", "last call, s")
    table.title, table.title_justify = f"{found['seconds']:.1f} s", "left"
    for name, share, calls, first, last in found["parts"]:
        told = ("", "", "") if calls is None else (str(calls), f"{first:.3f}", f"{last:.3f}")
        table.add_row(name, f"{share:.1%}", *told)
    console.print_wide(table, 90)


if __name__ == "__main__":
    sys.exit(main())
