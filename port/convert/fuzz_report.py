"""What came of an attack on the readers, as a table on stdout and as Markdown."""

from rich.table import Table

from port.console import stdout

TITLES = ("reader", "files", "refused with a message", "read", "findings", "seconds")


def rows(found: dict) -> list[tuple[str, ...]]:
    """A line for every reader, and one for all."""
    keys = ("inputs", "refused", "read")
    made = [
        (kind, *(f"{one[k]:,}" for k in keys), str(len(one["findings"])), f"{one['seconds']:.0f}")
        for kind, one in found.items()
    ]
    total = [f"{sum(one[k] for one in found.values()):,}" for k in keys]
    findings, seconds = (
        sum(f(one) for one in found.values()) for f in (lambda o: len(o["findings"]), lambda o: o["seconds"])
    )
    return [*made, ("all", *total, str(findings), f"{seconds:.0f}")]


def details(found: dict) -> list[str]:
    """Every finding with the beginning of its file."""
    return [
        f"{kind}, file {one['input']}: {one['what']} ({one['file'][:80]})"
        for kind, all_ in found.items()
        for one in all_["findings"]
    ]


def print_fuzz(found: dict) -> None:
    """On stdout."""
    table = Table(*TITLES, title="FAIL" if details(found) else "pass", title_justify="left")
    for row in rows(found):
        table.add_row(*row)
    stdout.print(table)
    for line in details(found):
        stdout.print(line, markup=False, soft_wrap=True)


def fuzz_markdown(found: dict, command: str) -> str:
    """For the report."""
    lines = [
        "# Readers of checkpoints under attack",
        "",
        f"`{command}`",
        "",
        f"| {' | '.join(TITLES)} |",
        "|---|---|---|---|---|---|",
    ]
    lines += [f"| {' | '.join(row)} |" for row in rows(found)]
    return "\n".join([*lines, *(f"- {line}" for line in details(found)), ""])
