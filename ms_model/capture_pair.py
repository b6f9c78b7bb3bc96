"""Run one half of a pair and leave traces: `python -m ms_model.capture_pair PAIR --out DIR --passes A,B`."""

import argparse
import sys
from pathlib import Path

from ms_model import compiled_pairs, device, pairs, training
from port.errors import UsageError, run_command
from port.parity.capture import gigabytes
from port.parity.pair_capture import FINISHED, PASSES, Column, applicable, attempt, capture_pass, types_of


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m ms_model.capture_pair", description=__doc__)
    parser.add_argument("pair", nargs="+", help="the pair's Python file; with --keep-going several")
    parser.add_argument(
        "--out", type=Path, required=True, nargs="+", help="a folder per pair; gets one folder per pass"
    )
    parser.add_argument("--passes", required=True, help=f"comma-separated, of: {', '.join(PASSES)}")
    parser.add_argument("--reference", type=Path, help="folder of the reference's traces, for runs fed from them")
    parser.add_argument("--weights", type=Path, help="weights by the reference's names, .safetensors")
    parser.add_argument("--device", default=device.DEVICES[0], choices=device.DEVICES)
    parser.add_argument(
        "--keep-going", action="store_true", help="several pairs: what one cannot do is left in its folder"
    )
    parser.add_argument("--trace-limit", type=gigabytes, default=8.0, metavar="GB", help="most that one trace may take")
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    args = parser.parse_args(argv)
    return run_command(lambda: run(args), debug=args.debug)


def run(args):
    """All passes asked for, of every pair. -> 0, or 3 when a run broke off"""
    names = args.passes.split(",")
    if unknown := [name for name in names if name not in PASSES]:
        raise UsageError(f"unknown pass {unknown[0]!r}; known: {', '.join(PASSES)}.")
    if len(args.pair) != len(args.out) or (len(args.pair) > 1 and not args.keep_going):
        raise UsageError(
            f"{len(args.pair)} pairs need --keep-going and as many folders after --out, found {len(args.out)}."
        )
    device.select(args.device)
    device.one_after_the_other()
    types = types_of(args.reference)
    column = Column(pairs, training, device.describe(), types, types.port, compiled_pairs)
    if not args.keep_going:
        complete = capture(column, args.pair[0], args.out[0], names, args)
        (args.out[0] / FINISHED).touch()  # every pass has its trace, also one that broke off
        return 0 if complete else 3
    made = [
        attempt(out, capture, column, pair, out, names, args) for pair, out in zip(args.pair, args.out, strict=True)
    ]
    return 0 if all(made) else 3


def capture(column, pair, out, names, args):
    """All passes of one pair. -> whether all ran through"""
    passes = applicable(names, pairs.Side(pair, args.weights), args.reference, column.types)
    limit = int(args.trace_limit * 1e9)
    made = [capture_pass(column, pairs.Side(pair, args.weights), name, out, args.reference, limit) for name in passes]
    return all(made)


if __name__ == "__main__":
    sys.exit(main())
