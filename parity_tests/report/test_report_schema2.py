"""TTVSR's report with the fields of schema 2: root causes with evidence, call tree, coverage by stage, pictures."""

import json

import numpy as np
import pytest

from parity_tests.report.conftest import make_stages
from parity_tests.report.test_report_page import read_page
from port.diagnose.evidence import Evidence, Finding
from port.parity.causes import Cause
from port.parity.pair_verify import coverage_of
from port.report import sections, write

WRONG = "bwd.01/LTAM:out"


@pytest.fixture(autouse=True)
def quick_pictures(monkeypatch):
    monkeypatch.setattr(sections, "draw_ratios", lambda *_: b"chart")


@pytest.fixture
def outcome(make_outcome):
    """As `verify ttvsr` is to hand it over: the stages and causes with their arrays beside the report."""

    def build(wrong: str | None = WRONG):
        made = make_outcome({wrong: "errs 90 times as much as the reference"} if wrong else None)
        modules, accumulated = make_stages(
            {wrong: "errs 90 times as much as the reference"} if wrong else {}, ("LTAM", "resblocks.main")
        )
        made.stages, made.causes = {"modules": modules, "accumulated": accumulated}, []
        for row in modules.rows:
            row.ratio = 90.0 if row.reason else 0.5
        if wrong:
            values = np.ones((1, 4, 6, 6), np.float32)
            port = values.copy()
            port[0, 2, 3, 4] = 1.5
            evidence = Evidence(
                "modules", "output", wrong, "LTAM", reference=values, port=port, truth=values.astype(float)
            )
            finding = Finding("border", "only one pixel is wrong", 'pad_mode="pad"', 1.0)
            made.causes = [Cause("LTAM", "modules", modules.failing, [], [finding], evidence)]
        covered = coverage_of(made.stages)
        made.report |= {"schema": 2, "root_causes": [cause.as_dict() for cause in made.causes], "decisions": []}
        made.report["coverage"] = json.loads(json.dumps(covered))
        return made

    return build


def test_root_cause_stands_on_top_with_its_evidence(outcome, tmp_path):
    page = read_page(outcome(), tmp_path)
    top = page.words[: page.words.index("Verified:")]
    for part in (
        "✗ FAIL",
        "Root cause 1",
        "LTAM",
        "border",
        "only one pixel is wrong",
        'pad_mode="pad"',
        "[0, 2, 3, 4]",
        "90",
    ):
        assert part in top, part
    assert page.wrong == [] and page.open == []
    assert "What failed, stage by stage End to end" in top  # the module stands above and not here again


def test_tree_coverage_chart_and_pictures_are_all_there(outcome, tmp_path):
    page = read_page(outcome(), tmp_path)
    assert page.tags.count("script") == 2 and "only what fails" in page.words
    data = page.source.partition('id="sites">')[2].partition("</script>")[0]
    assert len(json.loads(data)["rows"]) == 44 and json.loads(data)["causes"] == [["modules", WRONG]]
    coverage = page.words[page.words.index("Coverage") :]
    assert "modules" in coverage and "accumulated" in coverage
    for part in ("Pictures", "Error along the network", "Discrete choices", "PSNR between the outputs"):
        assert part in page.words, part


def test_a_pass_has_the_tree_and_no_cause(outcome, tmp_path, capsys):
    made = outcome(None)
    page = read_page(made, tmp_path)
    assert "Root cause" not in page.words and page.tags.count("script") == 2 and "✓ PASS" in page.words
    write.headline(made.report, tmp_path)
    assert "FAIL" not in capsys.readouterr().out


def test_markdown_and_terminal_name_the_cause_too(outcome, tmp_path, capsys):
    made = outcome()
    write.write_report(tmp_path, made)
    write.headline(made.report, tmp_path)
    for text in ((tmp_path / "report.md").read_text(encoding="utf-8"), capsys.readouterr().out):
        assert "only one pixel is wrong" in text and 'pad_mode="pad"' in text and WRONG in text


def test_without_stages_and_arrays_the_cause_is_still_named(outcome, tmp_path):
    made = outcome()
    made.stages, made.causes = {}, []
    page = read_page(made, tmp_path)
    assert "only one pixel is wrong" in page.words and page.tags.count("script") == 0
