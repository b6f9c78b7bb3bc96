"""JUnit files: what every reader of them relies on, and a red case for everything that makes a stage fail."""

from xml.etree import ElementTree

from port.parity.compare import Stage
from port.parity.measure import Row
from port.report.junit import write_junit


def read(path):
    """The suites of a file, checked for what the format asks: elements, attributes, totals that add up."""
    root = ElementTree.parse(path).getroot()
    assert root.tag == "testsuites" and {child.tag for child in root} <= {"testsuite"}
    for suite in root:
        cases = suite.findall("testcase")
        assert len(cases) == len(suite) == int(suite.get("tests")) and suite.get("name")
        for tag in ("failure", "skipped"):
            counted = int(suite.get("failures" if tag == "failure" else tag))
            assert counted == sum(case.find(tag) is not None for case in cases)
        for case in cases:
            assert case.get("classname") and case.get("name") and float(case.get("time")) == 0
            assert len(case) <= 1 and all(child.get("message") for child in case)
    for total in ("tests", "failures", "skipped"):
        assert int(root.get(total)) == sum(int(suite.get(total)) for suite in root)
    return {suite.get("name"): suite for suite in root}


def messages(suite, tag):
    return {case.get("name"): case.find(tag).get("message") for case in suite if case.find(tag) is not None}


def test_faults_and_skipped_sites_of_a_comparison(compare, tmp_path):
    _, report, _ = compare("faulty", "--junit", tmp_path / "sites.xml", "--only", "act,first", "--stages", "forward")
    suites = read(tmp_path / "sites.xml")
    assert set(suites) == {"forward"}
    assert messages(suites["forward"], "failure").keys() == {"forward/act:out", "forward/first:in0"}
    skipped = messages(suites["forward"], "skipped")
    assert set(skipped.values()) == {"left out by --only"}
    assert len(skipped) == report["coverage"]["skipped"][0]["count"]


def test_a_stage_fails_whole_where_no_site_can(tmp_path):
    broken = Stage("broken", "", [Row(0, "a", "output", "m")], broke_off="it stopped")
    write_junit(tmp_path / "x.xml", {"broken": broken, "empty": Stage("empty", "")})
    suites = read(tmp_path / "x.xml")
    assert messages(suites["broken"], "failure") == {"the stage as a whole": "broke off: it stopped"}
    assert messages(suites["empty"], "failure") == {"the stage as a whole": "nothing was compared"}


def test_names_that_xml_has_no_place_for(tmp_path):
    row = Row(0, "forward/\x07\ud800<&>:out", "output", "m", reason="\x00 bad")
    write_junit(tmp_path / "x.xml", {"a\nb": Stage("a", "", [row], skipped=[("\x1b", "\x0b")])})
    (suite,) = read(tmp_path / "x.xml").values()
    assert messages(suite, "failure") == {"forward/??<&>:out": "? bad"}
    assert messages(suite, "skipped") == {"?": "?"}
