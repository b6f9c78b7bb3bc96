"""report.html: complete, self-contained, safe, and clear about a failure."""

import math
from html.parser import HTMLParser

import numpy as np
import pytest

from port.report import write
from port.report.write import write_report

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
NESTED = {
    "html",
    "head",
    "body",
    "header",
    "section",
    "div",
    "table",
    "ul",
    "dl",
    "figure",
    "picture",
    "script",
    "style",
    "title",
    "p",
}
ATTRIBUTES_THAT_LOAD = {"src", "srcset", "href", "data", "action", "poster", "background"}


class Reader(HTMLParser):
    """Collects text, tags and attributes, and notes elements closed out of turn."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.attributes, self.text, self.wrong = [], [], [], "", []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag in NESTED:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in NESTED and (not self.open or self.open.pop() != tag):
            self.wrong.append(tag)

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.text += data


def read_page(outcome, folder) -> Reader:
    write_report(folder, outcome)
    reader = Reader()
    reader.source = (folder / "report.html").read_text(encoding="utf-8")
    reader.feed(reader.source)
    reader.words = " ".join(reader.text.split())
    return reader


def test_needs_nothing_else(make_outcome, tmp_path):
    page = read_page(make_outcome(), tmp_path)
    loads = [value for name, value in page.attributes if name in ATTRIBUTES_THAT_LOAD]
    assert len(loads) == 2 + 2 * 5  # chart twice, five pictures of each of two frames
    assert all(value.startswith("data:image/") for value in loads)
    for outside in ("http://", "https://", "url(", "@import", "<script", "<link"):
        assert outside not in page.source


def test_is_well_formed(make_outcome, broken_off, tmp_path):
    for outcome in (make_outcome(), make_outcome({"bwd.01/LTAM:out": "differs"}), broken_off):
        page = read_page(outcome, tmp_path)
        assert page.wrong == [] and page.open == []


def test_pass_says_what_was_verified(make_outcome, tmp_path):
    page = read_page(make_outcome(), tmp_path)
    for part in (
        "✓ PASS", "First divergence: none.", "5f" * 32, "official.pth", "PyTorch 2.13.0 (cpu)",
        "MindSpore 2.10.0 (CPU)", "3 frames of 12 x 8, enlarged to 48 x 32", "143.70 dB", "22 of 22", "338 of 338",
        "gradients and training",
        "devices other than the one named", "reference 27.9700 dB, port 27.9700 dB", "−1e-05 dB", "PSNR >= 90 dB",
        "python -m port verify ttvsr --weights official.pth", "reference 19.6, port 41.0",
    ):  # fmt: skip
        assert part in page.words, part
    assert "FAIL" not in page.words


def test_failure_names_module_stage_and_reason_before_anything_else(make_outcome, tmp_path):
    page = read_page(make_outcome({"bwd.01/LTAM:out": "differs by 4.5 x rms, limit 2e-05"}), tmp_path)
    top = page.words[: page.words.index("Verified:")]
    for part in (
        "✗ FAIL",
        "LTAM",
        "Each module alone",
        "bwd.01/LTAM:out",
        "step bwd.01, frame 1",
        "differs by 4.5 x rms",
    ):
        assert part in top, part
    assert "verdict fail" in page.source and "verdict pass" not in page.source


def test_earliest_failing_site_is_the_one_named(make_outcome, tmp_path):
    page = read_page(
        make_outcome({"fwd.02/LTAM:out": "comes later", "bwd.02/resblocks.main:out": "comes first"}), tmp_path
    )
    top = page.words[: page.words.index("Verified:")]
    assert "resblocks.main" in top and "comes first" in top and "comes later" not in top


def test_differing_weights_are_named(make_outcome, tmp_path):
    outcome = make_outcome()
    entry = {"name": "conv_hr.weight", "reason": "sha256 aa in the port, bb in the reference"}
    outcome.report["verdict"] = "fail"
    outcome.report["stages"]["weights"].update(verdict="fail", bit_equal=337, differing=[entry], differing_total=1)
    page = read_page(outcome, tmp_path)
    top = page.words[: page.words.index("Verified:")]
    assert "conv_hr.weight" in top and "sha256 aa in the port" in top and "337 of 338" in page.words


def test_first_divergence_stands_before_differing_weights(make_outcome, tmp_path):
    outcome = make_outcome({"bwd.01/LTAM:out": "differs"})
    entry = {"name": "conv_hr.weight", "reason": "sha256 aa in the port"}
    outcome.report["stages"]["weights"].update(verdict="fail", bit_equal=337, differing=[entry], differing_total=1)
    page = read_page(outcome, tmp_path)
    assert page.words.index("bwd.01/LTAM:out") < page.words.index("conv_hr.weight") < page.words.index("Verified:")


def test_sites_left_out_are_listed(make_outcome, tmp_path):
    outcome = make_outcome()
    outcome.report["coverage"].update(
        sites_compared=19,
        skipped=[{"reason": "missing in the port", "count": 3, "sites": ["a", "b", "c"]}],
        only_accumulated=7,
    )
    page = read_page(outcome, tmp_path)
    gaps = page.words[page.words.index("Not compared") : page.words.index("Stages")]
    assert "3 sites: missing in the port" in gaps and "7 sites alone" in gaps
    assert "19 of 22" in page.words and "3 not compared" in page.words


def test_sites_that_passed_by_exception_are_not_passed_over(make_outcome, tmp_path, capsys):
    outcome = make_outcome()
    stage = outcome.report["stages"]["modules"]
    row = {
        **stage["worst"],
        "max_abs_over_rms": 4.4e-5,
        "error_ratio": 9.3,
        "note": "excused: the reference rounds as far",
    }
    stage.update(excused=[row], excused_total=1, worst=row)
    page = read_page(outcome, tmp_path)
    top = page.words[: page.words.index("Not compared")]
    assert "exceptions are listed" in top and "1 site errs by more than the limit" in top
    assert "9.3 x reference's error" in top and "beyond the limit 8, excused" in top
    assert "excused: the reference rounds as far" in page.words and "1 beyond the limit but excused" in page.words
    assert "excused: the reference rounds as far" in (tmp_path / "report.md").read_text(encoding="utf-8")
    write.headline(outcome.report, tmp_path)
    assert "Exceptions" in capsys.readouterr().out


def test_hostile_names_stay_text(make_outcome, tmp_path):
    outcome = make_outcome({f"bwd.01/{HOSTILE}:out": HOSTILE}, names=("LTAM", HOSTILE))
    for table, key in (("weights", "file"), ("input", "name"), ("input", "truth")):
        outcome.report[table][key] = HOSTILE
    outcome.report["command"] = HOSTILE
    outcome.report["environment"]["port"][HOSTILE] = HOSTILE
    page = read_page(outcome, tmp_path)
    assert "script" not in page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert page.text.count("<script>alert(1)</script>") > 10
    assert "\u202e" not in read_page(make_outcome(names=("a\u202eb", "c")), tmp_path / "bidi").source


def test_break_off_shows_the_message_without_call_stack(broken_off, tmp_path):
    page = read_page(broken_off, tmp_path)
    assert "RuntimeError in step fwd.01: index 3" in page.words and "C++ call stack" not in page.words
    assert "the port gave no frames" in page.words and "not measurable" in page.words and "not measured" in page.words


def test_numbers_that_are_none_or_nan(make_outcome, tmp_path):
    outcome = make_outcome()
    outcome.report["stages"]["end_to_end"].update(psnr_between=None, max_abs=math.nan, max_abs_free=math.inf)
    outcome.frames["port"][1, :, :4, :4] = np.nan
    page = read_page(outcome, tmp_path)
    assert "not measurable" in page.words and "16 pixels are NaN or infinite and shown in magenta" in page.words
    assert "identical" not in page.words and " nan" not in page.words


def test_identical_outputs_are_called_so(make_outcome, tmp_path):
    outcome = make_outcome()
    outcome.report["stages"]["end_to_end"].update(psnr_between=None, identical=True, max_abs=0.0)
    outcome.frames["port"] = outcome.frames["reference"].copy()
    page = read_page(outcome, tmp_path)
    assert "identical between the outputs" in page.words and "identical in this frame" in page.words
    assert "not measurable" not in page.words


@pytest.mark.parametrize("shape", [(2, 3, 32, 48), (3, 3, 16, 24), (3, 1, 32, 48), (0, 3, 32, 48)])
def test_port_frames_of_another_shape(make_outcome, tmp_path, shape):
    outcome = make_outcome({"up.00/LTAM:out": "shape"})
    outcome.frames["port"] = np.zeros(shape, np.float32)
    assert "gave frames of another shape" in read_page(outcome, tmp_path).words


def test_nothing_at_all_to_show(broken_off, tmp_path):
    broken_off.rows = []
    broken_off.report["first_divergence"] = None
    for key in ("modules", "accumulated", "compiled"):
        broken_off.report["stages"][key].update(failing=[], compared=0, broke_off=None)
    broken_off.frames["reference"] = None
    page = read_page(broken_off, tmp_path)
    assert (
        "no site was compared" in page.words and "nothing to draw" in page.words and "no frames to show" in page.words
    )


def test_passing_sites_are_ranked_by_share_of_the_limit(make_outcome, tmp_path):
    outcome = make_outcome()
    outcome.rows[5]["fed_ratio"], outcome.rows[9]["ratio"], outcome.rows[3]["ratio"] = 6.0, 4.8, 9.0  # 75 %, 60 %, fails
    page = read_page(outcome, tmp_path)
    ranking = page.words[page.words.index("Passing sites") : page.words.index("Environment")]
    sites = [outcome.rows[i]["site"] for i in (5, 9, 3)]
    assert 0 < ranking.index(sites[0]) < ranking.index("75 %") < ranking.index(sites[1]) < ranking.index("60 %")
    assert sites[2] not in ranking
