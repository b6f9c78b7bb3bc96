"""The error of one slice as a small picture, once for light and once for dark pages."""

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from port.report.charts import Theme, png
from port.report.evidence import Slice

DPI = 110
MOST = 256  # cells along an axis: larger slices are reduced, every cell showing the largest error in it
WIDEST = 4.0  # of height to width, before cells are no longer drawn as squares
BAD = "#d61ae0"  # cells whose error is not a finite number


def draw_heatmap(slice_: Slice, theme: Theme) -> bytes:
    """The error over the last two axes, the largest ringed. -> PNG"""
    cells, steps = reduced(slice_.error)
    finite = cells[np.isfinite(cells)]
    top = finite.max(initial=0.0) or 1.0
    h, w = cells.shape
    figure = Figure(figsize=(4.4, 3.1), dpi=DPI, facecolor=theme.back, layout="constrained")
    axes = figure.subplots()
    look = {"cmap": colormaps["viridis"].with_extremes(bad=BAD), "vmin": 0.0, "vmax": top, "interpolation": "nearest"}
    extent = (-0.5, w * steps[1] - 0.5, h * steps[0] - 0.5, -0.5)
    aspect = "equal" if max(h / w, w / h) <= WIDEST else "auto"
    image = axes.imshow(np.ma.masked_invalid(cells), extent=extent, aspect=aspect, **look)
    row, column = slice_.worst
    for colour, width in (("black", 3.4), ("white", 1.5)):  # seen on any colour
        axes.plot(column, row, "o", mfc="none", mec=colour, ms=11, mew=width)
    bar = figure.colorbar(image, ax=axes, shrink=0.9)
    bar.outline.set_edgecolor(theme.faint)
    bar.ax.tick_params(colors=theme.ink, labelsize=8)
    bar.ax.yaxis.get_offset_text().set_color(theme.ink)
    axes.set_facecolor(theme.back)
    axes.tick_params(colors=theme.ink, labelsize=8)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_xlabel("last axis", color=theme.ink, fontsize=9)
    axes.set_ylabel("last but one", color=theme.ink, fontsize=9)
    for spine in axes.spines.values():
        spine.set_color(theme.faint)
    return png(figure, 200)


def reduced(error: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    """Blocks of a large slice by their largest error. -> cells, and how many elements each spans along both axes"""
    steps = tuple(-(-size // MOST) for size in error.shape)
    if steps == (1, 1):
        return error, (1, 1)
    padding = [(0, -size % step) for size, step in zip(error.shape, steps, strict=True)]
    padded = np.pad(error, padding)  # errors are not negative: zeros never hide one
    h, w = (size // step for size, step in zip(padded.shape, steps, strict=True))
    return padded.reshape(h, steps[0], w, steps[1]).max(axis=(1, 3)), steps
