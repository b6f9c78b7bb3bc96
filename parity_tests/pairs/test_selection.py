"""`--only`, `--stages`, `--until`: what is asked for is judged, the rest is listed, and nothing compared is no pass."""

import json

import pytest

from parity_tests.pairs.conftest import changed_pair
from port import cli
from port.errors import UsageError
from port.parity.pair_start import CAST, PORT_PASSES, REFERENCE_PASSES
from port.parity.selection import EVERYTHING, STAGES, Selection, make_selection, module_at

pytestmark = pytest.mark.slow


def named(report):
    return [(cause["module"], cause["stage"]) for cause in report["root_causes"]]


def figures(report, stage):
    covered = report["coverage"]["stages"][stage]
    return covered["sites_compared"], covered["sites_total"]


def test_the_faulty_port_fails_in_four_places(compare):
    """What the tests below leave out is really there."""
    code, report, shown = compare("faulty")
    assert code == 1 and "left out" not in shown
    assert named(report) == [("act", "forward"), ("", "forward"), ("gelu", "backward"), ("", "training")]


@pytest.mark.parametrize(
    ("flags", "causes"),
    [
        (["--only", "act"], [("act", "forward")]),
        (["--only", "layer_norm,g?lu", "--stages", "backward"], [("gelu", "backward")]),
        (["--only", "", "--stages", "forward"], [("", "forward")]),
        (["--only", "conv,layer*", "--stages", "weights,forward,backward"], []),
        (["--stages", "weights"], []),
        (["--stages", "training"], [("", "training")]),
        (["--until", "norm", "--stages", "forward"], []),
        (["--until", "act", "--stages", "weights,forward"], [("act", "forward")]),
        (["--until", "first", "--stages", "forward"], [("act", "forward"), ("", "forward")]),
    ],
)  # fmt: skip
def test_only_what_is_chosen_is_judged(flags, causes, compare):
    code, report, shown = compare("faulty", *flags)
    if flags != ["--only", "act"]:  # whose parameters take other steps, which training shows as well
        assert named(report) == causes
    assert named(report)[: len(causes)] == causes
    assert code == (1 if causes else 0) == (0 if report["verdict"] == "pass" else 1)
    assert ("Passed what was compared; left out:" in shown) == (not causes)
    assert report["selection"]["left_out"]


def test_what_is_left_out_is_listed(compare):
    _, report, _ = compare("faulty", "--only", "act", "--stages", "weights,forward")
    assert list(report["stages"]) == ["weights", "forward"]
    assert report["stages"]["weights"]["verdict"] == "not compared"  # act has no weights
    assert figures(report, "forward") == (2, 20)  # what goes in and out of it
    reasons = [(entry["reason"], entry["count"]) for entry in report["coverage"]["skipped"]]
    assert ("left out by --only", 18) in reasons and ("left out by --only", 12) in reasons
    assert set(report["selection"]["not_run"]) == {
            "backward", "accumulated", "training", "accumulated training", "compiled", "free decisions",
        }  # fmt: skip


def test_until_ends_with_the_first_output(compare):
    _, report, _ = compare("healthy", "--until", "act")
    assert list(report["stages"]) == ["weights", "forward", "accumulated"]
    assert figures(report, "forward") == (6, 20)  # three modules, in and out
    (skipped,) = [entry for entry in report["coverage"]["skipped"] if entry["stage"] == "forward"]
    assert skipped["reason"] == "comes after --until act" and skipped["sites"][0] == "forward/pool:in0"
    assert report["selection"]["not_run"]["backward"] == "comes after --until act"


def test_nothing_compared_is_a_failure(compare):
    code, report, shown = compare("healthy", "--only", "act", "--stages", "weights")
    assert code == 1 and report["verdict"] == "fail" and "Nothing was compared" in shown
    assert report["coverage"]["sites_compared"] == 0


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--only", "layer_nrom"], "--only: no module of the reference is called 'layer_nrom' (nearest: 'layer_norm')"),
        (["--only", "act,nothing*"], "'nothing*'"),
        (["--stages", "forwards"], "no stage 'forwards' (nearest: 'forward')"),
        (["--stages", ""], "no stage ''"),
        (["--until", "secnd"], "no module 'secnd' in the reference (nearest: 'second')"),
        (["--until", "act", "--stages", "training"], "leaves nothing"),
    ],
)
def test_unknown_names_are_wrong_usage(flags, says, reference, ports, capsys):
    assert cli.main(["compare", str(reference), str(ports["healthy"]), *flags]) == 2
    assert says in capsys.readouterr().err


def test_only_the_passes_that_are_needed():
    """What a stage is judged by is run, and nothing that takes time for nothing."""
    needs = lambda side, known, **flags: Selection(**flags).passes(side, known)  # noqa: E731
    assert needs("torch", REFERENCE_PASSES, stages=("weights",)) == ["reference"]
    assert needs("ms", PORT_PASSES, stages=("weights",)) == ["forced"]
    assert needs("torch", REFERENCE_PASSES, stages=("backward", "forward")) == ["reference", "forced64"]
    assert needs("ms", PORT_PASSES, stages=("training",)) == ["forced", "updates", "tiny"]
    assert needs("ms", PORT_PASSES, until="act") == ["imposed", "forced"]
    assert EVERYTHING.passes("ms", PORT_PASSES) == list(PORT_PASSES)
    everything = [name for name in REFERENCE_PASSES if name not in CAST]  # those are for ports in half precision
    assert needs("torch", REFERENCE_PASSES, stages=tuple(STAGES)) == everything
    assert needs("ms", PORT_PASSES, stages=tuple(STAGES)) == list(PORT_PASSES)
    with pytest.raises(UsageError, match="no stage"):
        make_selection(None, "accumulated training", None)


def test_a_port_that_is_not_written_to_its_end(tmp_path, capsys):
    """Judged up to where it is written; only the passes that are needed leave traces. Without --until it fails."""
    gelu = "x = self.gelu(self.layer_norm(self.first(x.flatten(start_dim=1))))"
    pair = changed_pair(tmp_path / "pair.py", (gelu, "raise NotImplementedError('to be done')"))
    words = ["verify", "--pair", str(pair), "--work", str(tmp_path), "--quiet", "--report", str(tmp_path / "report")]
    assert cli.main([*words, "--until", "pool", "--stages", "weights,forward"]) == 0
    assert "Passed what was compared" in capsys.readouterr().out
    report = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    reasons = " ".join(entry["reason"] for entry in report["coverage"]["skipped"])
    assert "there the port broke off: NotImplementedError: to be done" in reasons
    passes = {f"{path.parent.parent.name}/{path.parent.name}" for path in tmp_path.glob("*/*/trace.json")}
    assert passes == {"reference/reference", "reference/forced64", "port/forced"}
    folders = [str(tmp_path / side) for side in ("reference", "port")]
    assert cli.main(["compare", *folders, "--stages", "weights,forward"]) == 1
    assert cli.main(["compare", *folders, "--stages", "weights,forward", "--until", "gelu"]) == 1
    assert cli.main(["compare", *folders]) == 3  # for all stages there are not enough traces


@pytest.mark.parametrize(
    ("site", "module"),
    [("conv.weight", "conv"), ("forward/a.b:in0.1", "a.b"), ("forward/a:out#2@grad", "a"), ("end/loss", ""),
     ("end/output.sum@grad", ""), ("parameters/a.b.weight@grad", "a.b"), ("step.00/a.bias@lr", "a"), ("step.00/loss", "")],
)  # fmt: skip
def test_whose_site_it_is(site, module):
    assert module_at(site) == module
