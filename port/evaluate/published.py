"""Scores that publications print, and how far a port's are from them."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from port.errors import PortError
from port.parity.tolerance import Tolerances

FILE = Path(__file__).with_name("published.toml")
MEAN = "mean"
SCHEMA = 1


@dataclass(frozen=True)
class Figures:
    """PSNR in dB and SSIM. measured: with the official code and these weights; printed: None where nobody printed them"""

    frames: int | None
    measured: tuple[float, float]
    printed: tuple[float, float] | None = None


@dataclass(frozen=True)
class Table:
    """One data set under one degradation. clips: by name; `mean` is that of the clips' means"""

    dataset: str
    degradation: str
    weights: str
    measured_by: str
    printed_by: str
    mean: Figures
    clips: dict[str, Figures] = field(default_factory=dict)


def load_tables(network: str, file: Path = FILE) -> list[Table]:
    """The tables of a network. The file is the project's own: what is missing in it is a plain KeyError."""
    found = tomllib.loads(file.read_text(encoding="utf-8"))[network]
    return [
        Table(
            found["dataset"], each["degradation"], each["weights"], found["measured_by"], each["printed_by"],
            _figures(each["mean"]), {clip: _figures(row) for clip, row in each["clips"].items()},
        )
        for each in found["tables"]
    ]  # fmt: skip


def networks(file: Path = FILE) -> tuple[str, ...]:
    """Those that have tables."""
    return tuple(tomllib.loads(file.read_text(encoding="utf-8")))


def _figures(row: Mapping) -> Figures:
    printed = tuple(row["printed"]) if "printed" in row else None
    return Figures(row.get("frames"), tuple(row["measured"]), printed)


def judge(table: Table, compared: Mapping, limits: Tolerances) -> dict[str, object]:
    """A table held against a result of both columns (`both.compare`). -> rows and a verdict

    Each row passes where the reference is as near to the measured figures, and the port as near to the reference, as
    `limits` ask. The mean is judged where all clips of the table were scored.
    Raises PortError for a clip that the table does not have or that has another number of frames.
    """
    rows = []
    for clip in compared["clips"]:
        expected = table.clips.get(clip["clip"])
        if expected is None or expected.frames != clip["frames"]:
            wanted = f"{expected.frames} frames" if expected else "none of that name"
            raise PortError(f"clip {clip['clip']} has {clip['frames']} frames; the published table has {wanted}.")
        rows.append(_row(clip["clip"], clip["frames"], expected, clip, limits))
    if len(rows) == len(table.clips):
        frames = sum(row["frames"] for row in rows)
        rows.append(_row(MEAN, frames, table.mean, compared["mean"], limits))
    return {
        "degradation": table.degradation,
        "weights": table.weights,
        "measured_by": table.measured_by,
        "printed_by": table.printed_by,
        "verdict": "pass" if all(row["passed"] for row in rows) else "fail",
        "rows": rows,
    }


def _row(name: str, frames: int, expected: Figures, found: Mapping, limits: Tolerances) -> dict[str, object]:
    psnr, ssim = found["psnr_reference"], found["ssim_reference"]
    differences = (psnr - expected.measured[0], ssim - expected.measured[1])
    as_published = abs(differences[0]) <= limits.published_psnr_db and abs(differences[1]) <= limits.published_ssim
    as_reference = abs(found["psnr_difference"]) <= limits.psnr_delta_db
    return {
        "clip": name,
        "frames": frames,
        "measured": list(expected.measured),
        "printed": list(expected.printed) if expected.printed else None,
        "psnr_reference": psnr,
        "ssim_reference": ssim,
        "psnr_off_measured": differences[0],
        "ssim_off_measured": differences[1],
        "psnr_port": found["psnr_port"],
        "ssim_port": found["ssim_port"],
        "psnr_difference": found["psnr_difference"],
        "ssim_difference": found["ssim_difference"],
        "as_published": as_published,
        "as_reference": as_reference,
        "passed": as_published and as_reference,
    }
