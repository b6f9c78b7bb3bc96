"""Maps of small networks: found, proved, there and back bit-equal; and refused where nothing tells."""

from argparse import Namespace

import numpy as np
import pytest

from ms_model import map_pair as ms_half
from parity_tests.convert.layer_nets import NETS, array, pair_file
from port.convert.network import load_reference
from port.convert.settle import distance
from port.convert.verdict import load_verdict
from port.errors import PortError
from port.parity import tolerance
from port.weights.map_file import read_map, write_map
from torch_ref import map_pair as torch_half

STRATEGIES = {  # strategies and layouts that each network is there to show
    "convolutions": {"shape", "ones"},
    "norms": {"calls", "names"},
    "recurrent": {"shape"},
    "gates": {"gates 0 2 1 3", "transpose"},
    "attention": {"fused names", "split 3", "join 3"},
    "tokens": {"shape", "names"},
    "blocks": {"calls"},
}


def find(name, folder):
    """Both halves in this process. -> reference, verdict"""
    args = Namespace(pair=str(pair_file(name, folder / "pair.py")), out=folder)
    torch_half.run(args)
    ms_half.run(args)
    return load_reference(folder), load_verdict(folder)


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_map_is_found_and_proved(name, tmp_path):
    """Every line, both ways, bit for bit; and the port computes with it what float64 says, as closely as the engine asks."""
    reference, found = find(name, tmp_path)
    assert found.equal and not found.map.undetermined
    assert {word for e in found.map.entries for word in (e.strategy, str(e.layout))} >= STRATEGIES[name]
    limits = tolerance.load()
    own = max(distance(reference.outputs, reference.truth), limits.ratio_floor_eps * np.finfo("f4").eps)
    gap = 1.2e-4 if name == "gates" else 0.0  # tanh of MindSpore, port/parity/kernel_gaps.toml
    assert found.error <= limits.ratio_rms * own + gap
    there = found.map.to_port(reference.weights)
    back = found.map.to_torch(there)
    assert back.keys() | found.map.left_out.keys() == reference.weights.keys()
    given = reference.weights
    assert all(a.tobytes() == given[n].tobytes() and a.shape == given[n].shape for n, a in back.items())
    write_map(tmp_path / "again.toml", found.map)
    assert read_map(tmp_path / "again.toml") == found.map


def planted(name, torch_net, ms_net, inputs, monkeypatch, folder):
    monkeypatch.setitem(NETS, name, (torch_net, ms_net, inputs))
    return find(name, folder)[1]


def two_dense(order, combine, names=("a", "b")):
    """Builders of two networks with two dense layers; the port's under `names`, called in `order`."""

    def torch_net():
        from torch import nn

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

            def forward(self, x):
                return combine(self.a, self.b, x)

        return Net()

    def ms_net():
        from mindspore import nn

        class Net(nn.Cell):
            def __init__(self):
                super().__init__()
                for name in order:
                    setattr(self, names[name], nn.Dense(4, 4))

            def construct(self, x):
                return combine(getattr(self, names[0]), getattr(self, names[1]), x)

        return Net()

    return torch_net, ms_net


def test_what_no_value_tells_apart_is_undetermined(tmp_path, monkeypatch):
    nets = two_dense((0, 1), lambda a, b, x: a(x) + b(x), names=("left", "right"))
    found = planted("sum", *nets, lambda: array(3, 4), monkeypatch, tmp_path)
    assert found.equal and len(found.map.undetermined) == 1
    assert "left.bias and right.bias exchanged give the same outputs" in found.map.undetermined[0]
    assert {entry.proof for entry in found.map.entries} == {"undetermined"}


def test_what_is_not_used_is_undetermined(tmp_path, monkeypatch):
    nets = two_dense((0, 1), lambda a, b, x: a(x) + 0 * b(x), names=("left", "right"))
    found = planted("idle", *nets, lambda: array(3, 4), monkeypatch, tmp_path)
    assert found.equal and not found.map.undetermined  # exchanged, the idle one is the other: that shows
    assert any("do not reach the outputs" in note for note in found.notes)


def test_right_names_for_the_wrong_thing_are_noticed(tmp_path, monkeypatch):
    nets = two_dense((0, 1), lambda a, b, x: a(b(x)), names=("b", "a"))
    found = planted("crossed", *nets, lambda: array(3, 4), monkeypatch, tmp_path)
    assert not found.equal and found.error > 0.1
    assert {entry.proof for entry in found.map.entries} == {"none: outputs differ"}


def test_left_over_tensors_are_named(tmp_path, monkeypatch):
    torch_net, _ = two_dense((0, 1), lambda a, b, x: a(b(x)))
    _, ms_net = two_dense((0, 0), lambda a, b, x: a(x), names=("left", "left"))
    with pytest.raises(PortError, match=r"4 of the reference without a partner.*WEIGHTS"):
        planted("short", torch_net, ms_net, lambda: array(3, 4), monkeypatch, tmp_path)


MAP = """schema = 1
parameters = [
  { torch = "a", ms = "b", shape = [2, 2] },
  { torch = "c", ms = "d", shape = [2, 3], ms_shape = [3, 2], layout = "transpose" },
]
"""


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('ms = "d"', 'ms = "b"', r"line 4: 'b' \(ms\) stands twice, before in line 3\. Remove one"),
        ('torch = "c"', 'torch = "a"', r"line 4: 'a' \(torch\) stands twice"),
        ('"transpose"', '"turn"', "line 4: unknown layout 'turn'; known are"),
        ('"transpose"', '"split 3"', "line 4: layout 'split 3' is for 1 torch and 3 ms names"),
        ("[3, 2]", "[4, 2]", "line 4: layout 'transpose' does not lead"),
        ("[3, 2]", "[-4, 2]", "line 4: expected ms_shape"),
        (', shape = [2, 2]', "", "line 3: expected shape"),
        ('ms = "d"', 'mss = "d"', "line 4: unknown field 'mss'"),
        ('ms = "d"', "ms = 3", "line 4: expected ms = a name"),
        ("schema = 1", "schema = 2", "expected schema = 1, found 2"),
        ("[2, 2] }", "[2, 2 }", r"no TOML: .*line 3"),
        ("parameters", "parameter", "unknown key 'parameter'"),
    ],
)
def test_a_map_mended_by_hand_is_checked(old, new, says, tmp_path):
    path = tmp_path / "map.toml"
    path.write_text(MAP)
    assert len(read_map(path).entries) == 2
    assert MAP.count(old) == 1
    path.write_text(MAP.replace(old, new))
    with pytest.raises(PortError, match=says):
        read_map(path)
