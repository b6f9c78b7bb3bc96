"""The result of a run as data and as a table."""

from rich.table import Table

from port import console
from port.stream.memory import GIB


def report(summary: dict, as_json: bool) -> None:
    """Print the summary on stdout, as JSON or as a short table."""
    if as_json:
        return console.print_json(summary)
    table = Table(show_header=False, box=None)
    (w, h), (out_w, out_h) = summary["input_size"], summary["output_size"]
    table.add_row("frames", f"{summary['frames']}, {w}x{h} -> {out_w}x{out_h}")
    table.add_row("cut", _cut(summary))
    table.add_row("seconds", ", ".join(f"{name} {value:.2f}" for name, value in summary["seconds"].items()))
    if summary["seconds_per_frame"] is not None:
        table.add_row("per frame", f"{summary['seconds_per_frame']:.3f} s on {summary['device']}")
    table.add_row("memory", _memory(summary))
    table.add_row("output", summary["output"])
    console.stdout.print(table)


def _cut(summary: dict) -> str:
    text = f"{summary['windows']} windows" if summary["windows"] > 1 else "one window"
    if summary["windows"] > 1:
        text += f" of {summary['window']} frames, {summary['overlap']} shared"
    if summary["tile"]:
        text += f", tiles of {summary['tile'][1]}x{summary['tile'][0]}, {summary['tile_overlap']} pixels shared"
    return text + (f"; {summary['resumed']} from an earlier run" if summary["resumed"] else "")


def _memory(summary: dict) -> str:
    peak, estimated = (
        "unknown" if summary[name] is None else f"{summary[name] / GIB:.2f} GiB"
        for name in ("peak_memory", "estimated_memory")
    )
    return f"{peak} at most, estimated {estimated}"
