"""The proof: a clip through the network and through the parts read back from disk, every shown value compared."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
from rich.table import Table

from port import console
from port.export.parts import Sizes
from port.metrics.psnr import psnr_float
from port.parity import tolerance
from port.parity.probe import Probe

VALUES = ("flows_backward", "flows_forward", "warped_feat_prop", "ltam_out", "feat_prop", "frame")
DECISIONS = ("location", "argmax")
KEYFRAMES = 3  # of the made clip: enough that they compete, and that some fill the room or leave some


class Seen(Probe):
    """Keeps the values that are compared, by name and step. `to_array` turns a framework's tensor into an array."""

    def __init__(self, to_array: Callable[[object], np.ndarray]):
        self.to_array, self.label = to_array, "start"
        self.values: dict[str, dict[str, np.ndarray]] = {name: {} for name in (*VALUES, *DECISIONS)}

    def step(self, label: str) -> None:
        self.label = label

    def __call__(self, name: str, value: object) -> object:
        if name in self.values:
            self.values[name][self.label] = np.array(self.to_array(value))
        return value

    def decide(self, name: str, value: object) -> object:
        return self(name, value)


@dataclass(frozen=True)
class Row:
    """One kind of value over the whole clip: how many numbers, how many differ, by how much at most, places that lack it."""

    name: str
    numbers: int
    differing: int
    max_difference: float | None
    missing: int


def compare(network: Mapping[str, Mapping], parts: Mapping[str, Mapping]) -> list[Row]:
    """One row per kind of value; a value that only one of the two has shown, or in another shape, counts as missing."""
    rows = []
    for name in network:
        pairs = [(network[name].get(place), parts[name].get(place)) for place in network[name] | parts[name]]
        fit = [(a, b) for a, b in pairs if a is not None and b is not None and a.shape == b.shape]
        numbers, differing = sum(a.size for a, _ in fit), sum(int((a != b).sum()) for a, b in fit)
        largest = max((float(np.abs(a.astype(np.float64) - b).max()) for a, b in fit), default=math.nan)
        rows.append(Row(name, numbers, differing, largest if math.isfinite(largest) else None, len(pairs) - len(fit)))
    return rows


def judge(rows: list[Row], frames: tuple[np.ndarray, np.ndarray], exact: bool) -> list[str]:
    """Reasons why the parts are not the network, none if they are.

    frames  (t, 3, h, w) of the network and of the parts
    exact   the same kernels on both sides: every bit must agree. Otherwise every decision must, and the frames to the limit
            that a port's have (`end_to_end.psnr_between_db`).
    """
    reasons = [f"{row.name}: {row.missing} places lack it or have another shape" for row in rows if row.missing]
    reasons += [f"{row.name} was never shown" for row in rows if not row.numbers and row.name != "flows_forward"]
    for row in rows:
        if row.differing and (exact or row.name in DECISIONS):
            reasons.append(f"{row.name}: {row.differing} of {row.numbers} differ")
    least = tolerance.load().psnr_between_db
    if not (between := psnr_float(*frames)) >= least:
        reasons.append(f"frames agree to {between:.2f} dB only, at least {least:g} is asked")
    return reasons


def made_clip(sizes: Sizes) -> np.ndarray:
    """A smooth random picture that moves by (1, 2) pixels per frame, noise added. (1, t, 3, h, w) float32 in [0, 1]"""
    rng = np.random.default_rng(4)
    t = min(sizes.keyframes, KEYFRAMES) * sizes.keyframe_stride + 1
    h, w = sizes.height, sizes.width
    picture = rng.random((3, -(-(h + t) // 4) + 1, -(-(w + 2 * t) // 4) + 1)).repeat(4, axis=1).repeat(4, axis=2)
    for axis in (1, 2):
        picture = sum(np.roll(picture, shift, axis) for shift in range(4)) / 4
    frames = np.stack([picture[:, i : i + h, 2 * i : 2 * i + w] for i in range(t)])
    return np.clip(frames + rng.normal(0, 0.02, frames.shape), 0, 1).astype(np.float32)[None]


def result(rows: list[Row], reasons: list[str], frames: tuple[np.ndarray, np.ndarray], exact: bool) -> dict:
    """The proof as data."""
    between = psnr_float(*frames)
    return {
        "equal": not reasons,
        "bit_equal": all(not row.differing and not row.missing for row in rows),
        "asked": "every bit" if exact else "decisions, and frames to the limit",
        "frames": len(frames[0]),
        "psnr_between": between if math.isfinite(between) else None,
        "reasons": reasons,
        "values": [asdict(row) for row in rows],
    }


def show(found: dict) -> None:
    """The proof as a table on stdout."""
    table = Table(title=f"{found['frames']} frames: the network against its exported parts", title_justify="left")
    table.add_column("value")
    for heading in ("numbers", "differ", "largest difference"):
        table.add_column(heading, justify="right")
    for row in found["values"]:
        largest = "not shown" if row["max_difference"] is None else f"{row['max_difference']:.3g}"
        table.add_row(row["name"], f"{row['numbers']:,}", f"{row['differing']:,}", largest)
    console.stdout.print(table)
    verdict = "bit-equal" if found["bit_equal"] else "equal within the limits" if found["equal"] else "NOT equal"
    between = found["psnr_between"]
    console.stdout.print(f"{verdict}; frames agree " + ("in every bit" if between is None else f"to {between:.1f} dB"))
    for reason in found["reasons"]:
        console.stdout.print(f"  {reason}", markup=False)
