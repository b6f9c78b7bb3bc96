"""What the documents say is so: links and paths lead somewhere, names exist, limits are those of the file."""

import re
import tomllib
from fnmatch import fnmatch

import pytest

from parity_tests.docs.pages import COLUMNS, DOCS, REPO, blocks, code_spans, commands, not_in_code, prose
from port.models.ttvsr import VALUE_SOURCES
from port.parity import tolerance

COMMITTED = ("reports/ttvsr-demo", "reports/basicvsr-vid4.md", "reports/golden.md")
OURS = ("port", *COLUMNS, "parity_tests", "docs", *COMMITTED, "convert_weights.py")


def test_undocumented_field_is_found():
    assert not_in_code({"schema": 1, "stages": [{"no_such_field": 0}]}, "docs/parity.md") == {"no_such_field"}


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(REPO)))
def test_toml_examples_are_toml(page):
    for text in blocks(page.read_text(encoding="utf-8"), "toml"):
        assert tomllib.loads(text)


def test_the_example_of_a_map_is_one(tmp_path):
    from port.weights.map_file import read_map

    (text,) = blocks((REPO / "docs" / "convert.md").read_text(encoding="utf-8"), "toml")
    (tmp_path / "map.toml").write_text(text, encoding="utf-8")
    found = read_map(tmp_path / "map.toml")
    assert [str(entry.layout) for entry in found.entries] == ["ones", "split 3", "same"] and found.left_out


def verbs_by_report(all_words):
    """Path that a command of `port` writes a report to -> verbs that do"""
    found = {}
    for words in all_words:
        if words[:3] == ["python", "-m", "port"] and "--report" in words:
            found.setdefault(words[words.index("--report") + 1], set()).add(words[3])
    return found


def test_a_report_is_one_verbs():
    """Who tries the commands of another page must not write over a committed report of an hour."""
    ignored = (REPO / ".gitignore").read_text(encoding="utf-8").splitlines()
    committed = [line.removeprefix("!/").rstrip("/").removesuffix(".md") for line in ignored if line.startswith("!/reports/")]
    found = verbs_by_report(words for page in DOCS for words in commands(page.read_text(encoding="utf-8")))
    found = {path: verbs for path, verbs in found.items() if any(fnmatch(path.removesuffix(".md"), one) for one in committed)}
    assert len(found) > 4 and {path: verbs for path, verbs in found.items() if len(verbs) > 1} == {}
    two = [["python", "-m", "port", verb, "--report", "reports/bench.md"] for verb in ("bench", "convert-bench")]
    assert verbs_by_report(two) == {"reports/bench.md": {"bench", "convert-bench"}}


# ---------------------------------------------------------------------------------------------- links, paths and names


def dead_links(page):
    """Relative links of a page that lead nowhere."""
    targets = re.findall(r"\]\(([^)\s]+)\)", prose(page.read_text(encoding="utf-8")))
    local = [target.partition("#")[0] for target in targets if not re.match(r"[a-z]+:", target)]
    return [target for target in local if target and not (page.parent / target).exists()]


def missing_paths(page, repo=REPO):
    """Paths in backticks that look like ours and are not there; `file.py::name` must define the name.

    A path starts with a folder of the repository. A bare `file.py` is one of the columns' twins: it must be in both.
    Under reports/ only what is committed counts: other reports are the reader's own.
    """
    return [
        span
        for span in code_spans(page.read_text(encoding="utf-8"))
        if " " not in span and not all(is_there(path, span.partition("::")[2], repo) for path in places(span))
    ]


def places(span):
    path = span.partition("::")[0]
    if path.startswith(tuple(f"{top}/" for top in OURS)) or path in OURS:
        return [path]
    if re.fullmatch(r"\w+\.py", path):
        return [f"{column}/{path}" for column in COLUMNS] if "::" in span else [path]
    return []


def is_there(path, name, repo):
    file = repo / path
    if not name:
        return file.exists() or any(any((repo / top).rglob(path)) for top in ("port", *COLUMNS, "parity_tests"))
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    return re.search(rf"^\s*(def|class) {name}\b", text, re.M) is not None


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(REPO)))
def test_links_lead_somewhere(page):
    assert dead_links(page) == []


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(REPO)))
def test_paths_exist(page):
    assert missing_paths(page) == []


def test_dead_link_and_missing_path_are_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "[a](gone.md) [b](page.md#here) [c](https://example.org/x)\n\n`port/gone.py` and `port/cli.py`, `gone.py`, "
        "`warp.py::flow_warp`, `warp.py::gone`, `ms_model/warp.py::_nearest_pixel`, `warp.py::_nearest_pixel`\n",
        encoding="utf-8",
    )
    assert dead_links(page) == ["gone.md"]
    assert missing_paths(page) == ["port/gone.py", "gone.py", "warp.py::gone", "warp.py::_nearest_pixel"]


def unknown_sites(text):
    """Named values such as `bwd.05/ltam_out` that no network shows."""
    found = [re.fullmatch(r"(?:flows|features|(?:bwd|fwd|up)\.\d+)/(\w+)", span) for span in code_spans(text)]
    return [match[0] for match in found if match and match[1] not in VALUE_SOURCES]


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(REPO)))
def test_named_values_exist(page):
    assert unknown_sites(page.read_text(encoding="utf-8")) == []


def test_every_named_value_is_explained():
    text = (REPO / "docs" / "networks.md").read_text(encoding="utf-8")
    assert [name for name in VALUE_SOURCES if f"/{name}`" not in text] == []


def test_unknown_site_is_found():
    assert unknown_sites("`bwd.05/ltam_out` `bwd.05/gone` `up.00/conv_hr:in0`") == ["bwd.05/gone"]


def wrong_limits(text):
    """Limits of tolerances.toml that a text does not give as `section.name` = value."""
    table = tomllib.loads(tolerance.FILE.read_text(encoding="utf-8"))
    given = {name: float(value) for name, value in re.findall(r"`(\w+\.\w+)` = ([\d.e-]+\d)", text)}
    limits = {f"{section}.{name}": value for section, entries in table.items() for name, value in entries.items()}
    return [name for name, value in limits.items() if given.get(name) != value]


def pages_with_limits():
    names = ("parity.md", "pairs.md", "train.md", "basicvsr.md")
    return "".join((REPO / "docs" / name).read_text(encoding="utf-8") for name in names)


def test_limits_are_those_of_the_file():
    assert wrong_limits(pages_with_limits()) == []


def test_wrong_limit_is_found():
    text = pages_with_limits()
    assert wrong_limits(text.replace("psnr_between_db` = 90.0", "psnr_between_db` = 80.0")) == [
        "end_to_end.psnr_between_db"
    ]
