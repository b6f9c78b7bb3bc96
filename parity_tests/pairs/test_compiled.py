"""The compiled pass: judged like any other, proved to have been compiled, never silently left out."""

import pytest

from port.errors import PortError
from port.parity.modes import not_proved
from port.parity.pair import check_compile
from port.report.pair_report import show

pytestmark = pytest.mark.slow

ACT = "nn.LeakyReLU(0.1)\n            self.pool = nn.AvgPool2d(2, stride=2)"
NET = "    class Net(nn.Cell):\n"
LEAK = """    class Leak(nn.Cell):
        def construct(self, x):
            y = x * 1.0
            z = y  # run as Python, another name of the same tensor; compiled, a value of its own
            z[:] = __import__("mindspore").ops.where(x < 0, 0.1 * x, x)
            return y

"""
ALIASED = (ACT, ACT.replace("nn.LeakyReLU(0.1)", "Leak()")), (NET, LEAK + NET)
CONSTRUCT = "def construct(self, x):\n"


def test_output_loss_and_gradients_of_a_compiled_port_are_judged(verified):
    report = verified(extra="")
    stage = report["stages"]["compiled"]
    assert report["verdict"] == stage["verdict"] == "pass"
    assert report["coverage"]["stages"]["compiled"]["sites_compared"] == 3 + 1 + 10
    assert 0 < stage["worst"]["error_ratio"] < 8
    assert any("bit-equal to the eager run's" in note for note in report["notes"])


def test_a_run_that_was_not_compiled_fails(verified, monkeypatch):
    """MS_JIT=0 switches the compiler off without a word; the values are those of the eager run, and right."""
    monkeypatch.setenv("MS_JIT", "0")
    report = verified(extra="")
    stage = report["stages"]["compiled"]
    assert report["verdict"] == stage["verdict"] == "fail" and stage["failing_total"] == 0
    assert "construct ran in Python" in stage["broke_off"]


def test_a_port_right_operation_by_operation_and_wrong_compiled_fails(verified):
    """Its activation writes through a second name of a tensor, which compiled code does not know."""
    report = verified(*ALIASED, extra="")
    assert {name for name, stage in report["stages"].items() if stage["verdict"] == "fail"} == {"compiled"}
    assert report["verdict"] == "fail" and report["stages"]["compiled"]["failing_total"] >= 3
    (cause,) = report["root_causes"]
    assert (cause["module"], cause["stage"], cause["site"]) == ("act", "compiled", "forward/act:out")
    assert cause["diagnosis"] in ("slope", "activation") and cause["ratio"] > 8


def test_a_mistake_in_eager_runs_is_not_told_twice(verified):
    """What is wrong either way is wrong compiled, too: one cause, and no module is compiled alone to find it."""
    report = verified((ACT, ACT.replace("0.1", "0.2")), extra="")
    assert [cause["module"] for cause in report["root_causes"]] == ["act"]
    assert report["root_causes"][0]["stage"] == "forward" and "compiled" not in report["root_causes"][0]["also"]


def test_one_mistake_in_eager_runs_and_one_in_compiled_ones_are_both_named(verified):
    report = verified(*ALIASED, ("nn.GELU(approximate=False)", "nn.GELU(approximate=True)"), extra="")
    assert {(cause["module"], cause["stage"]) for cause in report["root_causes"]} == {
        ("gelu", "forward"),
        ("act", "compiled"),
    }


def test_what_cannot_be_compiled_fails_with_the_compilers_words(verified, capsys):
    report = verified((CONSTRUCT, f"{CONSTRUCT}            (y := x)\n"), extra="")
    assert report["verdict"] == "fail"
    show(report, None)
    assert "NamedExpr" in report["stages"]["compiled"]["broke_off"] and "NamedExpr" in capsys.readouterr().out
    (cause,) = report["root_causes"]  # every module by itself can be compiled: it is what puts them together
    assert (cause["module"], cause["stage"]) == ("", "compiled")


def test_a_module_that_cannot_be_compiled_is_named(verified):
    odd = LEAK.replace("y = x * 1.0", "(y := x * 1.0)")
    report = verified((ACT, ACT.replace("nn.LeakyReLU(0.1)", "Leak()")), (NET, odd + NET), extra="")
    assert "NamedExpr" in report["stages"]["compiled"]["broke_off"]
    (cause,) = report["root_causes"]
    assert (cause["module"], cause["stage"], cause["ratio"]) == ("act", "compiled", None)
    assert "cannot be compiled" in cause["reason"] and "NamedExpr" in cause["reason"]


def test_parts_are_compiled_where_named(verified):
    report = verified(extra='COMPILE = ["first", "second"]\n')
    assert report["verdict"] == report["stages"]["compiled"]["verdict"] == "pass"


def test_a_part_that_is_not_there_fails(verified):
    with pytest.raises(PortError, match="ended with exit code 3"):
        verified(extra='COMPILE = ["third"]\n')


def test_left_out_with_a_reason_is_listed(verified):
    report = verified()
    assert report["verdict"] == "pass" and "compiled" not in report["stages"]
    assert report["notes"] == ["compiled: the port was not compiled: tested elsewhere"]


@pytest.mark.parametrize(
    "counts", [None, {}, {"eager": 0, "compiled": 0}, {"eager": 9, "compiled": 1}, {"eager": 9, "compiled": 9}]
)
def test_no_proof_is_no_compiled_run(counts):
    assert not_proved(counts)
    assert not_proved({"eager": 9, "compiled": 0}) is None


class File:
    def __init__(self, **names):
        self.__dict__.update(names)


def test_compile_takes_a_reason_or_names():
    assert check_compile("p", File()) == (("",), "")
    assert check_compile("p", File(COMPILE=["trunk"])) == (("trunk",), "")
    for wrong in (File(COMPILE=False), File(COMPILE="trunk"), File(COMPILE=[]), File(COMPILE=[1])):
        with pytest.raises(PortError, match="COMPILE"):
            check_compile("p", wrong)
