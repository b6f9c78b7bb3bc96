"""`port scan` on sources with known content: aliases, methods, in-place changes, arguments, and what it must not claim."""

import json

import pytest

from port import cli
from port.ops import stored, table
from port.ops.advice import Adviser
from port.ops.judge import Outcome
from port.ops.rows import Row
from port.ops.scan import scan

KNOWN = {name for operator in table.load() for name in operator.spellings}
METHODS = {"view", "permute", "add_", "copy", "split", "item", "no_row_of_this"}


def uses(source):
    """(line, name, certain) of every use."""
    return [(use.line, use.name, use.certain) for use in scan(source, KNOWN, METHODS)]


def names(source):
    return [name for _, name, _ in uses(source)]


@pytest.mark.parametrize(
    "source, name",
    [
        ("import torch\ntorch.relu(1)", "torch.relu"),
        ("import torch as t\nt.nn.functional.relu(1)", "torch.nn.functional.relu"),
        ("import torch.nn.functional as F\nF.relu(1)", "torch.nn.functional.relu"),
        ("from torch.nn import functional as G\nG.relu(1)", "torch.nn.functional.relu"),
        ("from torch.nn.functional import relu\nrelu(1)", "torch.nn.functional.relu"),
        ("from torch import nn\nnn.Conv2d(1, 1, 1)", "torch.nn.Conv2d"),
        ("from torch.nn import Conv2d as C\nC(1, 1, 1)", "torch.nn.Conv2d"),
        ("from torch.nn import *\nConv2d(1, 1, 1)", "torch.nn.Conv2d"),
        ("import torch.nn as nn\nact = nn.GELU\nact()", "torch.nn.GELU"),
        ("def f():\n    import torch\n    return torch.abs(1)", "torch.abs"),
        ("import torch\nlayers = [torch.nn.ReLU]", "torch.nn.ReLU"),
    ],
)
def test_aliases_are_followed(source, name):
    assert name in names(source)


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np\nnp.abs(x).view(3)",
        "import mytorch as torch\ntorch.abs(1)",
        "torch = 3\ntorch.abs(1)",
        "'torch.abs(x)'  # torch.abs(x)",
        "'a b'.split()\n{}.copy()\nx.split(',')\nlist(y).copy()",
        "from torchvision import ops\nops.nms(1)",
        "self.view(3)",
        "n = 0\nn += 1",
        "d['key'] = 1\nd[i] = 2",
    ],
)
def test_what_is_not_pytorch_is_left_alone(source):
    assert uses(source) == []


NETWORK = """import torch
from torch import nn
class Net(nn.Module):
    def forward(self, x, flow=None):
        y = self.conv(x).view(2, -1)
        y += 1
        y[0] = 0
        y.add_(1)
        z = y @ x
        flow.permute(0, 1)
        n = x.shape[0]
        n += 1
        for part in x.split(2):
            part.add_(2)
        return z // 2, x.no_row_of_this(), sizes.item()
def helper(a, b: torch.Tensor):
    return a.view(1), b.view(1)
"""


def test_methods_and_changes_in_place():
    found = [(line, name.removeprefix("torch.Tensor."), certain) for line, name, certain in uses(NETWORK)]
    wanted = [
        (5, "view", True), (6, "__iadd__", True), (7, "__setitem__", True), (8, "add_", True), (9, "torch.matmul", True),
        (10, "permute", False), (13, "split", True), (14, "add_", True), (15, "item", False), (15, "no_row_of_this", True),
        (15, "torch.floor_divide", True), (17, "view", False), (17, "view", True),
    ]  # fmt: skip
    assert sorted(
        use for use in found if use[1] not in ("torch.nn.Module", "torch.Tensor", "Tensor", "torch")
    ) == sorted(wanted)


def made_row(name, extra, outcomes):
    """A row with given outcomes by key without its variant; all else agrees."""
    entry = {"name": name, "torch": "F.gelu(x)", "port": "ops.gelu(x)", "inputs": {"x": [1.0]}, **extra}
    operator = table.make("g", entry)
    variants = [(variant, case.name) for case in operator.cases for variant in case.calls if variant != "torch"]
    held = {f"{variant}/{case}/float32/forward": Outcome("same") for variant, case in variants}
    return Row(operator, {**held, **{key: Outcome(*outcome) for key, outcome in outcomes.items()}})


def advice(row, call):
    source = f"import torch\nfrom torch.nn import functional as F\nfrom torch import nn\n{call}"
    adviser = Adviser([row])
    (use,) = [use for use in scan(source, set(adviser.rows), set()) if use.line == 4]
    return adviser.of(use)


MODE = {"name": "nearest", "torch": "F.gelu(x, mode='nearest')", "port": "ops.gelu(x, mode='nearest')"}


