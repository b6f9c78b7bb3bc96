"""The error along the network as a picture, once for light and once for dark pages."""

import io
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from PIL import Image

from port.parity.tolerance import Tolerances
from port.report.words import one_line

PHASES = {"bwd": "backward", "fwd": "forward", "up": "upsampling", "step": "optimiser steps"}
SIZE, DPI = (11.0, 6.6), 130
COLOURS_KEPT = 64  # of the PNG's palette: the chart has few, and this makes a third of the size
LOWEST = 1e-6  # of the limit: smaller errors are drawn there, lest one tiny value squeeze all others
FRAMES = "; the numbers are frames"
LABEL_WIDTH = 0.02  # of the axis: what a frame number takes under the chart


@dataclass(frozen=True)
class Theme:
    """Colours of one rendering."""

    back: str
    ink: str
    faint: str
    alone: str
    along: str
    limit: str


LIGHT = Theme("#ffffff", "#1f2328", "#d0d7de", "#0550ae", "#bc6a00", "#cf222e")
DARK = Theme("#161b22", "#e6edf3", "#3d444d", "#79c0ff", "#d29922", "#ff7b72")


@dataclass(frozen=True)
class Series:
    """Numbers of one kind, one per site, NaN where there is none."""

    values: np.ndarray
    label: str
    colour: str
    marker: str


@dataclass(frozen=True)
class Step:
    """A run of neighbouring sites of one step: `bwd.05` over sites start..stop-1."""

    name: str
    start: int
    stop: int

    @property
    def phase(self) -> str:
        """What comes before the frame's number."""
        return self.name.partition(".")[0]

    @property
    def middle(self) -> float:
        """Where its label belongs."""
        return (self.start + self.stop - 1) / 2


