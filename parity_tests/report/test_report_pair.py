"""The report of a pair: page, Markdown, table and terminal say the same, whole and safe whatever the names."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from parity_tests.report.made_pair import SLOPE, WRONG, made_pair, made_stages, report_of
from parity_tests.report.test_report_markdown import columns, tables
from parity_tests.report.test_report_page import ATTRIBUTES_THAT_LOAD, HOSTILE, Reader
from port.parity.decisions import DecisionCount
from port.parity.measure import Row
from port.parity.pair_verify import Compared
from port.report import pair_report, sections
from port.report.pair_report import show, write_pair_report
from port.report.write import COLUMNS

MEND = "nn.LeakyReLU(alpha=0.1)"


@pytest.fixture(autouse=True)
def quick_pictures(monkeypatch):
    monkeypatch.setattr(sections, "draw_ratios", lambda *_: b"chart")
    monkeypatch.setattr(sections, "draw_heatmap", lambda *_: b"heat")


def written(folder, pair) -> tuple[Reader, str]:
    """(page, Markdown)"""
    write_pair_report(folder, *pair)
    page = Reader()
    page.source = (folder / "report.html").read_text(encoding="utf-8")
    page.feed(page.source)
    page.words = " ".join(page.text.split())
    return page, (folder / "report.md").read_text(encoding="utf-8")


def printed(capsys, pair) -> str:
    show(pair[0], Path("reports/x"))
    return capsys.readouterr().out


def test_failing_pair_says_what_where_and_how_to_mend_it(tmp_path, capsys):
    pair = made_pair()
    page, markdown = written(tmp_path, pair)
    shown = printed(capsys, pair)
    for part in (WRONG, "slope", SLOPE, MEND, f"forward/{WRONG}:out", "2e+05"):
        assert part in page.words and part in markdown and part in shown, part
    for part in ("[1, 2, 3, 5]", "-4", "-8", "[2, 3, 8, 8]"):
        assert part in page.words, part
    assert "[1, 2, 3, 5]" in markdown
    top = page.words[: page.words.index("Parameters and buffers")]
    assert top.index("FAIL") < top.index("body.1.act (forward)") < top.index("Root cause 1") < top.index(MEND)
    assert shown.rstrip().endswith("reports/x/report.html")


def test_passing_pair(tmp_path, capsys):
    pair = made_pair(wrong=None, note="amplified rounding: as the noisy run")
    page, markdown = written(tmp_path, pair)
    covered = pair[0]["coverage"]
    assert f"none of {covered['sites_compared']} values in 5 stages errs more than rounding explains" in page.words
    assert "1 were not compared" in page.words and "Root causes: none." in page.words
    for text in (page.words, markdown):
        assert "PASS" in text and "FAIL" not in text and "amplified rounding: as the noisy run" in text
        assert "a counter without meaning" in text and "norm.num_batches_tracked" in text
    assert "PASS" in printed(capsys, pair)


def test_page_needs_nothing_else_and_is_well_formed(tmp_path):
    for number, pair in enumerate((made_pair(), made_pair(wrong=None))):
        page, _ = written(tmp_path / str(number), pair)
        loads = [value for name, value in page.attributes if name in ATTRIBUTES_THAT_LOAD]
        assert all(value.startswith(("data:image/", "#")) for value in loads), loads
        assert page.wrong == [] and page.open == [] and page.tags.count("script") == 2
        assert "'sha256-" in page.source and "http://" not in page.source and "https://" not in page.source


def test_hostile_names_stay_text(tmp_path, capsys):
    pair = made_pair(wrong=HOSTILE, modules=("conv", HOSTILE), model=f"\x1b[2J{HOSTILE}", note=HOSTILE)
    page, markdown = written(tmp_path, pair)
    assert page.tags.count("script") == 2 and not [name for name, _ in page.attributes if name.startswith("on")]
    assert "<script>alert(1)" in page.text
    assert all(len({columns(line) for line in lines}) == 1 for lines in tables(markdown))
    assert "\x1b" not in markdown + page.source + printed(capsys, pair)


def test_markdown_has_whole_tables_and_fits_a_pull_request(tmp_path):
    modules = tuple(f"m{i}|" + "y" * 2000 for i in range(60))
    stages = made_stages(modules[3], modules)
    causes = []
    for module in modules:
        rows = [row for row in made_stages(module, modules)["forward"].rows if row.reason]
        causes.append(type(made_pair()[1].causes[0])(module, "forward", rows))
    _, markdown = written(tmp_path, report_of(Compared(stages, causes)))
    assert len(markdown) < 65_536 and "… and 40 more" in markdown
    assert len(tables(markdown)) >= 2
    for lines in tables(markdown):
        assert len({columns(line) for line in lines}) == 1, lines


def test_csv_has_every_site(tmp_path):
    report, compared = made_pair()
    write_pair_report(tmp_path, report, compared)
    with open(tmp_path / "sites.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == sum(len(stage.rows) + len(stage.skipped) for stage in compared.stages.values())
    wrong = next(row for row in rows if row["reason"])
    assert (wrong["stage"], wrong["site"], float(wrong["ratio"])) == ("forward", f"forward/{WRONG}:out", 2e5)
    assert float(wrong["max_abs"]) == 0.25 and float(wrong["max_abs_over_rms"]) == 0.5
    assert [row["note"] for row in rows if row["note"]] == ["not compared: a counter without meaning"]
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8")) == report


def test_discrete_choices(tmp_path):
    assert "no discrete site" in written(tmp_path / "none", made_pair())[0].words
    stages = made_stages(None)
    stages["forward"].rows.append(Row(99, "forward/top", "decision", "", 0.0))
    assert "1 comparisons of discrete sites" in written(tmp_path / "bare", report_of(Compared(stages, [])))[0].words
    count = DecisionCount(
        "argmax", total=1234, ambiguous=34, disagreeing=5, unexcused=2, margins=[0.125, 0.25], steps=["s.1"]
    )
    stages["forward"].decisions["argmax"] = count
    page, markdown = written(tmp_path / "counted", report_of(Compared(stages, [])))
    assert "5 of 1 234 discrete choices differ; 2 of them by more" in page.words
    assert (
        "forwardargmax1234120034" in page.words.replace(" ", "") and "✗ 2" in page.words and "0.25, 0.125" in page.words
    )
    assert "| forward | `argmax` | 1\u202f234 | 1\u202f200 | 34 | 5 | 2 |" in markdown


def test_what_was_not_compared_is_never_passed_over(tmp_path):
    stages = made_stages(None)
    del stages["training"]
    stages["backward"].rows[2] = Row(2, "forward/gone:out@grad", "gradient", "gone", reason="missing in the port")
    stages["accumulated"].broke_off = "RuntimeError: no kernel\n\nC++ call stack"
    page, markdown = written(tmp_path, report_of(Compared(stages, [])))
    for text in (page.words, markdown):
        assert "the pair names no optimiser" in text and "fails without a number" in text
        assert "forward/gone:out@grad" in text and "RuntimeError: no kernel" in text and "call stack" not in text
        assert "no module alone is to blame, but it fails in backward, accumulated" in text
    assert "No root cause" in page.words
    assert "| no number | `forward/gone:out@grad` |" in markdown  # and not the largest of those that pass


def test_a_cause_whose_shapes_differ_has_a_reason_and_no_elements(tmp_path):
    report, compared = made_pair()
    evidence = compared.causes[0].evidence
    compared.causes[0].evidence = type(evidence)(
        "forward", "output", evidence.site, reference=np.ones((2, 3)), port=np.ones((2, 4))
    )
    page, markdown = written(tmp_path, (report, compared))
    assert (
        "shape [2, 4] in the port, [2, 3] in the reference" in page.words
        and "heat" not in page.source.split("</style>")[1]
    )
    assert "shape [2, 4] in the port" in markdown


def test_report_without_the_arrays_still_names_the_cause(tmp_path):
    report, _ = made_pair()
    page, markdown = written(tmp_path, (report, Compared({}, [])))
    assert WRONG in page.words and MEND in page.words and page.tags.count("script") == 0
    assert MEND in markdown and "Evidence" not in page.words


@pytest.mark.parametrize("broken", ["render_pair_page", "pair_markdown", "sites_csv"])
def test_trouble_leaves_an_earlier_report_untouched(tmp_path, monkeypatch, broken):
    write_pair_report(tmp_path, *made_pair(wrong=None))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(pair_report, broken, lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_pair_report(tmp_path, *made_pair())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert before.keys() == {"report.html", "report.md", "report.json", "sites.csv"}


def test_command_of_a_side_can_be_given_again():
    assert (
        sections.as_module("/a/ms_model/capture_pair.py x.py --out y") == "python -m ms_model.capture_pair x.py --out y"
    )
    assert sections.as_module("something else") == "something else"
