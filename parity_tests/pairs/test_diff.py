"""`--diff`: what became better or worse since an earlier report, found whatever the verdict says."""

import json
import shutil

import pytest

from port import cli


@pytest.fixture(scope="module")
def earlier(reference, ports, tmp_path_factory):
    """{name: folder of a report on that port}"""
    folder = tmp_path_factory.mktemp("earlier")
    for name, traces in ports.items():
        cli.main(["compare", str(reference), str(traces), "--report", str(folder / name), "--json"])
    return {name: folder / name for name in ports}


@pytest.fixture
def changed(earlier, tmp_path):
    """changed(name, change) -> folder of a copy of a report without its sites.csv, change(report) applied"""

    def make(name, change):
        folder = tmp_path / f"old-{name}"
        shutil.copytree(earlier[name], folder)
        (folder / "sites.csv").unlink()
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        change(report)
        (folder / "report.json").write_text(json.dumps(report), encoding="utf-8")
        return folder

    return make


def names(causes):
    return [(cause["module"], cause["stage"]) for cause in causes]


def test_mended_port(compare, earlier, tmp_path):
    code, report, shown = compare("healthy", "--diff", earlier["faulty"])
    diff = report["diff"]
    assert code == 0 and diff["verdict"] == ["fail", "pass"] and diff["regressions"] == []
    assert names(diff["causes"]["gone"]) == [
        ("act", "forward"),
        ("", "forward"),
        ("gelu", "backward"),
        ("", "training"),
    ]
    assert diff["causes"]["new"] == diff["causes"]["still"] == diff["newly_failing"] == diff["coverage_lost"] == []
    assert {"stage": "forward", "site": "forward/act:out"} in diff["mended"]
    before, now = diff["stages"]["forward"]["largest_ratio"]
    assert diff["stages"]["forward"]["failing"] == [2, 0] and now < 8 < before
    assert "gone: act (forward): slope" in shown and "worse:" not in shown
    assert "gone: act (forward): slope" in (tmp_path / "report" / "report.md").read_text(encoding="utf-8")


def test_broken_port(compare, earlier):
    code, report, shown = compare("faulty", "--diff", earlier["healthy"] / "report.json")
    diff = report["diff"]
    assert code == 1 and diff["verdict"] == ["pass", "fail"]
    assert names(diff["causes"]["new"]) == names(report["root_causes"]) and diff["causes"]["gone"] == []
    assert len(diff["newly_failing"]) == sum(stage["failing_total"] for stage in report["stages"].values())
    assert diff["regressions"][0] == "the verdict was pass and is fail"
    assert "worse: new root cause: act (forward): slope" in shown


def test_nothing_changed(compare, earlier):
    _, report, shown = compare("healthy", "--diff", earlier["healthy"])
    assert report["diff"]["regressions"] == report["diff"]["mended"] == report["diff"]["environment"] == []
    assert "worse" not in shown


def test_another_site_under_the_same_verdict(compare, changed):
    def without_gelu(report):
        stage = report["stages"]["backward"]
        stage["failing"] = [row for row in stage["failing"] if row["module"] != "gelu"]

    _, report, shown = compare("faulty", "--stages", "backward", "--diff", changed("faulty", without_gelu))
    assert report["diff"]["verdict"] == ["fail", "fail"]
    assert [row["site"] for row in report["diff"]["newly_failing"]] == ["forward/gelu:in0@grad"]
    assert "worse: 1 sites fail that did not" in shown


def test_lost_coverage_is_worse_though_all_passes(compare, earlier):
    code, report, shown = compare("healthy", "--only", "act", "--stages", "forward", "--diff", earlier["healthy"])
    assert code == 0 and report["diff"]["verdict"] == ["pass", "pass"]
    lost = {entry["stage"]: entry["compared"] for entry in report["diff"]["coverage_lost"]}
    assert lost["forward"] == [20, 2] and lost["backward"] == [29, 0]
    assert "worse: coverage of forward: 20 sites were compared, now 2" in shown


def test_sites_are_named_where_the_earlier_report_has_them(compare, changed):
    old = changed("faulty", lambda report: None)
    header = "stage,order,site,module,kind,max_abs,max_abs_over_rms,ratio,reason,note\n"
    rows = ["forward,0,forward/act:out,act,output,0,0,0,,", "forward,1,forward/gone:out,gone,output,0,0,0,,",
            "backward,2,forward/gelu:in0@grad,gelu,gradient,0,0,99,errs,"]  # fmt: skip
    (old / "sites.csv").write_text(header + "\n".join(rows) + "\n", encoding="utf-8")
    _, report, shown = compare("faulty", "--stages", "forward,backward", "--diff", old)
    failing = {row["site"] for row in report["diff"]["newly_failing"]}
    assert "forward/act:out" in failing and "forward/gelu:in0@grad" not in failing
    (entry,) = [entry for entry in report["diff"]["coverage_lost"] if entry["stage"] == "forward"]
    assert entry["sites"] == ["forward/gone:out"] and report["diff"]["notes"] == []
    assert "no longer compared: forward `forward/gone:out`" in shown


def test_other_versions_are_told(compare, changed):
    def older(report):
        report["environment"]["port"]["version"] = "2.3.1"

    _, report, shown = compare("healthy", "--diff", changed("healthy", older))
    (entry,) = report["diff"]["environment"]
    assert (entry["side"], entry["what"], entry["old"]) == ("port", "version", "2.3.1")
    assert "environment: port version was 2.3.1" in shown


@pytest.mark.parametrize("text", [None, "", "{}", '{"stages": 3}', "[1]"])
def test_what_is_no_report_is_refused(text, reference, ports, tmp_path, capsys):
    if text is not None:
        (tmp_path / "report.json").write_text(text, encoding="utf-8")
    words = ["compare", str(reference), str(ports["healthy"]), "--diff", str(tmp_path)]
    assert cli.main(words) == 3
    assert "no report" in capsys.readouterr().err