def draw_chart(rows: Sequence[Mapping], limits: Tolerances, theme: Theme, wrong: str | None = None) -> bytes | None:
    """The error at every site in execution order, as PNG; None without sites. wrong: a site to point at"""
    if not rows:
        return None
    figure = Figure(figsize=SIZE, dpi=DPI, facecolor=theme.back, layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    along = Series(column(rows, "accumulated"), "along the network, choices imposed", theme.along, ".")
    alone = Series(column(rows, "fed"), "each alone, fed with the reference's inputs", theme.alone, "+")
    ratio = Series(column(rows, "ratio"), "error along the network against float64", theme.along, ".")
    alone_ratio = Series(column(rows, "fed_ratio"), "the same of each alone", theme.alone, "+")
    draw_panel(upper, [along, alone], None, theme)
    draw_panel(lower, [alone_ratio, ratio], limits.ratio_rms, theme)
    upper.set_ylabel("max |a \u2212 b| / rms(a)")
    lower.set_ylabel("error / reference's own")
    steps = steps_of(rows)
    for axes in (upper, lower):
        mark_steps(axes, steps, theme)
        point_at(axes, rows, wrong, theme)
        axes.set_xlim(-1, len(rows))
    name_phases(upper, steps, len(rows), theme)
    name_steps(lower, steps, len(rows), theme)
    return png(figure)


def column(rows: Sequence[Mapping], key: str) -> np.ndarray:
    """One number per site; NaN where there is none."""
    return np.array([np.nan if row.get(key) is None else row[key] for row in rows], dtype=np.float64)


def lowest_line(series: Sequence[Series], limit: float = 1.0) -> float:
    """Where errors of zero are drawn, which a logarithmic axis has no place for: a decade below all that are not."""
    values = np.concatenate([one.values for one in series])
    smallest = min(values[np.isfinite(values) & (values > 0)], default=limit)
    return 10.0 ** (math.floor(math.log10(max(smallest, limit * LOWEST))) - 1)


def steps_of(rows: Sequence[Mapping]) -> list[Step]:
    """Neighbouring sites of the same step, in execution order."""
    steps, start = [], 0
    for name, group in itertools.groupby(rows, key=lambda row: str(row["site"]).partition("/")[0]):
        stop = start + sum(1 for _ in group)
        steps.append(Step(name, start, stop))
        start = stop
    return steps


def draw_panel(axes: Axes, series: Sequence[Series], limit: float | None, theme: Theme) -> None:
    """One chart with its limit, if there is one; what lies beyond it is ringed."""
    floor = lowest_line(series, limit or 1.0)
    axes.set_yscale("log")
    for one in series:
        places = np.flatnonzero(np.isfinite(one.values))
        size = 5.5 if one.marker == "+" else 3.5
        heights = np.maximum(one.values[places], floor)
        axes.plot(places, heights, one.marker, color=one.colour, ms=size, mew=0.9, label=one.label)
    if limit is not None:
        ring_beyond(axes, series, limit, theme)
        axes.axhline(limit, color=theme.limit, lw=1.3, ls="--", label=f"limit: {limit:g}")
    least = limit or floor * 10
    highest = max(np.nanmax(one.values, initial=least, where=np.isfinite(one.values)) for one in series)
    axes.set_ylim(floor / 2, highest * 50)  # room for the legend
    _label_powers(axes, floor, highest)
    _style(axes, theme)


def ring_beyond(axes: Axes, series: Sequence[Series], limit: float, theme: Theme) -> None:
    """A ring around what is beyond the limit, so that not only colour tells it."""
    label = "beyond the limit"
    for one in series:
        beyond = np.flatnonzero(one.values > limit)
        if beyond.size:
            axes.plot(beyond, one.values[beyond], "o", mfc="none", mec=theme.limit, ms=7, mew=1.1, label=label)
            label = "_nolegend_"


def _label_powers(axes: Axes, floor: float, highest: float) -> None:
    """Powers of ten, not more than about eight; the lowest line stands for zero."""
    low, high = round(math.log10(floor)) + 1, math.ceil(math.log10(highest)) + 1
    powers = range(low, high + 1, 1 + (high - low) // 8)
    axes.set_yticks([floor, *(10.0**power for power in powers)], ["equal", *(f"$10^{{{power}}}$" for power in powers)])
    axes.yaxis.set_minor_locator(NullLocator())


def _style(axes: Axes, theme: Theme) -> None:
    axes.set_facecolor(theme.back)
    axes.tick_params(colors=theme.ink, which="both", labelsize=9)
    axes.tick_params(axis="x", length=0)
    axes.yaxis.label.set_color(theme.ink)
    axes.grid(axis="y", color=theme.faint, lw=0.5, alpha=0.6)
    for spine in axes.spines.values():
        spine.set_color(theme.faint)
    add_legend(axes, theme)


def add_legend(axes: Axes, theme: Theme) -> None:
    look = {"labelcolor": theme.ink, "facecolor": theme.back, "edgecolor": theme.faint, "framealpha": 0.9}
    axes.legend(loc="upper left", fontsize=8.5, ncols=4, **look)


def stretches(steps: Sequence[Step]) -> list[tuple[list[str], int, int]]:
    """(phases, start, stop), one after the other; phases that take turns, as forward and upsampling do, are one stretch."""
    groups = [(phase, list(members)) for phase, members in itertools.groupby(steps, key=lambda step: step.phase)]
    found: list[tuple[list[str], int, int]] = []
    for (phase, members), (following, _) in itertools.zip_longest(groups, groups[1:], fillvalue=(None, None)):
        names, start, _ = found[-1] if found else ([], 0, 0)
        if phase in names or following in names:
            found[-1] = (names if phase in names else [*names, phase], start, members[-1].stop)
        else:
            found.append(([phase], members[0].start, members[-1].stop))
    return found


def mark_steps(axes: Axes, steps: Sequence[Step], theme: Theme) -> None:
    """A line where a step begins, a stronger one where the network goes on to something else."""
    starts = {start for _, start, _ in stretches(steps)}
    for step in steps[1:]:
        new_phase = step.start in starts
        axes.axvline(step.start - 0.5, color=theme.ink if new_phase else theme.faint, lw=0.9 if new_phase else 0.5,
                     alpha=0.7, zorder=0)  # fmt: skip


def point_at(axes: Axes, rows: Sequence[Mapping], site: str | None, theme: Theme) -> None:
    """Mark the site where it went wrong first."""
    place = next((i for i, row in enumerate(rows) if row["site"] == site), None)
    if place is None:
        return
    left = place > len(rows) / 2
    text = "first wrong value ▸" if left else "◂ first wrong value"
    axes.axvline(place, color=theme.limit, lw=1.4)
    axes.annotate(text, (place, 0.09), xycoords=("data", "axes fraction"), xytext=(-4 if left else 4, 0),
                  textcoords="offset points", ha="right" if left else "left", fontsize=9, color=theme.limit,
                  bbox={"fc": theme.back, "ec": "none", "pad": 1})  # fmt: skip


def name_phases(axes: Axes, steps: Sequence[Step], total: int, theme: Theme) -> None:
    """What the network does, over the chart; aslant where there is little room."""
    for phases, start, stop in stretches(steps):
        name = ", ".join(literal(PHASES.get(phase, phase)) for phase in phases)
        narrow = (stop - start) / total < 0.012 * len(name)
        axes.annotate(name, ((start + stop) / 2, 1.01), xycoords=("data", "axes fraction"), va="bottom", fontsize=9.5,
                      ha="left" if narrow else "center", rotation=25 if narrow else 0, color=theme.ink)  # fmt: skip


def name_steps(axes: Axes, steps: Sequence[Step], total: int, theme: Theme, numbers: str = FRAMES) -> None:
    """Numbers of frames or optimiser steps under the chart, as many as fit side by side."""
    shown, last = [], -math.inf
    for step in steps:
        if step.name != step.phase and step.middle - last >= LABEL_WIDTH * total:
            shown.append(step)
            last = step.middle
    axes.set_xticks([step.middle for step in shown], [literal(step.name.partition(".")[2]) for step in shown])
    axes.set_xlabel(f"sites in the order in which the reference computes them{numbers}", color=theme.ink)


def literal(name: str) -> str:
    """A name that matplotlib takes as it is: the dollar sign would start a formula."""
    return one_line(name, 16).replace("$", r"\$")


def png(figure: Figure, colours: int = COLOURS_KEPT) -> bytes:
    """Render without pyplot, which keeps figures and picks a window system."""
    raw, small = io.BytesIO(), io.BytesIO()
    FigureCanvasAgg(figure).print_png(raw)
    image = Image.open(raw).convert("RGB").quantize(colours, dither=Image.Dither.NONE)
    image.save(small, "PNG", optimize=True)
    return small.getvalue()
