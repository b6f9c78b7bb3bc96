"""Run one half of a pair and leave traces: `python -m ms_model.capture_pair PAIR --out DIR --passes A,B`."""

import argparse
import sys
from pathlib import Path

from ms_model import device, pairs, training
from port.errors import UsageError, run_command
from port.parity.pair_capture import PASSES, Column, applicable, capture_pass


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m ms_model.capture_pair", description=__doc__)
    parser.add_argument("pair", help="the pair's Python file")
    parser.add_argument("--out", type=Path, required=True, help="folder; one folder per pass is made in it")
    parser.add_argument("--passes", required=True, help=f"comma-separated, of: {', '.join(PASSES)}")
    parser.add_argument("--reference", type=Path, help="folder of the reference's traces, for runs fed from them")
    parser.add_argument("--weights", type=Path, help="weights by the reference's names, .safetensors")
    parser.add_argument("--device", default=device.DEVICES[0], choices=device.DEVICES)
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    args = parser.parse_args(argv)
    return run_command(lambda: run(args), debug=args.debug)


def run(args):
    """All passes asked for. -> 0, or 3 when a run broke off"""
    names = args.passes.split(",")
    if unknown := [name for name in names if name not in PASSES]:
        raise UsageError(f"unknown pass {unknown[0]!r}; known: {', '.join(PASSES)}.")
    device.select(args.device)
    column = Column(pairs, training, device.describe())
    complete = True
    for name in applicable(names, pairs.Side(args.pair, args.weights)):
        complete &= capture_pass(column, pairs.Side(args.pair, args.weights), name, args.out, args.reference)
    return 0 if complete else 3


if __name__ == "__main__":
    sys.exit(main())
