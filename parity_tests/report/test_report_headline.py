"""What the terminal shows after a verification."""

import math
from pathlib import Path

from port.parity import tolerance
from port.report.page import build_view
from port.report.write import headline


def printed(capsys, report, folder="reports/x") -> list[str]:
    headline(report, Path(folder))
    return capsys.readouterr().out.rstrip("\n").splitlines()


def test_pass(make_outcome, capsys):
    lines = printed(capsys, make_outcome().report)
    text = "\n".join(lines)
    assert "PASS  TTVSR: the port computes" in lines[0] and lines[-1] == "reports/x/report.html"
    for part in ("143.70 dB with choices imposed, 143.60 dB running freely", "27.9700 dB", "none beyond the limits",
                 "22 of 22", "Each module alone", "8 x reference's error", "338 of 338"):  # fmt: skip
        assert part in text, part
    assert "FAIL" not in text


def test_failure_names_the_module_right_under_the_verdict(make_outcome, capsys):
    lines = printed(capsys, make_outcome({"bwd.01/LTAM:out": "differs by 4.5 x rms"}).report)
    assert "FAIL" in lines[0]
    assert lines[1].strip() == "LTAM at bwd.01/LTAM:out (step bwd.01, frame 1), each module alone: differs by 4.5 x rms"
    assert any(line.startswith("First divergence") and "bwd.01/LTAM:out" in line for line in lines)


def test_long_paths_stay_on_the_last_line(make_outcome, capsys):
    folder = "/" + "long/" * 80
    assert printed(capsys, make_outcome().report, folder)[-1] == f"{folder}report.html"


def test_names_cannot_steer_the_terminal(make_outcome, capsys):
    text = "\n".join(
        printed(capsys, make_outcome({"bwd.01/\x1b[2J[red]m:out": "\x1b]0;x"}, names=("\x1b[2J[red]m", "c")).report)
    )
    assert "\x1b" not in text and "[red]m" in text


def test_missing_and_nan_numbers(make_outcome, broken_off, capsys):
    assert "not measurable" in "\n".join(printed(capsys, broken_off.report))
    report = make_outcome().report
    report["stages"]["end_to_end"].update(psnr_between=None, max_abs=math.nan)
    assert "– with choices imposed" in "\n".join(printed(capsys, report))


def with_a_patch(report):
    """The same report with three of the stages that `--stages all` adds."""
    stages = report["stages"]
    noted = {**stages["accumulated"]["worst"], "site": "up.00/fusion:out@grad", "error_ratio": 36.0, "note": "amplified"}
    stages["backward"] = {**stages["accumulated"], "worst": noted, "excused": [noted], "excused_total": 1}
    stages["training"] = {**stages["accumulated"], "compared": 10, "sites": 30}
    skipped = [{"reason": "not asked for", "count": 20, "sites": []}]
    report["coverage"]["stages"] = {"training": {"sites_total": 30, "sites_compared": 10, "skipped": skipped}}
    choices = [{"site": "argmax", "total": 40, "ambiguous": 0, "disagreeing": 1}]
    stages["free decisions"] = {**stages["accumulated"], "worst": None, "failing": [], "decisions": choices}
    return report


def test_gradients_and_training_are_shown_where_they_were_compared(make_outcome, capsys):
    text = " ".join("\n".join(printed(capsys, with_a_patch(make_outcome().report))).split())
    for part in ("Patch: gradients", "36 x reference's error, excused", "Patch: optimiser steps", "10 of 30",
                 "1 of 40 choices differ", "1 site errs by more than the limit"):  # fmt: skip
        assert part in text, part
    assert "Patch:" not in "\n".join(printed(capsys, make_outcome().report))


def test_the_page_says_what_of_the_patch_was_not_compared(make_outcome):
    outcome = make_outcome()
    view = build_view(with_a_patch(outcome.report), outcome.rows, tolerance.load(), "8x8")
    assert "Patch: optimiser steps: 20 sites: not asked for" in view["gaps"]
    titles = [stage.title for stage in view["stages"]]
    assert titles[-3:] == ["Patch: gradients", "Patch: optimiser steps", "Patch: own choices"]
