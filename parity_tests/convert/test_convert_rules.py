"""Every rule of layer_rules.toml, in both directions and without running a network: what it calls a tensor, how it lays it out.

`SHAPES` has, for every class of the reference that a rule knows, its tensors and those of the port's layer, written by hand
from the documentation of both frameworks. A rule or a class without a line here fails.
"""

import numpy as np
import pytest

from port.weights.layer_rules import load_rules
from port.weights.layouts import SAME, parse_layout
from port.weights.map_file import read_map, write_map
from port.weights.proposal import Parameter
from port.weights.propose import propose

RULES = load_rules()
NORM = {"weight": ("gamma", (6,)), "bias": ("beta", (6,))}
RUNNING = {**NORM, "running_mean": ("moving_mean", (6,)), "running_var": ("moving_variance", (6,))}
IN_3D = {name: (f"bn2d.{port}", shape) for name, (port, shape) in RUNNING.items()}
PLAIN = {"weight": ("weight", (6, 4)), "bias": ("bias", (6,))}


def kernel(*shape, bias=6):
    return {"weight": ("weight", shape), "bias": ("bias", (bias,))}


def recurrent(gates, layers=("l0", "l0_reverse", "l1", "l1_reverse")):
    """Input 5, width 3; both directions of two layers, or a cell."""
    made = {}
    for end in layers:
        entering = 6 if end.startswith("l1") else 5
        rows = gates * 3
        shapes = {"weight_ih": (rows, entering), "weight_hh": (rows, 3), "bias_ih": (rows,), "bias_hh": (rows,)}
        made |= {f"{name}_{end}" if end else name: (f"{name}_{end}" if end else name, s) for name, s in shapes.items()}
    return made


# class of the reference -> (class of the port, torch name -> (port name, shape in both, or (shape, the port's shape)))
SHAPES = {
    "Conv1d": ("Conv1d", {"weight": ("weight", ((6, 4, 3), (6, 4, 1, 3))), "bias": ("bias", (6,))}),
    "ConvTranspose1d": ("Conv1dTranspose", {"weight": ("weight", ((4, 6, 3), (4, 6, 1, 3))), "bias": ("bias", (6,))}),
    "Conv2d": ("Conv2d", kernel(6, 2, 3, 5)),  # two groups of four channels
    "ConvTranspose2d": ("Conv2dTranspose", kernel(4, 6, 3, 5)),
    "Conv3d": ("Conv3d", kernel(6, 4, 2, 3, 5)),
    "ConvTranspose3d": ("Conv3dTranspose", kernel(4, 6, 2, 3, 5)),
    "Linear": ("Dense", PLAIN),
    "NonDynamicallyQuantizableLinear": ("Dense", PLAIN),
    "Bilinear": ("BiDense", kernel(6, 4, 5)),
    **{name: (name, RUNNING) for name in ("BatchNorm1d", "BatchNorm2d", "SyncBatchNorm", "InstanceNorm1d", "InstanceNorm2d",
                                          "InstanceNorm3d")},
    "BatchNorm3d": ("BatchNorm3d", IN_3D),
    "LayerNorm": ("LayerNorm", NORM),
    "GroupNorm": ("GroupNorm", NORM),
    "RMSNorm": ("RmsNorm", {"weight": ("gamma", (6,))}),
    "Embedding": ("Embedding", {"weight": ("embedding_table", (9, 4))}),
    "EmbeddingBag": ("EmbeddingLookup", {"weight": ("embedding_table", (9, 4))}),
    "PReLU": ("PReLU", {"weight": ("w", (6,))}),
    "LSTM": ("LSTM", recurrent(4)),
    "LSTMCell": ("LSTMCell", recurrent(4, ("",))),
    "GRU": ("GRU", recurrent(3)),
    "GRUCell": ("GRUCell", recurrent(3, ("",))),
    "RNN": ("RNN", recurrent(1)),
    "RNNCell": ("RNNCell", recurrent(1, ("",))),
    "MultiheadAttention": ("MultiheadAttention", {
        "in_proj_weight": ("in_proj_weight", (12, 4)), "in_proj_bias": ("in_proj_bias", (12,)),
        "out_proj.weight": ("out_proj.weight", (4, 4)), "out_proj.bias": ("out_proj.bias", (4,)),
    }),
}  # fmt: skip


def both(shapes):
    return shapes if isinstance(shapes[0], tuple) else (shapes, shapes)


def described(kind, port_kind, lines):
    """The layer `net` on both sides, among others whose tensors have the same shapes: names decide, not shapes."""
    ours, theirs = [], []
    for place in ("net", "other", "third"):
        for name, (port_name, shapes) in lines.items():
            a, b = both(shapes)
            ours.append(Parameter(f"{place}.{name}", a, kind))
            theirs.append(Parameter(f"{place}.{port_name}", b, "" if port_name.startswith("bn2d") else port_kind))
    for layer in RULES.layers:
        if kind in layer.torch:
            ours += [Parameter(f"net.{name}", (), kind, buffer=True) for name in layer.left_out]
    return ours, theirs[::-1]


