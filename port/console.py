"""What a person sees while a command runs: messages and progress on stderr, results on stdout."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

stderr = Console(stderr=True, highlight=False)
stdout = Console(highlight=False)


def note(message: str) -> None:
    """One line of log, never broken in two: a path in it is to be found by grep and to be copied."""
    stderr.print(message, markup=False, soft_wrap=True)


def warn(message: str) -> None:
    """A warning that does not stop the command."""
    stderr.print(f"warning: {message}", style="yellow", markup=False, soft_wrap=True)


def print_json(data: object) -> None:
    """The result as JSON on stdout, and nothing else there."""
    json.dump(data, sys.stdout, indent=1, allow_nan=False)
    sys.stdout.write("\n")


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]], sentences: Sequence[str]) -> None:
    """A result on stdout: a table under its title, and what is to be said of it below."""
    table = Table(*header, title=title, title_justify="left")
    for row in rows:
        table.add_row(*row)
    stdout.print(table)
    for sentence in sentences:
        stdout.print(sentence, markup=False, soft_wrap=True)


def print_wide(table: object, width: int) -> None:
    """A table on stdout, `width` characters wide where that is no terminal, whose own width it has otherwise."""
    if stdout.is_terminal:
        stdout.print(table)
    else:
        Console(file=sys.stdout, highlight=False, width=width).print(table)


@contextmanager
def progress(quiet: bool = False) -> Iterator[Progress]:
    """A progress display with count and estimate; no bar where stderr is no terminal or with `quiet`."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=stderr, disable=quiet or not stderr.is_terminal, transient=True) as display:
        yield display
