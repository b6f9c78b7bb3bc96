"""What a command line of `port bench` asks for, and whether this machine can measure it."""

import argparse
import re
from collections.abc import Sequence

from port.bench.plan import COLUMNS, DEFAULT_SIZE, FRAMEWORKS, SUBJECTS, TORCH, Options
from port.errors import UsageError
from port.models import speed
from port.models.speed import MODES
from port.models.ttvsr import least_side
from port.native.build import build_for
from port.processor import has_matrix_units

DEVICES = {"cpu": FRAMEWORKS, "cuda": ("torch",), "ascend": ("mindspore",)}  # name -> frameworks that know it
ALSO = ("conversion",)  # what --only may name beside the subjects of the columns


def read_options(args: argparse.Namespace) -> Options:
    """Raises UsageError for what cannot be measured."""
    least = {"frames": 2, "rounds": 1, "train_frames": 2, "batch": 1, "crop": least_side()}
    for name, number in least.items():
        if getattr(args, name) < number:
            flag = name.replace("_", "-")
            raise UsageError(f"--{flag} must be at least {number}, found {getattr(args, name)}.")
    frameworks = tuple(name for name in args.frameworks.split(",") if name)
    if unknown := [name for name in frameworks if name not in COLUMNS]:
        raise UsageError(f"--frameworks: there is no framework {unknown[0]!r}; known: {', '.join(COLUMNS)}.")
    if not any(name in DEVICES[args.device] for name in frameworks):
        raise UsageError(f"--device {args.device} is for {', '.join(DEVICES[args.device])}, which is not measured.")
    return Options(
        frames=args.frames, size=read_size(args.size) if args.size else DEFAULT_SIZE, small=args.size is None,
        rounds=args.rounds, full=args.full, only=tuple(name for name in chosen(args.only) if name in SUBJECTS),
        frameworks=frameworks, crop=args.crop, train_frames=args.train_frames, batch=args.batch,
        fast=fast_ways(args, frameworks), half=args.device == "cuda" or has_matrix_units(),
        launched=() if args.device == "cpu" else DEVICES[args.device],
    )  # fmt: skip


def check_chosen(only: str | None, options: Options) -> None:
    """Raises UsageError for a subject that is named, and that this run cannot measure."""
    if only is None:
        return
    torch = TORCH in options.frameworks
    lacking = {
        "fast": not any(options.fast.values()) and "takes the ways that --fast names",
        "half": not (options.half and torch) and "is PyTorch's, on a CPU with matrix units (AMX) or --device cuda",
        "plain": not torch and "is PyTorch's: leave --frameworks out",
        "conversion": not converts(only, options) and "takes both frameworks: leave --frameworks out",
    }
    for name in chosen(only):
        if lacking.get(name):
            raise UsageError(f"--only {name}: it {lacking[name]}.")


def chosen(only: str | None) -> tuple[str, ...]:
    """What is measured. Raises UsageError for an unknown name."""
    known = (*SUBJECTS, *ALSO)
    names = known if only is None else tuple(name for name in only.split(",") if name)
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"--only: there is no subject {unknown[0]!r}; known: {', '.join(known)}.")
    if not names:
        raise UsageError(f"--only names nothing; known: {', '.join(known)}.")
    return names


def converts(only: str | None, options: Options) -> bool:
    """Whether the conversion is timed, which takes both frameworks."""
    return "conversion" in chosen(only) and set(options.frameworks) == set(FRAMEWORKS)


def fast_ways(args: argparse.Namespace, frameworks: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Framework -> those of --fast that it has. Raises UsageError for what cannot be had, PortError without a compiler."""
    for way in args.fast:
        if not set(MODES[way].where) & set(frameworks):
            raise UsageError(f"--fast {way} is for {' and '.join(MODES[way].where)}, which is not measured. Leave it out.")
    found = {name: tuple(way for way in args.fast if name in MODES[way].where) for name in frameworks}
    for name, ways in found.items():
        speed.chosen(ways, name, place_of(name, args), "ttvsr")
    build_for(args.fast, args.device)  # before anything is measured
    return found


def place_of(framework: str, args: argparse.Namespace) -> str:
    """Its own name of where it runs: one that does not know --device runs on the CPU."""
    return args.device if framework in DEVICES[args.device] else "cpu"


def read_size(text: str) -> tuple[int, int]:
    """'180x320' -> (180, 320). Raises UsageError."""
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if not found:
        raise UsageError(f"--size is rows x columns, as 180x320; found {text!r}.")
    size = int(found[1]), int(found[2])
    if min(size) < least_side():
        raise UsageError(f"--size must be at least {least_side()} both ways, found {text}.")
    return size
