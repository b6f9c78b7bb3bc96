"""The verb `data`: regroup, check and time data sets."""

import argparse
import math
from pathlib import Path

from rich.table import Table

from port import console
from port.data.augment import REDS, VIMEO90K, Recipe
from port.data.batches import Batches
from port.data.bench import measure_loading, processor_time
from port.data.check import check_set
from port.data.regroup import regroup
from port.data.sets import DEGRADATIONS, SETS, open_set
from port.errors import PARITY_FAILED, PASSED, UsageError
from port.workers import check_workers, default_workers

EXIT_CODES = "exit codes: 0 nothing wrong, 1 problems found, or loading too slow, 2 wrong usage, 3 could not run"
SHOWN = 40  # problems in the table
PUBLISHED = 4.2  # seconds per iteration of the official training, batch 2 on each of 8 A100


def add_verb(verbs, epilog: str) -> None:
    """`data` and what can be done with data."""
    data = verbs.add_parser("data", help="data sets: regroup, check, bench", epilog=epilog)
    tasks = data.add_subparsers(dest="task", required=True)
    group = tasks.add_parser("regroup", help="link the validation clips of REDS as 240..269", epilog=epilog)
    group.add_argument("source", type=Path, help="where the zip files were unpacked: it holds train/ and val/")
    group.add_argument(
        "target", type=Path, nargs="?", help="put all clips there (without it: among the training clips)"
    )
    group.add_argument("--copy", action="store_true", help="copy instead of linking")
    check = tasks.add_parser("check", help="missing frames, odd sizes, unreadable files", epilog=EXIT_CODES)
    _add_set(check)
    check.add_argument("--subset", action="store_true", help="clips and frames may be fewer than in the published set")
    check.add_argument("--fast", action="store_true", help="read heads only: sizes, but no damage further down")
    check.add_argument("--workers", type=int, default=default_workers(), metavar="N", help="processes (default: cores)")
    bench = tasks.add_parser("bench", help="how fast training batches are loaded", epilog=EXIT_CODES)
    _add_set(bench)
    bench.add_argument(
        "--workers", default="0,1,2", metavar="LIST", help="numbers of worker processes (default: 0,1,2)"
    )
    bench.add_argument("--batch-size", type=int, default=2, metavar="N", help="samples in a batch (default: 2)")
    bench.add_argument("--batches", type=int, default=4, metavar="N", help="timed in each repetition (default: 4)")
    bench.add_argument("--repeats", type=int, default=3, metavar="N", help="repetitions (default: 3)")
    bench.add_argument("--frames", type=int, metavar="N", help="of a sample (default: 50; of Vimeo-90K 7)")
    bench.add_argument("--crop", type=int, metavar="N", help="patch in low resolution (default: 64)")
    bench.add_argument(
        "--iteration", type=float, default=PUBLISHED, metavar="S", help=f"seconds of a training step ({PUBLISHED})"
    )
    for parser in (group, check, bench):
        parser.add_argument("--json", action="store_true", help="print the result as data")
        parser.add_argument("--quiet", action="store_true")
        parser.add_argument("--debug", action="store_true", help="show tracebacks")


def _add_set(parser: argparse.ArgumentParser) -> None:
    """Which data set, where."""
    parser.add_argument("name", choices=SETS)
    parser.add_argument("root", type=Path)
    parser.add_argument("--split", help="of reds and vimeo90k: train, test, all")
    parser.add_argument("--degradation", choices=[name.lower() for name in DEGRADATIONS], help="which low resolution")
    parser.add_argument("--gt", type=Path, metavar="DIR", help="of folder: the ground truth")


def run_data(args: argparse.Namespace) -> int:
    """Run the task. -> 0, or 1 as EXIT_CODES says"""
    return {"regroup": run_regroup, "check": run_check, "bench": run_bench}[args.task](args)


def run_regroup(args: argparse.Namespace) -> int:
    """Link or copy, and say how many."""
    done = regroup(args.source, args.target, args.copy, args.quiet)
    if args.json:
        console.print_json(done)
    else:
        made = f"{done['copied']} clip folders copied" if args.copy else f"{done['linked']} clip folders linked"
        console.stdout.print(f"{made}, {done['kept']} were there.", markup=False, soft_wrap=True)
    return PASSED


