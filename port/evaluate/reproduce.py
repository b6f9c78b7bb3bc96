"""Published scores reproduced: the official weights through both columns, on data prepared from one folder."""

import shutil
from argparse import Namespace
from collections.abc import Collection
from pathlib import Path

from port import console
from port.data.benchmarks import find_benchmark
from port.data.films import INDEX, unpack_films
from port.degrade.folders import Degradation, degrade_tree
from port.errors import PortError
from port.evaluate.both import SIDES, compare, evaluate_side, weights_for
from port.evaluate.published import SCHEMA, Table, judge, load_tables
from port.files import make_folder
from port.parity import tolerance
from port.workers import default_workers

TRUTH, LOW = "GT", {"BI": "BIx4", "BD": "BDx4"}


def reproduce(args: Namespace, work: Path) -> dict[str, object]:
    """Every table of `args.model`, both columns one after the other. -> verdict, tables, and the two results of each

    What is finished, clip by clip, is kept in `work`: the same command goes on from there.
    """
    tables = [table for table in load_tables(args.model) if args.degradation in (None, table.degradation)]
    if not tables:
        raise PortError(f"no published scores of {args.model} on {args.degradation}.")
    limits, judged, results = tolerance.load(), [], {}
    for table in tables:
        result = score_table(args, table, work)
        judged.append(judge(table, result, limits))
        results[table.degradation] = result
    return {
        "schema": SCHEMA,
        "model": args.model,
        "dataset": tables[0].dataset,
        "verdict": "pass" if all(each["verdict"] == "pass" for each in judged) else "fail",
        "limits": {
            "published_psnr_db": limits.published_psnr_db,
            "published_ssim": limits.published_ssim,
            "psnr_delta_db": limits.psnr_delta_db,
        },
        "tables": judged,
        "results": results,
    }


def score_table(args: Namespace, table: Table, work: Path) -> dict[str, object]:
    """Both columns on one table's data. -> `both.compare`"""
    weights = args.weights / table.weights
    if not weights.is_file():
        raise PortError(
            f"there is no {weights}. `make demo` fetches it, or name the folder that holds it by --weights."
        )
    root = prepare(args.root, work / table.dataset, args.clips, table.degradation, args.quiet)
    what = Namespace(**vars(args) | {"dataset": table.dataset, "degradation": table.degradation, "root": root})
    found = {}
    for (side, column), device in zip(SIDES.items(), (args.torch_device, args.ms_device), strict=True):
        if not args.quiet:
            console.note(f"{table.degradation}, {side}: {column}")
        found[side] = evaluate_side(side, what, weights_for(column, weights, work), work, device)
    return compare(found["reference"], found["port"], tolerance.load().psnr_delta_db)


def prepare(source: Path, target: Path, clips: Collection[str] | None, degradation: str, quiet: bool) -> Path:
    """Vid4 as `evaluate` takes it: GT, BIx4, and BDx4 made from the truth. -> target

    source  a folder of films (port/data/films.py), or of folders of frames as docs/data.md describes it
    """
    make_folder(target)
    if (source / INDEX).is_file():
        unpack_films(source, target, {"GT": TRUTH, "LQ": LOW["BI"]}, clips)
    else:
        first = find_benchmark("vid4", source, "BI")[0]
        _link(first.gt.parent, target / TRUTH)
        _link(first.lq.parent, target / LOW["BI"])
    if degradation == "BD":
        for clip in sorted(path.name for path in (target / TRUTH).iterdir() if path.is_dir()):
            if clips is None or clip in clips:
                low = target / LOW["BD"] / clip
                degrade_tree(target / TRUTH / clip, low, Degradation("bd"), default_workers(), quiet)
    return target


def _link(source: Path, target: Path) -> None:
    """Make `target` stand for `source`, whatever it stood for before."""
    if target.is_symlink():
        target.unlink()
    elif target.is_dir():
        shutil.rmtree(target)  # unpacked from films by an earlier run
    target.symlink_to(source.resolve())
