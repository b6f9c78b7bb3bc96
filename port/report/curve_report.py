"""Two loss curves, their difference, and what rounding alone does: report.md, report.json and a chart."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from port.files import make_folder, whole_file, write_json, write_text

SCHEMA = 1
SIZE, DPI = (9.0, 6.5), 120
WHY_NOT_CLOSER = (
    "Both frameworks compute in float32 and add up the products of a convolution in different orders, so every operation may "
    "round the last bit the other way. From there on the runs are different runs: every step of Adam divides by the root of "
    "the second moment, which makes full-sized steps of tiny gradients and carries a difference on, and the attention's "
    "choices (arg-max, nearest rounding) can tip. The third curve shows how much of that is rounding alone: the reference "
    "against itself, started from weights that differ in the last bit.",
)


def write_curve_report(folder: Path, curves, facts: Mapping[str, object]) -> dict[str, object]:
    """-> the report as data. facts: command, versions and settings to be told"""
    data = as_data(curves, facts)
    make_folder(folder)
    write_json(folder / "report.json", data)
    write_text(folder / "report.md", markdown(data))
    with whole_file(folder / "curves.png", lasting=False) as draft:
        draw(curves, draft)
    return data


def as_data(curves, facts: Mapping[str, object]) -> dict[str, object]:
    """Verdict, figures and every iteration."""
    differences = {run: curves.difference(run) for run in ("port", "rounded")}
    beyond = curves.first_beyond()
    return {
        "schema": SCHEMA,
        "verdict": "fail" if beyond else "pass",
        "first_beyond": beyond,
        "iterations": len(curves.losses["reference"]),
        "largest_difference": {run: float(values.max()) for run, values in differences.items()},
        "seconds_per_iteration": curves.seconds,
        **facts,
        "losses": {run: [float(x) for x in values] for run, values in curves.losses.items()},
        "relative_difference": {run: [float(x) for x in values] for run, values in differences.items()},
        "limit": [float(x) for x in curves.limit()],
    }


def markdown(data: Mapping) -> str:
    """The page."""
    worst, seconds = data["largest_difference"], data["seconds_per_iteration"]
    verdict = f"**Fail** from iteration {data['first_beyond']} on." if data["first_beyond"] else "**Pass.**"
    shown = sorted({1, 2, 5, 10, 20, 30, 40, 50, data["iterations"]} & set(range(1, data["iterations"] + 1)))
    rows = [
        f"| {k} | {data['losses']['reference'][k - 1]:.7f} | {data['losses']['port'][k - 1]:.7f} "
        f"| {data['relative_difference']['port'][k - 1]:.1e} | {data['relative_difference']['rounded'][k - 1]:.1e} "
        f"| {data['limit'][k - 1]:.1e} |"
        for k in shown
    ]
    return "\n".join([
        "# The same training in both frameworks",
        "",
        f"{verdict} Over {data['iterations']} iterations the losses differ by at most {worst['port']:.1e} of their value. The "
        f"reference against itself, started from weights one rounding away, differs by at most {worst['rounded']:.1e}.",
        "",
        "![Losses and their differences](curves.png)",
        "",
        "| iteration | reference | port | relative difference | of rounding alone | limit |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
        f"Median seconds per iteration: reference {seconds['reference']:.2f}, port {seconds['port']:.2f}.",
        "",
        "## Why not closer",
        "",
        *WHY_NOT_CLOSER,
        "",
        "The limit of an iteration is 8 times the largest difference that rounding alone has made up to it (`[curves]` in",
        "`port/parity/tolerances.toml`).",
        "",
        "## How it was made",
        "",
        *(f"- {name}: `{value}`" for name, value in data.items() if name in ("command", "preset", "changes", "versions")),
        "",
    ])  # fmt: skip


def draw(curves, path: Path) -> None:
    """Losses above, relative differences below on a logarithmic axis."""
    figure = Figure(SIZE, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True)
    steps = np.arange(1, len(curves.losses["reference"]) + 1)
    above.plot(steps, curves.losses["reference"], color="#0550ae", linewidth=2.5, label="reference (PyTorch)")
    above.plot(steps, curves.losses["port"], color="#bc6a00", linestyle="--", label="port (MindSpore)")
    above.set_ylabel("loss")
    above.legend()
    floor = 1e-9  # an exact agreement has no logarithm
    for run, colour, label in (
        ("port", "#bc6a00", "port"),
        ("rounded", "#57606a", "reference, weights rounded once more"),
    ):
        below.semilogy(steps, np.maximum(curves.difference(run), floor), color=colour, marker=".", label=label)
    below.semilogy(steps, curves.limit(), color="#cf222e", linestyle=":", label="limit")
    below.set_ylabel("relative difference of the loss")
    below.set_xlabel("iteration")
    below.legend()
    figure.savefig(path, format="png")
