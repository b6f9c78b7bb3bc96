"""The error ratio of every site along the run: fed with the reference's values above, left to itself below."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from port.parity.compare import Stage
from port.parity.measure import Row
from port.parity.recorder import GRADIENT
from port.report import charts
from port.report.charts import Series, Theme

ALONG = "accumulated"  # stages of this name are those of a run left to itself
UNDRAWN = ("weights", "compiled", "free")  # stages that have no ratio
SECTIONS = {"end": "forward"}  # outputs and loss are the last that is computed forward


def draw_ratios(
    stages: Mapping[str, Stage], limit: float, theme: Theme, wrong: str | None = None
) -> bytes | None:
    """Both panels as PNG; None where no site has a ratio.

    limit  of the ratio
    wrong  the site of the first root cause, to be pointed at
    """
    fed, along = split(stages)
    places = places_of(stages)
    panels = [(rows, label) for rows, label in ((fed, "fed with the reference's values"), (along, "left to itself")) if rows]
    if not any(drawable(row.ratio) for row in [*fed, *along]):
        return None
    figure = Figure(figsize=(11.0, 1.0 + 2.8 * len(panels)), dpi=charts.DPI, facecolor=theme.back, layout="constrained")
    shown = [{"site": f"{section(site)}/{site}", "name": site} for site in places]
    steps = charts.steps_of(shown)
    all_axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (rows, label) in zip(all_axes, panels, strict=True):
        draw_rows(axes, rows, places, limit, label, theme)
        charts.mark_steps(axes, steps, theme)
        charts.point_at(axes, [{"site": row["name"]} for row in shown], wrong, theme)
        axes.set_xlim(-1, len(places))
        axes.set_ylabel("error / reference's own")
    charts.name_phases(all_axes[0], steps, len(places), theme)
    numbered = any(step.name != step.phase for step in steps)
    charts.name_steps(all_axes[-1], steps, len(places), theme, charts.FRAMES * (not optimised(stages)) * numbered)
    return charts.png(figure)


def optimised(stages: Mapping[str, Stage]) -> bool:
    """Whether the numbers of steps are those of an optimiser, which need no explanation."""
    return "training" in stages


def split(stages: Mapping[str, Stage]) -> tuple[list[Row], list[Row]]:
    """Rows judged on right inputs, and rows of the run left to itself; what was never compared is in neither."""
    kept = {name: stage.rows for name, stage in stages.items() if name not in UNDRAWN}
    along = [row for name, rows in kept.items() if name.startswith(ALONG) for row in rows]
    return [row for name, rows in kept.items() if not name.startswith(ALONG) for row in rows], along


def places_of(stages: Mapping[str, Stage]) -> dict[str, int]:
    """Place of every site on the axis: those of the whole run in its order, then what training adds, step by step."""
    drawn = [name for name in stages if name not in UNDRAWN]
    first = [name for name in drawn if name == ALONG] + [name for name in drawn if not name.startswith(ALONG)]
    names = dict.fromkeys(row.site for name in dict.fromkeys([*first, *drawn]) for row in stages[name].rows)
    return {site: place for place, site in enumerate(sorted(names, key=lambda site: rank(section(site))))}


def rank(name: str) -> tuple[int, str]:
    """A network's own steps as they come, the gradients of parameters after them, then optimiser steps by number."""
    return (2, name) if name.startswith("step.") else (1, "") if name == "parameters" else (0, "")


def section(site: str) -> str:
    """The part of the run that a site belongs to, as the chart names it."""
    step = site.partition("/")[0]
    if step in ("forward", "end") and site.endswith(GRADIENT):
        return "backward"
    return SECTIONS.get(step, step)


def draw_rows(
    axes: Axes, rows: Sequence[Row], places: Mapping[str, int], limit: float, label: str, theme: Theme
) -> None:
    """One panel. An infinite ratio stands above all others; sites that fail without a number are crosses on the upper edge."""
    values = np.full(len(places), np.nan)
    numbers = [row.ratio for row in rows if row.ratio is not None and np.isfinite(row.ratio)]
    above = 10 * max([limit, *numbers])
    for row in rows:
        if drawable(row.ratio):
            height = min(row.ratio, above)
            values[places[row.site]] = np.fmax(values[places[row.site]], height)
    charts.draw_panel(axes, [Series(values, label, theme.alone, ".")], limit, theme)
    blind = sorted({places[row.site] for row in rows if row.reason and not drawable(row.ratio)})
    if blind:
        heights = np.full(len(blind), 0.99)
        look = {"color": theme.limit, "ms": 5, "label": "fails without a number", "clip_on": False}
        axes.plot(blind, heights, "x", transform=axes.get_xaxis_transform(), **look)
        charts.add_legend(axes, theme)


def drawable(ratio: float | None) -> bool:
    return ratio is not None and not np.isnan(ratio)
