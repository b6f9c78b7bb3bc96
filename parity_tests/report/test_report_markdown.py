"""report.md: GitHub's tables, whole whatever the names, and small enough for a pull request."""

import re

from port.report.markdown_parts import code
from port.report.write import write_report

GITHUB_LIMIT = 65536


def read_markdown(outcome, folder) -> str:
    write_report(folder, outcome)
    return (folder / "report.md").read_text(encoding="utf-8")


def columns(line: str) -> int:
    """Cells of a table row; an escaped bar is no border."""
    return len(re.findall(r"(?<!\\)\|", line)) - 1


def tables(text: str) -> list[list[str]]:
    return [block.splitlines() for block in text.split("\n\n") if block.startswith("| ")]


def test_has_the_tables(make_outcome, tmp_path):
    text = read_markdown(make_outcome(), tmp_path)
    assert text.startswith("# ✅ PASS") and "**First divergence:** none." in text and "5f" * 32 in text
    for part in (
        "| stage | verdict |", "| Each module alone | ✅ pass | 22 of 22 |", "| figure | value |",
        "- `gradients and training`",
        "| `version` | `2.13.0` | `2.10.0` |", "| each step fed | `argmax` | 1\u202f234 | 5 | 2 | 0 |",
    ):  # fmt: skip
        assert part in text, part


def test_every_table_is_rectangular(make_outcome, tmp_path):
    names = ("a|b`c\nd", "x" * 500)
    text = read_markdown(make_outcome({f"bwd.01/{names[0]}:out": "one | two\n| three |"}, names=names), tmp_path)
    found = tables(text)
    assert len(found) >= 7
    for lines in found:
        assert len({columns(line) for line in lines}) == 1, lines
        assert all(line.startswith("| ") and line.endswith(" |") for line in lines)


def test_failure_is_named_at_the_top(make_outcome, tmp_path):
    text = read_markdown(make_outcome({"fwd.01/LTAM:out": "differs by 4.5 x rms"}), tmp_path)
    top = text[: text.index("| figure |")]
    assert top.startswith("# ❌ FAIL")
    assert "**`LTAM`** at `fwd.01/LTAM:out` (step fwd.01, frame 1), each module alone: `differs by 4.5 x rms`" in top
    assert "## Failing sites" in text


def test_pictures_lie_where_it_looks_for_them(make_outcome, tmp_path):
    text = read_markdown(make_outcome(), tmp_path)
    named = set(re.findall(r'(?:\]\(|src(?:set)?=")(pictures/[^")]+)', text))
    assert named == {str(path.relative_to(tmp_path)) for path in (tmp_path / "pictures").iterdir()}
    assert len(named) == 12


def test_fits_a_pull_request(make_outcome, tmp_path):
    names = tuple(f"module_{i}_" + "y" * 3000 for i in range(60))
    wrong = {f"bwd.01/{name}:out": "z" * 5000 for name in names}
    outcome = make_outcome(wrong, names=names)
    outcome.report["not_compared"] = ["long " * 500] * 5
    assert len(read_markdown(outcome, tmp_path)) < GITHUB_LIMIT


def test_names_cannot_leave_their_code_span():
    assert code("a`b") == "`aˋb`"
    assert code("a|b\nc") == "`a\\|b c`"
    assert code("\x1b[31m") == "`\\x1b[31m`"
    assert code(None) == code("") == "–"


def test_break_off(broken_off, tmp_path):
    text = read_markdown(broken_off, tmp_path)
    assert "`RuntimeError in step fwd.01: index 3`" in text and "not measurable" in text