@pytest.mark.parametrize("kind", SHAPES)
def test_every_rule_there_and_back(kind, tmp_path):
    port_kind, lines = SHAPES[kind]
    ours, theirs = described(kind, port_kind, lines)
    proposal = propose(ours, theirs, {})
    assert not proposal.groups
    found = proposal.map()
    assert {e.port[0]: e.torch[0] for e in found.entries} == {
        f"{place}.{port}": f"{place}.{name}" for place in ("net", "other", "third") for name, (port, _) in lines.items()
    }
    random = np.random.default_rng(0)
    given = {one.name: random.standard_normal(one.shape).astype(np.float32) for one in ours if one.shape}
    there = found.to_port(given)
    for name, (port, shapes) in lines.items():  # the frameworks' own layers move no number: by hand
        assert there[f"net.{port}"].shape == both(shapes)[1]
        assert there[f"net.{port}"].tobytes() == given[f"net.{name}"].tobytes()
    back = found.to_torch(there)
    assert back.keys() == given.keys()
    assert all((back[n].shape, back[n].tobytes()) == (a.shape, a.tobytes()) for n, a in given.items())
    assert found.left_out.keys() == {one.name for one in ours if one.buffer}
    write_map(tmp_path / "map.toml", found)
    assert read_map(tmp_path / "map.toml") == found


def test_every_rule_has_its_test():
    known = {kind for layer in RULES.layers for kind in layer.torch}
    assert known == SHAPES.keys()
    tested = {port for port, _ in SHAPES.values()} | {"ConvTranspose2d", "Linear"}
    assert {kind for layer in RULES.layers for kind in layer.port} == tested
    for layer in RULES.layers:  # names, layouts and what is left out are all met
        for kind in layer.torch:
            lines = SHAPES[kind][1]
            assert all(lines.get(name, (port,))[0].rpartition(".")[2] == port for name, port in layer.names.items())
            assert all(layout == SAME or len(both(lines[name][1])[0]) < len(both(lines[name][1])[1])
                       for name, layout in layer.layout.items())  # fmt: skip
    assert {text for layer in RULES.layers for text in layer.left_out} == {"num_batches_tracked"}


def test_a_new_rule_is_missed(monkeypatch):
    from dataclasses import replace

    from port.weights.layer_rules import Layer

    monkeypatch.setitem(globals(), "RULES", replace(RULES, layers=(*RULES.layers, Layer(("New",), ("New",)))))
    with pytest.raises(AssertionError):
        test_every_rule_has_its_test()


LAYOUTS = sorted({str(layout) for layer in RULES.layers for layout in (*layer.tries, *layer.layout.values())} | {
    "split 2", "split 3", "join 2", "join 3", "gates 2 0 1", "same"})  # fmt: skip


def arrays_for(text):
    """Arrays that the layout fits, with the port's made by the plainest numpy. -> reference's, port's"""
    random = np.random.default_rng(0)
    form, *numbers = text.split()
    numbers = [int(n) for n in numbers]
    make = lambda *shape: random.standard_normal(shape).astype(np.float32)  # noqa: E731
    if form == "gates":
        whole = make(len(numbers) * 3, 5)
        return [whole], [np.array([whole[3 * i + row] for i in numbers for row in range(3)])]
    if form in ("split", "join"):
        parts = [make(n, 5) for n in (4, 2, 3)[: numbers[0]]]
        whole = [np.array([row for part in parts for row in part])]
        return (whole, parts) if form == "split" else (parts, whole)
    matrix = make(6, 4)
    turned = np.array([matrix[:, column] for column in range(4)])
    return [matrix], [{"same": matrix, "ones": matrix[:, None, :], "transpose": turned}[form]]


@pytest.mark.parametrize("text", LAYOUTS)
def test_every_layout_that_a_rule_uses(text):
    """Arrays one way and the other, and the same by ranges of bytes, as large files are moved."""
    layout, (ours, theirs) = parse_layout(text), arrays_for(text)
    shapes = lambda arrays: [array.shape for array in arrays]  # noqa: E731
    assert layout.fits(shapes(ours), shapes(theirs)) and layout.counts == (len(ours), len(theirs))
    for moved, wanted in (
        (layout.forward(ours, shapes(theirs)), theirs),
        (layout.backward(theirs, shapes(ours)), ours),
    ):
        assert [(a.shape, a.tobytes()) for a in moved] == [(a.shape, np.ascontiguousarray(a).tobytes()) for a in wanted]
    assert layout.reversed().reversed() == layout and parse_layout(str(layout)) == layout
    if layout.form != "transpose":
        for way, start, end in ((layout, ours, theirs), (layout.reversed(), theirs, ours)):
            pieces = way.pieces([a.nbytes for a in start], [a.nbytes for a in end])
            made = [b"".join(start[i].tobytes()[a:b] for i, a, b in some) for some in pieces]
            assert made == [np.ascontiguousarray(a).tobytes() for a in end]


@pytest.mark.parametrize("whole", RULES.whole)
@pytest.mark.parametrize("parts", RULES.parts, ids=lambda parts: parts[0])
def test_every_spelling_of_fused_projections(whole, parts):
    """Fused in the reference and apart in the port, and the other way round."""
    three = Parameter(f"block.attn.{whole}weight", (4 * len(parts), 4))
    apart = [Parameter(f"block.attn.{part}weight", (4, 4)) for part in parts]
    for ours, theirs, form in (([three], apart, "split"), (apart, [three], "join")):
        found = propose(ours, theirs[::-1], {}).map()
        (entry,) = found.entries
        assert (entry.torch, entry.port) == (tuple(one.name for one in ours), tuple(one.name for one in theirs))
        assert str(entry.layout) == f"{form} {len(parts)}"
        given = {one.name: np.random.default_rng(1).standard_normal(one.shape) for one in ours}
        back = found.to_torch(found.to_port(given))
        assert back.keys() == given.keys() and all(np.array_equal(back[n], a) for n, a in given.items())
