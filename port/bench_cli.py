"""The verb `bench`: how fast the networks are, and how close to what the machine can do."""

import argparse
import re
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from port import console
from port.bench.others import rewrite, time_conversion, time_suite
from port.bench.plan import COLUMNS, DEFAULT_SIZE, FRAMEWORKS, SUBJECTS, Options, Step, estimate, make_plan
from port.bench.result import check_floors, summed_up
from port.bench.run import Row, carry_out
from port.errors import COULD_NOT_RUN, INTERRUPTED, PARITY_FAILED, PASSED, PortError, UsageError
from port.files import check_target, make_folder
from port.models import speed
from port.models.speed import MODES, fast_names
from port.models.ttvsr import NUM_BLOCKS, OFFICIAL_CHANNELS, least_side
from port.native.build import build_for
from port.processor import has_matrix_units
from port.report.bench_report import show, write_bench_report
from port.train.initial import initial_weights
from port.weights import tensors_file
from port.weights.convert import load_weights
from port.weights.ttvsr import TTVSRConfig

SEED = 0  # of the weights that are drawn
DEVICES = {"cpu": FRAMEWORKS, "cuda": ("torch",), "ascend": ("mindspore",)}  # name -> frameworks that know it
ALSO = ("conversion",)  # what --only may name beside the subjects of the columns
# times the multiply-adds of the official network, which are almost all in the residual blocks
OFFICIAL = OFFICIAL_CHANNELS**2 * (NUM_BLOCKS + 12)


def add_verb(verbs, epilog: str) -> None:
    """`bench` and its flags."""
    names = ", ".join((*SUBJECTS, *ALSO))
    parser = verbs.add_parser("bench", help="time both networks beside their convolutions alone", epilog=epilog)
    parser.add_argument("--weights", type=Path, help="of TTVSR, .pth or .safetensors (default: drawn, full size)")
    parser.add_argument("--frames", type=int, metavar="N", default=10, help="of the clip, which is noise (10)")
    parser.add_argument("--size", metavar="HxW", help="its rows and columns (default: 180x320, and 144x176 beside it)")
    parser.add_argument("--rounds", type=int, metavar="N", default=3, help="in which all take turns (3)")
    parser.add_argument("--full", action="store_true", help="also 100 frames, once: about an hour more on two cores")
    parser.add_argument("--only", metavar="SUBJECT,..", help=f"of {names} (default: all)")
    parser.add_argument("--frameworks", metavar="NAME,..", default=",".join(FRAMEWORKS), help="torch, mindspore")
    parser.add_argument("--crop", type=int, metavar="N", default=64, help="pixels of a training patch (64)")
    parser.add_argument("--train-frames", type=int, metavar="N", default=4, help="of a training clip (4)")
    parser.add_argument("--batch", type=int, metavar="N", default=1, help="clips of a training iteration (1)")
    parser.add_argument(
        "--fast", type=fast_names, default=(), metavar="NAME,..",
        help=f"also the networks in these ways, each framework in its own: {', '.join(MODES)}",
    )  # fmt: skip
    parser.add_argument("--suite", action="store_true", help="also time the parity suite")
    parser.add_argument(
        "--device", choices=tuple(DEVICES), default="cpu", help="where the framework that knows it runs"
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="write page (.md), chart (.png) and data (.json)")
    parser.add_argument("--json", action="store_true", help="print the figures on stdout")
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")


def run_bench(args: argparse.Namespace) -> int:
    """Measure, sum up, report.

    -> 0 where all goals that were measured are reached and the suite, if it was asked for, passed, otherwise 1;
    130 or 3 where it ended early, but not with nothing
    """
    options = read_options(args)
    check_report(args.report)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="port-bench-") as temporary:
        weights, config = prepared(args.weights, Path(temporary))
        rows: dict[str, Row] = {}
        suite, stopped, code = None, "", PASSED
        try:
            measure(rows, options, weights, config, args)
            if "conversion" in chosen(args.only) and set(options.frameworks) == set(FRAMEWORKS):
                rows["conversion"] = time_conversion(weights, Path(temporary), options.rounds)
            suite = time_suite(args.quiet) if args.suite else None
            check_floors(list(rows.values()))
        except (KeyboardInterrupt, PortError) as error:
            if not rows:
                raise
            stopped, code = str(error) or "interrupted", COULD_NOT_RUN if isinstance(error, PortError) else INTERRUPTED
            console.note(f"{stopped}: what was measured until then is summed up.")
    result = {
        **summed_up(list(rows.values()), config, suite),
        "stopped": stopped,
        "weights": args.weights.name if args.weights else f"drawn, seed {SEED}",
        "seconds": round(time.perf_counter() - start, 1),
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command": "python -m port " + shlex.join(sys.argv[1:]),
    }
    console.print_json(result) if args.json else show(result)
    if args.report:
        write_bench_report(args.report, result)
    passed = result["reached"] and (suite is None or suite["passed"])
    return code or (PASSED if passed else PARITY_FAILED)


