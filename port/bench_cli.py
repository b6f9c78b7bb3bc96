"""The verb `bench`: how fast the networks are, and how close to what the machine can do."""

import argparse
import shlex
import sys
import tempfile
import time
from pathlib import Path

from port import console
from port.bench.others import rewrite, time_conversion, time_suite
from port.bench.plan import CONVERSION, FRAMEWORKS, SUBJECTS, SUITE, Options, Step, estimate, make_plan
from port.bench.request import ALSO, DEVICES, check_chosen, converts, place_of, read_options
from port.bench.result import summed_up
from port.bench.run import Row, carry_out
from port.errors import COULD_NOT_RUN, INTERRUPTED, PARITY_FAILED, PASSED, PortError, UsageError
from port.files import check_target, make_folder
from port.models.speed import MODES, fast_names
from port.models.ttvsr import NUM_BLOCKS, OFFICIAL_CHANNELS
from port.report.bench_report import show, write_bench_report
from port.train.initial import initial_weights
from port.weights import tensors_file
from port.weights.convert import load_weights
from port.weights.ttvsr import TTVSRConfig

SEED = 0  # of the weights that are drawn
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
    parser.add_argument("--full", action="store_true", help="also 100 frames: 40 minutes to an hour more on two cores")
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

    -> 0 where all goals that were measured are reached and the suite, if it was asked for, passed, otherwise 1; 3 where
    the floors are in doubt; 130 or 3 where it ended early, but not with nothing: then a report lies beside the one asked for
    """
    options = read_options(args)
    check_chosen(args.only, options)
    check_report(args.report)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="port-bench-") as temporary:
        weights, config = prepared(args.weights, Path(temporary))
        rows: dict[str, Row] = {}
        suite, stopped, code = None, "", PASSED
        try:
            measure(rows, options, weights, config, args)
            if converts(args.only, options):
                rows["conversion"] = time_conversion(weights, Path(temporary), options.rounds)
            suite = time_suite(args.quiet) if args.suite else None
        except (KeyboardInterrupt, PortError) as error:
            if all(row["subject"] == "peak" for row in rows.values()):
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
        target = partial(args.report) if stopped else args.report
        write_bench_report(target, result)
        spared = f"; {args.report} is left alone" if stopped and args.report.exists() else ""
        console.note(f"the report is {target}{spared}.")
    if result["doubt"]:
        console.note(f"error: {result['doubt']}")
        code = code or COULD_NOT_RUN
    passed = result["reached"] and (suite is None or suite["passed"])
    return code or (PASSED if passed else PARITY_FAILED)


def check_report(path: Path | None) -> None:
    """Whether the page can be written, before an hour is spent on it. Raises UsageError, PortError"""
    if path is None:
        return
    if path.suffix != ".md":
        raise UsageError(f"--report names a page, so its name ends in .md; found {path.name}.")
    make_folder(path.parent)
    for page in (path, partial(path)):
        for suffix in (".md", ".png", ".json"):
            check_target(page.with_suffix(suffix))


def partial(page: Path) -> Path:
    """Where the report of a run goes that has ended early."""
    return page.with_stem(f"{page.stem}-partial")


def measure(
    rows: dict[str, Row], options: Options, weights: Path, config: TTVSRConfig, args: argparse.Namespace
) -> None:
    """Carry out the plan under a progress bar, whose steps are seconds of the estimate, and fill `rows`."""
    scale = config.mid_channels**2 * (config.num_blocks + 12) / OFFICIAL
    plan = make_plan(options)
    if not plan:
        return
    expected = estimate(plan, scale)
    rest = CONVERSION * options.rounds * converts(args.only, options) + SUITE * args.suite
    console.note(
        f"{len(plan)} runs of {len({step.worker for step in plan})} processes, one at a time; about "
        f"{max(1, round((expected + rest) / 60))} minutes on two cores" + ", the suite among them" * args.suite + "."
    )
    with console.progress(args.quiet) as display:
        task = display.add_task("bench", total=round(expected))

        def advance(step: Step) -> None:
            display.update(task, description=f"{step.framework} {step.subject}", advance=round(step.seconds(scale)))

        carry_out(rows, plan, weights, lambda name: place_of(name, args), options.fast, advance)


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
