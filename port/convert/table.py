"""A map and a conversion as tables on stdout."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from port.console import stdout
from port.convert.settle import Settled
from port.weights.mapping import WeightMap
from port.weights.summary import PLAIN_WIDTH

WIDE = 160  # columns where stdout is no terminal: names are long


def print_map(found: WeightMap, settled: Settled) -> None:
    """Every line of a map with how it was found and what proves it."""
    verdict = "undetermined" if found.undetermined else "proved" if settled.equal else "not proved"
    table = Table(
        title=f"map of {len(found.entries)} lines: {verdict} ({settled.runs} runs of the port)", title_justify="left"
    )
    for title in ("torch", "MindSpore", "layout", "found by", "proof"):
        table.add_column(title, overflow="fold")
    for entry in found.entries:
        torch = ", ".join(entry.torch) + (f" (= {', '.join(entry.also)})" if entry.also else "")
        row = (torch, ", ".join(entry.port), str(entry.layout), entry.strategy, entry.proof)
        table.add_row(*map(escape, row))
    for name, reason in found.left_out.items():
        table.add_row(*map(escape, (name, "-", "", "left out", reason)))
    _out(WIDE).print(table)
    for text in settled.notes:
        stdout.print(f"note: {text}", markup=False, soft_wrap=True)


def print_summary(summary: dict[str, Any]) -> None:
    """What a conversion did."""
    proved = "read back bit-equal" if summary["bit_equal"] else f"cast to {summary['dtype']}, read back as written"
    table = Table(show_header=False, title=f"{summary['direction']}: {proved}", title_justify="left")
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    rows = [(key, str(summary[key])) for key in ("source", "target")]
    moved, cast = summary["moved"], summary["cast"]
    rows.append(("tensors", f"{summary['tensors']}, {summary['bytes']:,} bytes; {moved} laid out anew, {cast} cast"))
    rows += [("resumed", f"{summary['resumed']} tensors an earlier run had written")] if summary["resumed"] else []
    rows += [("left out", f"{what} - {reason}") for what, _, reason in summary["left_out"]]
    rows += [("note", text) for text in summary["notes"]]
    for label, text in rows:
        table.add_row(label, escape(text))
    _out(PLAIN_WIDTH).print(table)


def _out(width: int) -> Console:
    return stdout if stdout.is_terminal else Console(highlight=False, width=width)
