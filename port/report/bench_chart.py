"""Seconds per frame of both frameworks beside the floor of each, as a picture."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from port.report import charts
from port.report.charts import LIGHT
from port.report.words import FRAMEWORKS, measured

BARS = ("network", "fast", "half", "plain")  # subjects
COLOURS = {"torch": LIGHT.alone, "mindspore": LIGHT.along}
ALPHA = {"plain": 0.45, "fast": 0.7, "half": 0.7}
HEIGHT, AROUND = 0.42, 1.5  # inches of a bar, and of title and axis


def draw_bench(result: Mapping[str, Any]) -> bytes | None:
    """A bar for every clip and subject, its spread, and a line where the floor is; PNG. None where no network was timed."""
    bars = bars_of(result["rows"])
    if not bars:
        return None
    figure = Figure(
        figsize=(9.0, AROUND + HEIGHT * len(bars)), dpi=charts.DPI, facecolor=LIGHT.back, layout="constrained"
    )
    axes = figure.subplots()
    for place, row in enumerate(bars):
        draw_bar(axes, place, row, result["rows"])
    axes.set_yticks(range(len(bars)), [label_of(row) for row in bars])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.14 * max(max(per_frame(row)) for row in bars))
    axes.set_xlabel(
        "seconds per frame: the median, and a thin line\nfrom the fastest round to the slowest", color=LIGHT.ink
    )
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if any("floor" in text.get_label() for text in axes.lines):
        axes.legend(loc="upper center", bbox_to_anchor=(0.4, 1.0 + 0.5 / len(bars)), frameon=False)
    return charts.png(figure)


def bars_of(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Main clip first, then the others, each framework together."""
    order = ("main", "full", "small", "growth")
    own = [row for row in rows if row["subject"] in BARS]
    return sorted(own, key=lambda row: (order.index(row["place"]), list(FRAMEWORKS).index(row["framework"])))


def per_frame(row: Mapping[str, Any]) -> list[float]:
    return [seconds / row["frames"] for seconds in row["seconds"]]


def label_of(row: Mapping[str, Any]) -> str:
    """What a bar is of."""
    return f"{FRAMEWORKS[row['framework']]}, {measured(row)}\n{row['frames']} frames, {row['width']}x{row['height']}"


def draw_bar(axes: Axes, place: int, row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> None:
    """One bar and, where its clip has one, the floor of its framework in the same type."""
    numbers, middle = per_frame(row), median(per_frame(row))
    axes.barh(place, middle, 0.6, color=COLOURS[row["framework"]], alpha=ALPHA.get(row["subject"], 1.0))
    axes.plot([min(numbers), max(numbers)], [place, place], color=LIGHT.ink, linewidth=1.0)
    wanted = "half-floor" if "bfloat16" in row.get("ways", ()) else "floor"
    for floor in rows:
        if floor["subject"] == wanted and all(floor[key] == row[key] for key in ("framework", "place", "frames")):
            label = "floor: its convolutions alone" if not axes.get_legend_handles_labels()[1] else None
            at = median(per_frame(floor))
            axes.plot([at, at], [place - 0.4, place + 0.4], color=LIGHT.limit, linewidth=2.5, label=label)
            numbers = [*numbers, at]
    axes.text(max(numbers), place, f"  {middle:.3g} s", va="center", color=LIGHT.ink)
