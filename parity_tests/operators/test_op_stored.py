"""The stored figures against a fresh measurement of a few operators, and what the command says of a change."""

import argparse

import pytest

from port import cli, ops_cli
from port.ops import stored, table
from port.ops.judge import Outcome
from port.ops.rows import Row
from port.ops.stored import Measured

SAMPLE = "F.leaky_relu,torch.std,nn.LayerNorm,F.layer_norm,Tensor.add_,F.grid_sample"
FIRST = "port/base/float32/forward"


@pytest.fixture(scope="module")
def fresh():
    """A few operators, measured here: same, other defaults, no kernel, an edge that differs."""
    args = argparse.Namespace(mindspore_python=None, mindspore=None, work=None, quiet=True, device="cpu")
    return ops_cli.measure_all(args, ops_cli.chosen(table.load(), SAMPLE))


def test_fresh_figures_are_as_stored(fresh):
    assert len(fresh.rows) == 6 and fresh.version == stored.NEWEST
    assert ops_cli.compare(fresh) == []


def test_a_change_is_told(fresh):
    first, *others = fresh.rows
    changed = Row(first.operator, {**first.outcomes, FIRST: Outcome("same")})
    (line,) = ops_cli.compare(Measured(fresh.about, (changed, *others)))
    assert line == f"F.leaky_relu, {FIRST}: agrees here, different as stored"


def test_figures_survive_being_stored(fresh, tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "FOLDER", tmp_path)
    stored.save(stored.path_of("2.10"), fresh)
    held = stored.load("2.10", [row.operator for row in fresh.rows])
    whats = [[(key, outcome.what, outcome.detail) for key, outcome in row.outcomes.items()] for row in held.rows]
    own = [
        [(key, outcome.what, "" if outcome.agrees else outcome.detail) for key, outcome in row.outcomes.items()]
        for row in fresh.rows
    ]
    assert whats == own and held.about["port"] == fresh.about["port"]


def test_a_damaged_file_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(stored, "FOLDER", tmp_path)
    stored.path_of("2.10").write_text('{"operators": {"torch.abs": 3}}')
    assert cli.main(["ops", "--show", "2.10"]) == 3
    assert "Measure again" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["--only", "F.no_such"], "F.no_such"),
        (["--only", "F.gelu", "--store"], "--store keeps a whole measurement"),
        (["--versions"], "--report"),
        (["--show", "1.0"], "2.10"),
        (["--mindspore", "../2.9"], "a version such as 2.9"),
    ],
)
def test_wrong_usage(arguments, says, capsys):
    assert cli.main(["ops", *arguments]) == 2
    assert says in capsys.readouterr().err


def test_show_and_report_without_measuring(tmp_path, capsys):
    page = tmp_path / "ops.md"
    assert cli.main(["ops", "--show", "--only", "nn.GELU,losses", "--report", str(page)]) == 0
    assert "nn.GELU" in capsys.readouterr().out
    text = page.read_text(encoding="utf-8")
    assert "`nn.GELU(approximate=False)(x)`" in text and "## Losses" in text and "Porting catalogue, row 25" in text
