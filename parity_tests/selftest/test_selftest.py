"""The quick part of the scoreboard, through its command: mistakes in two networks, as a user runs it."""

import json

import pytest

from port.cli import main
from port.errors import PARITY_FAILED, PASSED, WRONG_USAGE

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """(exit code, result) of `selftest --quick --json`, and the page it wrote."""
    page = tmp_path_factory.mktemp("selftest") / "selftest.md"
    return main_json(["selftest", "--quick", "--json", "--quiet", "--report", str(page)]), page


def main_json(arguments):
    """Exit code and JSON from stdout, which holds nothing else."""
    import contextlib
    import io

    stdout = io.StringIO()
    with contextlib.redirect_stdout(stdout):
        code = main(arguments)
    return code, json.loads(stdout.getvalue())


def test_all_are_found_and_nothing_else(quick):
    (code, result), _ = quick
    assert result["faults"] >= 10 and result["controls"] >= 4
    assert result["detected"] == result["localised"] == result["faults"]
    assert result["diagnosed"] >= 0.8 * result["faults"]
    assert result["false_alarms"] == 0
    assert (code == PASSED) == result["reached"]


def test_no_policy_in_use_elsewhere_comes_near(quick):
    (_, result), _ = quick
    assert all(
        entry["detected"] < result["detected"] or entry["false_alarms"] for entry in result["baselines"].values()
    )


def test_the_page_lists_every_case(quick):
    (_, result), page = quick
    text = page.read_text()
    assert all(f"| {case['network']} | {case['name']} |" in text for case in result["cases"] + result["control_cases"])


def test_a_network_that_does_not_exist(capfd):
    assert main(["selftest", "--only", "vison"]) == WRONG_USAGE
    assert "there is no network 'vison'; known: vision" in capfd.readouterr().err


def test_exit_code_where_goals_are_missed(monkeypatch, capfd):
    """A scoreboard that cannot fail proves nothing: with a mistake taken for harmless it does."""
    from port import selftest_cli
    from port.selftest.fault import Control
    from port.selftest.run import FAULTS

    slope = next(case for case in FAULTS if case.name == "slope of leaky ReLU")
    monkeypatch.setattr(
        selftest_cli,
        "of_network",
        lambda network, quick: [Control(slope.name, slope.network, slope.edits, "it is not")],
    )
    assert main(["selftest", "--quick", "--only", "vision", "--quiet"]) == PARITY_FAILED
    assert "FALSE ALARM in forward" in " ".join(capfd.readouterr().out.split())
