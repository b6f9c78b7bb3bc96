"""Which of PyTorch's operators the time goes into: `python -m parity_tests.bench.operators`.

The reference with 64 channels and 60 blocks, weights drawn, on noise, as `port bench` times it. A share is the time inside an
operator, that of operators it calls left out; the profiler's own cost is in it, which is small where operators are large.
"""

import sys

import torch
from rich.table import Table

from parity_tests.bench.drawn import drawn_weights, parser_of, request_of, run_profile
from port import console
from port.bench import worker
from port.models.speed import fast_names
from torch_ref import device, speed
from torch_ref.bench import load_plain
from torch_ref.networks import load_network

SMALLEST = 0.002  # of the whole: what takes less is summed up as the rest


def parse(argv=None):
    parser = parser_of("operators", __doc__, 4, "180x320")
    parser.add_argument("--fast", type=fast_names, default=(), metavar="NAME,..")
    parser.add_argument("--plain", action="store_true", help="the plain transcription instead")
    return parser.parse_args(argv)


def main(argv=None):
    return run_profile(parse, measure, argv)


def measure(args):
    """-> 0"""
    request = request_of(args)
    device.select("cpu")
    clip = torch.from_numpy(worker.clip(request))
    net = network(args)
    run(net, clip[:, :2])
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        run(net, clip)
    found = shares(profiler)
    console.print_json(found) if args.json else show(found)
    return 0


def network(args):
    """Of the size that is asked for, in the ways that are asked for."""
    with drawn_weights(args.blocks) as weights:
        return load_plain(weights) if args.plain else speed.apply(load_network("ttvsr", weights), args.fast, "cpu")


def run(net, clip):
    """From frames in memory to frames in memory."""
    with torch.inference_mode():
        frames = net.frames(clip) if hasattr(net, "frames") else [net(clip)]
        for frame in frames:
            frame.cpu()


def shares(profiler):
    """-> seconds of all operators, and [operator, share, calls] from the largest on, the rest last"""
    rows = [(row.key, row.self_cpu_time_total, row.count) for row in profiler.key_averages()]
    total = sum(time for _, time, _ in rows)
    large = sorted((row for row in rows if row[1] >= SMALLEST * total), key=lambda row: -row[1])
    rest = [row for row in rows if row[1] < SMALLEST * total]
    found = [[name.removeprefix("aten::"), time / total, calls] for name, time, calls in large]
    found.append(["all others", sum(row[1] for row in rest) / total, sum(row[2] for row in rest)])
    return {"seconds": total / 1e6, "operators": found}


def show(found):
    """As a table on stdout."""
    table = Table("operator", "share", "calls", title=f"{found['seconds']:.1f} s in operators", title_justify="left")
    for name, share, calls in found["operators"]:
        table.add_row(name, f"{share:.1%}", str(calls))
    console.print_wide(table, 80)


if __name__ == "__main__":
    sys.exit(main())
