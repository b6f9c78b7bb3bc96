"""What every report.md is made of: names that stay text, GitHub's tables, root causes with their evidence."""

import re
from collections.abc import Sequence

from port.report import words
from port.report.sections import NETWORK, CauseView

LISTED = 10  # rows of each table: GitHub takes 65 536 characters in all
CAUSES = 20  # written out in full
SHOWN = 3  # worst elements of each
MARKUP = re.compile(r"[\\`*\[\]<>|#@~]|(?<![^\W_])_|_(?![^\W_])")  # an underscore inside a word is one


def code(value: object, longest: int = 160) -> str:
    """A name from outside as a code span, where GitHub obeys neither markup nor @names; the bar would end a cell."""
    text = words.one_line("" if value is None else value, longest).replace("`", "\u02cb").replace("|", "\\|")
    return f"`{text}`" if text.strip() else words.NOTHING


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A GitHub table, or nothing where there are no rows."""
    if not rows:
        return ""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def plain(text: str) -> str:
    """A sentence with names from outside in it, in which GitHub finds neither markup nor tags."""
    return MARKUP.sub(r"\\\g<0>", text)


def root_causes(causes: Sequence[CauseView]) -> str:
    """The section on root causes, the first of them in full; empty without any."""
    if not causes:
        return ""
    left = len(causes) - CAUSES
    more = [f"… and {left} more: see `report.json`."] if left > 0 else []
    return "\n\n".join(["## Root causes", *(_cause(cause) for cause in causes[:CAUSES]), *more])


def _cause(cause: CauseView) -> str:
    name = NETWORK if cause.module == NETWORK else code(cause.module)
    looks = f"**{cause.label.replace('_', ' ')}**" if cause.label != "unknown" else "no known signature"
    lines = [f"### {cause.number}. {name} ({cause.stage}): {looks}", ""]
    if cause.says:
        lines.append(f"- what it looks like: {plain(words.one_line(cause.says))}")
    if cause.suggestion:
        lines.append(f"- to mend it: {plain(words.one_line(cause.suggestion))}")
    more = f" and {words.count(cause.sites - 1)} more" if cause.sites > 1 else ""
    lines.append(f"- first wrong site: {code(cause.site)}{more}; {plain(words.one_line(cause.reason))}")
    if cause.also:
        lines.append(f"- also shows in: {', '.join(cause.also)}")
    return "\n".join([*lines, *_evidence(cause)])


def _evidence(cause: CauseView) -> list[str]:
    shown = cause.evidence
    if shown is None or not shown.elements:
        return [f"- at {code(shown.site)}: {code(shown.missing)}"] if shown and shown.missing else []
    rows = [[code(one.index), one.reference, one.port, one.truth or words.NOTHING, one.error] for one in shown.elements]
    head = ("element", "reference", "port", "float64", "port errs by")
    return ["", f"At {code(shown.site)}{', ' * bool(shown.share)}{shown.share}:", "", table(head, rows[:SHOWN])]