def test_the_same_is_the_same():
    assert advice(made_row("F.gelu", {}, {}), "F.gelu(x)").status == "same"


def test_unknown_operators_and_values_are_never_green():
    row = made_row("F.gelu", {"edges": [MODE]}, {})
    assert advice(row, "torch.no_such_operator(x)").status == "not measured"
    assert advice(row, "F.gelu(x, mode='nearest')").status == "same"
    told = advice(row, "F.gelu(x, mode='cubic')")
    assert told.status == "care" and "mode was not measured" in told.care[0]


def test_arguments_choose_the_case():
    failing = {"port/nearest/float32/forward": ("kernel missing", "no Nearest")}
    row = made_row("F.gelu", {"edges": [MODE]}, failing)
    assert advice(row, "F.gelu(x, mode='nearest')").status == "missing"
    assert advice(row, "F.gelu(x)").status == "care"  # the row as a whole does not agree everywhere
    assert "Nearest" not in " ".join(advice(row, "F.gelu(x)").care)


def test_a_default_matters_only_where_nothing_is_said():
    extra = {"default": "slope 0.2", "given": {"slope": 1}, "instead": "ops.gelu(x, 0.01)"}
    row = made_row("F.gelu", extra, {"port/base/float32/forward": ("different", "by much")})
    told = advice(row, "F.gelu(x)")
    assert (told.status, told.write) == ("care", "ops.gelu(x, 0.01)") and "slope 0.2" in told.care[0]
    for call in ("F.gelu(x, 0.3)", "F.gelu(x, slope=0.3)"):
        assert advice(row, call).status == "same" and "pass it on" in advice(row, call).care[0]


def test_what_stands_in_its_place():
    row = made_row("F.gelu", {"instead": "ops.other(x)"}, {"port/base/float32/forward": ("absent", "no gelu")})
    told = advice(row, "F.gelu(x)")
    assert (told.status, told.verdict, told.write) == ("missing", "not there", "ops.other(x)")
    broken = Row(row.operator, {**row.outcomes, "instead/base/float32/forward": Outcome("different")})
    assert advice(broken, "F.gelu(x)").write == ""  # advice that does not agree is not given
    assert advice(row, "nn.Sequential(x)").write == "nn.SequentialCell"


def test_known_traps_by_the_stored_figures(tmp_path, capsys):
    """The whole command on what every porter meets first, as data."""
    source = tmp_path / "net.py"
    source.write_text(
        "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n"
        "x = torch.ones_like(y)\nnn.Conv2d(3, 8, 3, padding=1)\n"
        "nn.GELU()\nF.leaky_relu(x)\ntorch.einsum('ij->ji', x)\nF.interpolate(x, size=(4, 4), mode='bicubic')\nx.add_(1)\n"
        "torch.abs(x)\ntorch.mystery(x)\nF.grid_sample(x, x, mode='bicubic')\n"
    )
    assert cli.main(["scan", str(source), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    found = {use["line"]: use for use in data["files"][str(source)]}
    assert {line: use["status"] for line, use in found.items()} == {
        4: "same", 5: "missing", 6: "care", 7: "care", 8: "missing", 9: "care", 10: "care", 11: "same", 12: "not measured",
        13: "missing",
    }  # fmt: skip
    assert "pad_mode='pad'" in found[5]["write"] and found[8]["write"] == "ops.matmul(x, y)"
    assert data["mindspore"] == stored.NEWEST and sum(data["counts"].values()) == len(found)


def test_text_names_lines_and_folders_work(tmp_path, capsys):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.py").write_text("import torch\ntorch.roll(x, 1)\n\ntorch.roll(x, 1)\n")
    (tmp_path / "bad.py").write_text("def broken(:\n")
    assert cli.main(["scan", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert "2, 4" in out and "torch.roll" in out and "missing" in out
    assert "bad.py, line 1" in " ".join(err.split())


@pytest.mark.parametrize(
    "name, content, code, says",
    [
        ("a.py", b"def f(:\n", 3, "line 1"),
        ("a.py", b"x = '\xff'\n", 3, "encoding"),
        ("a.py", b"a\x00b\n", 3, "a.py"),
        ("a.py", b"(" * 3000, 3, "a.py"),
        ("a.txt", b"x = 1\n", 2, "no Python source"),
        ("gone.py", None, 3, "No such file"),
    ],
)
def test_what_cannot_be_read_is_said(name, content, code, says, tmp_path, capsys):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    assert cli.main(["scan", str(path)]) == code
    out, err = capsys.readouterr()
    assert out == "" and says in err and "Traceback" not in err


def test_an_unknown_version_names_those_that_are_there(tmp_path, capsys):
    assert cli.main(["scan", str(tmp_path), "--mindspore", "1.0"]) == 2
    assert stored.NEWEST in capsys.readouterr().err
