"""The result of an evaluation: as data, and as a table."""

import shlex
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence

import numpy as np
from rich.table import Table

from port import console
from port.evaluate.conditions import Conditions, in_words
from port.metrics.score import ClipScore, mean_of_clips
from port.parity.capture import environment
from port.parity.overhead import cores

SCHEMA = 1
KEPT_BACK = ("stamp", "environment", "saved")  # of a record: not of the result


def summarise(args: Namespace, conditions: Conditions, identity: Mapping, records: Sequence[Mapping]) -> dict:
    """The result as data. Sizes are [width, height], seconds those of the network, a PSNR of null no difference at all."""
    around = [record["environment"] for record in records]
    if any(each != around[-1] for each in around):
        console.warn("clips were timed in different surroundings (threads, versions): their seconds do not compare")
    return {
        "schema": SCHEMA,
        "dataset": conditions.dataset,
        "root": str(args.root),
        "conditions": conditions.as_data(),
        "mean": mean_of_clips([ClipScore.from_data(record) for record in records]),
        "seconds": timings(records),
        "clips": [{name: value for name, value in each.items() if name not in KEPT_BACK} for each in records],
        "model": args.model,
        "weights": str(args.weights),
        "weights_sha256": identity["weights_sha256"],
        "device": args.device,
        "devices": args.devices,
        "saved": str(args.save) if args.save else None,
        "environment": {**around[-1], **environment(), "cores": cores(), "command": shlex.join(sys.argv)},
    }


def timings(records: Sequence[Mapping]) -> dict[str, object]:
    """Seconds per sequence: of all clips, and of those that were not the first of their size in a process.

    The first one pays for what a framework does once, such as compiling.
    """
    warm = [record["seconds"] for record in records if not record["first"]]
    return {
        "per_sequence": round(float(np.mean([record["seconds"] for record in records])), 4),
        "per_sequence_warm": round(float(np.mean(warm)), 4) if warm else None,
        "warm_clips": len(warm),
    }


def show(result: Mapping) -> None:
    """Table and conditions on stdout."""
    about, mean = result["environment"], result["mean"]
    table = Table(title=f"{result['dataset']}: {about['framework']} {about['version']} on {result['device']}")
    for name in ("clip", "frames", "PSNR (dB)", "SSIM", "seconds per sequence"):
        table.add_column(name, justify="left" if name == "clip" else "right")
    for clip in result["clips"]:
        first = " (first of its size)" if clip["first"] else ""
        table.add_row(clip["clip"], str(clip["frames"]), *figures(clip), f"{clip['seconds']:.2f}{first}")
    table.add_section()
    table.add_row(
        f"mean of {mean['clips']}", str(mean["frames"]), *figures(mean), f"{result['seconds']['per_sequence']:.2f}"
    )
    console.stdout.print(table)
    warm = result["seconds"]["per_sequence_warm"]
    lines = [*in_words(result["conditions"]), *([f"warm: {warm:.2f} seconds per sequence"] if warm is not None else [])]
    for line in lines:
        console.stdout.print(line, markup=False, soft_wrap=True)


def figures(entry: Mapping) -> tuple[str, str]:
    """PSNR and SSIM of a clip or a mean, in the decimals of publications and two more of the PSNR."""
    return ("identical" if entry["psnr"] is None else f"{entry['psnr']:.4f}", f"{entry['ssim']:.4f}")
