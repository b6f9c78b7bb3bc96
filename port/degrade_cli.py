"""The verb `degrade`: low resolution from frames, as the field's MATLAB scripts make it."""

import argparse
from pathlib import Path

from port import console
from port.degrade.folders import Degradation, degrade_tree
from port.errors import COULD_NOT_RUN, PASSED
from port.workers import check_workers, default_workers


def add_verb(verbs, epilog: str) -> None:
    """`degrade` and its flags."""
    parser = verbs.add_parser("degrade", help="make low resolution: bi (MATLAB's bicubic) or bd (blur)", epilog=epilog)
    parser.add_argument("kind", choices=("bi", "bd"))
    parser.add_argument("source", type=Path, help="folder of frames, or of folders of frames")
    parser.add_argument("target", type=Path, help="folder for the same tree of PNG frames; finished ones are kept")
    parser.add_argument(
        "--scale", type=float, default=4, metavar="S", help="of bi: by what sizes are divided (default: 4)"
    )
    parser.add_argument(
        "--modcrop",
        action="store_true",
        help="first cut frames to a multiple of the scale (the truth must be cut, too)",
    )
    parser.add_argument(
        "--workers", type=int, default=default_workers(), metavar="N", help="processes (default: cores)"
    )
    parser.add_argument("--json", action="store_true", help="print the counts as data")
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")


def run_degrade(args: argparse.Namespace) -> int:
    """-> 0 where every frame has its low resolution, 3 where a source could not be read"""
    how = Degradation(args.kind, args.scale, args.modcrop)
    done = degrade_tree(args.source, args.target, how, check_workers(args.workers), args.quiet)
    if args.json:
        console.print_json(done)
    else:
        again = f", {done['redone']} made again" if done["redone"] else ""
        kept = f", {done['kept']} were there" if done["kept"] else ""
        line = f"{args.kind.upper()} x1/{args.scale:g} of {done['frames']} frames: {done['made']} made{again}{kept}"
        console.stdout.print(f"{line}, in {done['seconds']} s -> {args.target}", markup=False, soft_wrap=True)
    if done["uneven"]:
        rounded = "up" if args.kind == "bi" else "down"
        console.warn(
            f"{done['uneven']} frames are no multiple of {args.scale:g} wide or high: their low resolution is rounded "
            f"{rounded}, as in MATLAB, and {args.scale:g} times it is not the frame's size. --modcrop cuts frames first."
        )
    for problem in done["failed"]:
        console.note(f"error: {problem}")
    return COULD_NOT_RUN if done["failed"] else PASSED
