"""What the terminal shows after a verification."""

import math
from pathlib import Path

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
