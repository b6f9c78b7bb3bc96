"""The files of a report: data complete and strict, and no report half-written."""

import csv
import json
import math
import os

import pytest

from port.errors import PortError
from port.report import charts, write
from port.report.write import write_report


def everything(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refuse_constant(name):
    raise AssertionError(f"{name} is not JSON")


def test_json_is_the_report(make_outcome, tmp_path):
    outcome = make_outcome({"bwd.01/LTAM:out": "wrong"})
    write_report(tmp_path, outcome)
    assert json.loads((tmp_path / "report.json").read_text()) == outcome.report


def test_json_has_null_for_nan(make_outcome, tmp_path):
    outcome = make_outcome()
    outcome.report["stages"]["end_to_end"].update(max_abs=math.nan, max_abs_free=math.inf)
    write_report(tmp_path, outcome)
    read = json.loads((tmp_path / "report.json").read_text(), parse_constant=refuse_constant)
    end = read["stages"]["end_to_end"]
    assert end["max_abs"] is None and end["max_abs_free"] is None and end["psnr_between"] == 143.7


def test_csv_has_every_site(make_outcome, tmp_path):
    outcome = make_outcome(names=('a,"b"', "=1+1\nnext"))
    outcome.rows[4]["ratio"] = None
    write_report(tmp_path, outcome)
    with open(tmp_path / "sites.csv", newline="", encoding="utf-8") as file:
        read = list(csv.DictReader(file))
    assert [row["order"] for row in read] == [str(i) for i in range(22)]
    for row, expected in zip(read, outcome.rows, strict=True):
        assert row["site"] == expected["site"] and row["module"] == expected["module"]
        for key in ("fed", "accumulated", "ratio"):
            assert (float(row[key]) if row[key] else None) == expected[key]


def test_csv_without_sites_has_a_header():
    assert write.series_csv([]) == "order,site\n"
    assert write.sites_csv({}) == ",".join(write.COLUMNS) + "\n"


def test_folder_is_made_and_holds_nothing_unexpected(make_outcome, tmp_path):
    folder = tmp_path / "deep" / "report"
    write_report(folder, make_outcome())
    files = set(everything(folder))
    assert {"report.html", "report.md", "report.json", "sites.csv", "pictures/chart.png"} <= files
    assert len(files) == 4 + 12 and not [name for name in files if ".part" in name]


@pytest.mark.parametrize("broken", ["draw_chart", "make_strips", "render_page", "render_markdown"])
def test_trouble_leaves_an_earlier_report_untouched(make_outcome, tmp_path, monkeypatch, broken):
    write_report(tmp_path, make_outcome())
    before = everything(tmp_path)

    def fail(*_args):
        raise OSError("no picture today")

    monkeypatch.setattr(write, broken, fail)
    with pytest.raises(OSError, match="no picture today"):
        write_report(tmp_path, make_outcome({"bwd.01/LTAM:out": "wrong"}))
    assert everything(tmp_path) == before


def test_a_file_that_cannot_be_written_is_no_half_file(make_outcome, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(PortError, match="no space left"):
        write_report(tmp_path, make_outcome())
    assert everything(tmp_path) == {}


def test_pictures_of_an_earlier_report_go_but_not_other_files(make_outcome, tmp_path):
    outcome = make_outcome()
    write_report(tmp_path, outcome)
    (tmp_path / "pictures" / "mine.jpg").write_bytes(b"mine")
    outcome.frames["port"][2] = outcome.frames["reference"][2]
    outcome.frames["port"][0] += 1  # now frame 0 differs most
    write_report(tmp_path, outcome)
    names = {path.name for path in (tmp_path / "pictures").iterdir()}
    assert "mine.jpg" in names and "frame-000-port.jpg" in names and "frame-002-port.jpg" not in names


def test_names_that_utf8_has_no_letters_for(make_outcome, tmp_path):
    outcome = make_outcome(names=("half\udc80", "LTAM"))
    outcome.report["input"]["name"] = "clip\udcff"
    write_report(tmp_path, outcome)
    for name in ("report.html", "report.md", "sites.csv"):
        assert "\\udc80" in (tmp_path / name).read_text(encoding="utf-8")


def test_size_of_a_large_report(make_outcome, tmp_path, monkeypatch):
    monkeypatch.setattr(write, "draw_chart", charts.draw_chart)
    outcome = make_outcome()
    outcome.rows = [{**outcome.rows[i % 22], "site": f"bwd.{i // 500:02d}/module.{i}:out"} for i in range(9000)]
    write_report(tmp_path, outcome)
    assert (tmp_path / "report.html").stat().st_size < 1_000_000
    assert len((tmp_path / "sites.csv").read_text().splitlines()) == 9001