def check_report(path: Path | None) -> None:
    """Whether the page can be written, before an hour is spent on it. Raises UsageError, PortError"""
    if path is None:
        return
    if path.suffix != ".md":
        raise UsageError(f"--report names a page, so its name ends in .md; found {path.name}.")
    make_folder(path.parent)
    for suffix in (".md", ".png", ".json"):
        check_target(path.with_suffix(suffix))


def measure(
    rows: dict[str, Row], options: Options, weights: Path, config: TTVSRConfig, args: argparse.Namespace
) -> None:
    """Carry out the plan under a progress bar, whose steps are seconds of the estimate, and fill `rows`."""
    scale = config.mid_channels**2 * (config.num_blocks + 12) / OFFICIAL
    plan = make_plan(options)
    if not plan:
        return
    expected = estimate(plan, scale)
    console.note(
        f"{len(plan)} runs of {len({step.worker for step in plan})} processes, one at a time; about "
        f"{max(1, round(expected / 60))} minutes on two cores."
    )
    with console.progress(args.quiet) as display:
        task = display.add_task("bench", total=round(expected))

        def advance(step: Step) -> None:
            display.update(task, description=f"{step.framework} {step.subject}", advance=round(step.seconds(scale)))

        carry_out(rows, plan, weights, lambda name: place_of(name, args), options.fast, advance)


def place_of(framework: str, args: argparse.Namespace) -> str:
    """Its own name of where it runs: one that does not know --device runs on the CPU."""
    return args.device if framework in DEVICES[args.device] else "cpu"


def fast_ways(args: argparse.Namespace, frameworks: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Framework -> those of --fast that it has. Raises UsageError for what cannot be had, PortError without a compiler."""
    for way in args.fast:
        if not set(MODES[way].where) & set(frameworks):
            raise UsageError(f"--fast {way} is for {' and '.join(MODES[way].where)}, which is not measured. Leave it out.")
    found = {name: tuple(way for way in args.fast if name in MODES[way].where) for name in frameworks}
    for name, ways in found.items():
        speed.chosen(ways, name, place_of(name, args), "ttvsr")
    build_for(args.fast)  # before anything is measured
    return found


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
        fast=fast_ways(args, frameworks), half=args.device == "cuda" or has_matrix_units(), launched=args.device == "cuda",
    )  # fmt: skip


def chosen(only: str | None) -> tuple[str, ...]:
    """What is measured. Raises UsageError for an unknown name."""
    known = (*SUBJECTS, *ALSO)
    names = known if only is None else tuple(name for name in only.split(",") if name)
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"--only: there is no subject {unknown[0]!r}; known: {', '.join(known)}.")
    if not names:
        raise UsageError(f"--only names nothing; known: {', '.join(known)}.")
    return names


def read_size(text: str) -> tuple[int, int]:
    """'180x320' -> (180, 320). Raises UsageError."""
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if not found:
        raise UsageError(f"--size is rows x columns, as 180x320; found {text!r}.")
    size = int(found[1]), int(found[2])
    if min(size) < least_side():
        raise UsageError(f"--size must be at least {least_side()} both ways, found {text}.")
    return size


def prepared(weights: Path | None, folder: Path) -> tuple[Path, TTVSRConfig]:
    """A file that both columns read, and its sizes. Raises PortError for one that is none of TTVSR's."""
    own = folder / "weights.safetensors"
    if weights is None:
        config = TTVSRConfig(OFFICIAL_CHANNELS, NUM_BLOCKS)
        tensors_file.save(own, initial_weights(config, SEED))
        return own, config
    if weights.suffix not in (".pth", tensors_file.SUFFIX):
        raise UsageError(f"--weights takes what the reference can read, .pth or .safetensors, found {weights.name}.")
    if not weights.is_file():
        raise PortError(f"no weights file {weights}. Name a checkpoint by --weights, or leave the flag out.")
    rewrite(weights.resolve(), own)
    return own, load_weights(own, tensors_file.load, "ttvsr")[0]
