"""What a conversion did, as a table for people and as data."""

from dataclasses import asdict, dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from port.console import stdout
from port.weights.canonical import Dropped
from port.weights.rules import quote

SCHEMA = 1
PLAIN_WIDTH = 100  # columns where stdout is no terminal, so that a sha256 stays on one line


@dataclass(frozen=True)
class Summary:
    """The result of one conversion; it exists only once the bytes are proved equal.

    official_file   name of the published file that the source is, or None
    content_sha256  of the numbers alone: the same in every format
    parameters      numbers that training changes; `buffers` counts the rest (SPyNet's mean and std)
    dtype           element type written; `source_dtypes` lists those found
    """

    model: str
    config: dict[str, int]
    source: str
    source_sha256: str
    official_file: str | None
    target: str
    target_sha256: str
    content_sha256: str
    tensors: int
    parameters: int
    buffers: int
    dtype: str
    source_dtypes: tuple[str, ...]
    dropped: list[Dropped]
    notes: list[str]

    def as_data(self) -> dict:
        """The summary for JSON; `schema` is its version."""
        return {"schema": SCHEMA, "bit_equal": True, **asdict(self)}

    def print(self) -> None:
        """Print the table on stdout."""
        table = Table(show_header=False, title=f"{self.model}: converted and read back bit-equal", title_justify="left")
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for label, text in self._rows():
            table.add_row(label, escape(text))
        wide = stdout if stdout.is_terminal else Console(highlight=False, width=PLAIN_WIDTH)
        wide.print(table)

    def _rows(self) -> list[tuple[str, str]]:
        official = self.official_file or "not recognised (a file saved again differs from the published one)"
        rows = [
            ("source", self.source),
            ("  sha256", self.source_sha256),
            ("  official file", official),
            ("target", self.target),
            ("  sha256", self.target_sha256),
            ("network", ", ".join(f"{name} {value}" for name, value in self.config.items())),
            ("tensors", str(self.tensors)),
            ("parameters", f"{self.parameters:,} and {self.buffers} in buffers"),
            ("element type", f"{self.dtype} (source: {', '.join(self.source_dtypes)})"),
            ("numbers' sha256", self.content_sha256),
        ]
        for entry in self.dropped:
            count = f"{entry.tensors} tensor{'s' * (entry.tensors != 1)}: " if entry.tensors else ""
            rows.append(("left out", f"{quote(entry.what)[1:-1]} - {count}{entry.reason}"))
        if not self.dropped:
            rows.append(("left out", "nothing"))
        return rows + [("note", text) for text in self.notes]
