"""report.md of a pair: the report as a comment under a pull request."""

from collections.abc import Mapping, Sequence
from typing import Any

from port.report import words
from port.report.markdown_parts import LISTED, code, plain, root_causes, table

GAPS = 30


def pair_markdown(view: Mapping[str, Any]) -> str:
    """The whole file. view: what `pair_page.build_pair_view` put together for page and Markdown"""
    parts = [_head(view), _causes(view), _broken(view), _stages(view), _noted(view), _gaps(view), _choices(view),
             _coverage(view), "\n".join(view["diff"]).strip()]  # fmt: skip
    return "\n\n".join(part for part in [*parts, _machines(view), _again(view)] if part) + "\n"


def _head(view: Mapping) -> str:
    verdict = "✅ PASS" if view["passed"] else "❌ FAIL"
    about = f"{code(view['port'])} against {code(view['reference'])}"
    said = "\n\n".join(plain(line) for line in [view["sentence"], *view["partly"]])
    return f"# {verdict}: {code(view['model'])}\n\n{said}\n\n{about}, {view['report']['created']}."


def _causes(view: Mapping) -> str:
    none = "**Root causes:** none. Every module is right on right inputs." if view["passed"] else ""
    return root_causes(view["root_causes"]) or none


def _broken(view: Mapping) -> str:
    return "\n\n".join(f"**The port broke off** ({name}): {code(why, 400)}" for name, why in view["broken"])


def _stages(view: Mapping) -> str:
    rows = [
        [line.name, "✅ pass" if line.passed else "❌ fail", f"{words.count(line.compared)} of {words.count(line.total)}",
         words.count(line.failing), words.count(line.noted), line.ratio, code(line.worst)]
        for line in view["stages"]
    ]  # fmt: skip
    head = ("stage", "verdict", "compared", "failing", "with a note", "largest ratio", "where")
    says = (f"The ratio is the port's error against float64 over the reference's own; {view['limit']} is the limit. "
            "The fed stages (forward, backward, training) give every module the reference's inputs.")  # fmt: skip
    return f"## Stages\n\n{table(head, rows)}\n\n{says}"


def _noted(view: Mapping) -> str:
    rows = [[row["stage"], code(row["site"]), words.figure(row["error_ratio"]), code(row["note"], 250)]
            for row in view["noted"][:LISTED]]  # fmt: skip
    many = "1 site passes" if view["noted_total"] == 1 else f"{words.count(view['noted_total'])} sites pass"
    title = f"## Passed with a note\n\n{many} with a note; the first {len(rows)}:"
    return f"{title}\n\n{table(('stage', 'site', 'ratio', 'why it passed'), rows)}" if rows else ""


def _gaps(view: Mapping) -> str:
    lines = "\n".join(f"- {plain(line)}" for line in view["kernel_gaps"])
    return f"## Kernel gaps\n\n{lines}" if lines else ""


def _choices(view: Mapping) -> str:
    head = ("stage", "choice", "made", "decided", "ambiguous", "differ", "beyond margin")
    keys = ("total", "decided", "ambiguous", "disagreeing", "beyond_margin")
    rows = [[words.one_line(entry["run"] or ""), code(entry["name"]), *(words.count(entry[key]) for key in keys)]
            for entry in view["decisions"][:GAPS]]  # fmt: skip
    return f"## Discrete choices\n\n{view['decisions_sentence']}\n\n{table(head, rows)}".rstrip()


def _coverage(view: Mapping) -> str:
    lines = []
    for gap in view["coverage_gaps"][:GAPS]:
        first = f" (first: {code(gap['sites'][0])})" if gap["sites"] else ""
        many = "1 site" if gap["count"] == 1 else f"{words.count(gap['count'])} sites"
        lines.append(f"- {gap['stage']}: {many}, {plain(words.one_line(gap['reason'], 400))}{first}")
    left: Sequence = view["coverage_gaps"][GAPS:]
    lines += [f"- … and {len(left)} more: see `report.json`."] if left else []
    return "## Not compared\n\n" + "\n".join([*lines, *(f"- {text}" for text in view["gaps"])])


def _machines(view: Mapping) -> str:
    rows = [[code(key), code(left), code(right)] for key, left, right in view["environment"]]
    return "## Environment\n\n" + table(("", "reference", "port"), rows)


def _again(view: Mapping) -> str:
    report = view["report"]
    made = view["commands"]
    lines = [f"- all of it: {code(made['again'], 2000)}"] if made["again"] else []
    lines += [f"- the {side}'s runs: {code(command, 2000)}" for side, command in made["sides"]]
    spent = ", ".join(f"{words.one_line(name)} {value:g}" for name, value in report["seconds"].items())
    lines += [f"- seconds spent: {spent}"] if spent else []
    end = "Every site with its numbers: `sites.csv`; everything as data: `report.json`; the page: `report.html`."
    return "\n\n".join(["## Do it again", "\n".join(lines), end])