def run_check(args: argparse.Namespace) -> int:
    """-> 0 where nothing is wrong with the data set, otherwise 1"""
    found = check_set(
        args.name,
        args.root,
        args.split,
        args.degradation,
        args.gt,
        args.subset,
        args.fast,
        check_workers(args.workers),
        args.quiet,
    )
    console.print_json(found) if args.json else show_check(found)
    return PARITY_FAILED if found["problems"] else PASSED


def show_check(found: dict) -> None:
    """Problems as a table, and one line that sums up."""
    problems = found["problems"]
    if problems:
        table = Table("clip", "kind", "problem")
        for problem in problems[:SHOWN]:
            table.add_row(problem["clip"] or "(set)", problem["kind"], problem["text"])
        console.stdout.print(table, markup=False)
    if len(problems) > SHOWN:
        console.stdout.print(f"... and {len(problems) - SHOWN} more; --json lists all.")
    looked = "heads of " if found["fast"] else ""
    result = f"{len(problems)} problem{'s' * (len(problems) != 1)}" if problems else "nothing wrong"
    console.stdout.print(
        f"{found['name']}: {found['clips']} clips, {looked}{found['frames']} files read in {found['seconds']} s: {result}.",
        markup=False,
        soft_wrap=True,
    )


def run_bench(args: argparse.Namespace) -> int:
    """-> 0 where a number of workers keeps up with training, otherwise 1"""
    if min(args.batches, args.repeats) < 1 or args.iteration <= 0:
        raise UsageError("--batches, --repeats and --iteration must be positive.")
    recipe = bench_recipe(args)
    pairs = open_set(args.name, args.root, args.split, args.degradation, args.gt)
    batches = Batches(pairs, recipe, batch_size=args.batch_size)
    cpu = processor_time(batches, args.repeats)
    rows = measure_loading(batches, worker_counts(args.workers), args.batches, args.repeats, args.quiet)
    for row in rows:
        row["keeps_up"] = row["slowest"] <= args.iteration
    result = {"name": args.name, "frames": recipe.frames, "crop": recipe.crop, "batch_size": args.batch_size}
    result |= {"iteration": args.iteration, "cpu_seconds_per_batch": cpu, "rows": rows}
    console.print_json(result) if args.json else show_bench(result)
    return PASSED if any(row["keeps_up"] for row in rows) else PARITY_FAILED


def bench_recipe(args: argparse.Namespace) -> Recipe:
    """The recipe of the data set, with what the flags say otherwise."""
    recipe = VIMEO90K if args.name.startswith("vimeo90k") else REDS
    given = {name: getattr(args, name) for name in ("frames", "crop") if getattr(args, name) is not None}
    return Recipe(**{**vars(recipe), **given})


def worker_counts(text: str) -> list[int]:
    """ "0,1,2" -> [0, 1, 2]. Raises UsageError for anything else."""
    try:
        return [check_workers(int(part)) for part in dict.fromkeys(text.split(","))]
    except ValueError as error:
        raise UsageError(f"--workers: expected numbers such as 0,1,2, found {text!r}.") from error


def show_bench(result: dict) -> None:
    """The table on stdout."""
    title = f"{result['name']}: {result['batch_size']} x {result['frames']} frames, patches of {result['crop']}"
    table = Table(
        "workers", "s per batch", "fastest to slowest", "samples per s", "first after s", "keeps up", title=title
    )
    for row in result["rows"]:
        numbers = [f"{row['seconds_per_batch']:.3f}", f"{row['fastest']:.3f} to {row['slowest']:.3f}"]
        numbers += [f"{row['samples_per_second']:.2f}", f"{row['start']:.2f}", "yes" if row["keeps_up"] else "no"]
        table.add_row(str(row["workers"]), *numbers)
    console.stdout.print(table)
    cpu = result["cpu_seconds_per_batch"]
    console.stdout.print(
        f"A batch takes {cpu:.2f} s of processor time: {math.ceil(cpu / result['iteration'])} free cores for each device "
        f"that takes one every {result['iteration']} s.",
        soft_wrap=True,
    )
    console.stdout.print(
        f"Kept up: the slowest repetition loads a batch in at most {result['iteration']} s, a step of training. "
        "Files that were read before come from memory: this times decoding, not the disk.",
        soft_wrap=True,
    )
