"""What came of an attack on the readers, as a table on stdout and as Markdown."""

from port.console import print_table
from port.report.markdown_parts import table

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
    print_table("FAIL" if details(found) else "pass", TITLES, rows(found), details(found))


def fuzz_markdown(found: dict, command: str) -> str:
    """For the report."""
    lines = ["# Readers of checkpoints under attack", "", f"`{command}`", "", table(TITLES, rows(found))]
    return "\n".join([*lines, *(f"- {line}" for line in details(found)), ""])
