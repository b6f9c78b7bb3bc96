"""Names: the rule table, its inverse, unwrapping, recognition, and the table of shapes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from port.errors import PortError, UsageError
from port.weights import tensors_file, ttvsr
from port.weights.canonical import canonicalise, unwrap
from port.weights.detect import detect
from port.weights.raw import RawCheckpoint
from port.weights.rules import RuleTable, nearest

FULL = ttvsr.TTVSRConfig(mid_channels=64, num_blocks=60)
SWAPPED = RuleTable({"a.{}.x.{}": "b.{}_{}.y", "a.{}": "c.{}", "tail": "head.end"})


@pytest.mark.parametrize("table", [ttvsr.RULES, SWAPPED], ids=["ttvsr", "renaming"])
@settings(deadline=None)
@given(data=st.data())
def test_inverse_undoes_forward(table, data):
    template = data.draw(st.sampled_from(sorted(table.rules)))
    indices = data.draw(st.lists(st.integers(0, 10**6), min_size=template.count("{}"), max_size=template.count("{}")))
    name = template.format(*indices)
    assert table.inverse(table.forward(name)) == name


def test_rules_rename():
    assert SWAPPED.forward("a.3.x.12") == "b.3_12.y"
    assert SWAPPED.inverse("head.end") == "tail"


@settings(deadline=None)
@given(st.text(max_size=30))
def test_names_without_a_rule_are_refused(name):
    if not SWAPPED.matches(name):
        with pytest.raises(PortError, match=r"no rule for the parameter .*nearest rule"):
            SWAPPED.forward(name)


def test_indices_have_one_spelling():
    assert ttvsr.RULES.matches("resblocks.main.2.7.conv1.weight")
    for odd in ("07", "-1", "1.0", "٣", ""):
        assert not ttvsr.RULES.matches(f"resblocks.main.2.{odd}.conv1.weight")


def test_a_table_without_a_way_back_is_refused():
    with pytest.raises(ValueError, match="no way back"):
        RuleTable({"a": "x", "b": "x"})
    with pytest.raises(ValueError, match="different numbers of indices"):
        RuleTable({"a.{}": "x"})


def test_nearest_rule():
    assert nearest("generator.resblock.main.2.17.conv1.weight", ttvsr.RULES.rules) == "resblocks.main.2.{}.conv1.weight"


def test_every_tensor_has_a_rule_and_every_rule_a_tensor():
    names = ttvsr.expected_shapes(FULL)
    renamed = {ttvsr.RULES.forward(name) for name in names}
    assert len(renamed) == len(names)
    for template in ttvsr.RULES.rules:
        assert any(RuleTable({template: template}).matches(name) for name in names), template


def test_full_size_counts():
    """6,773,615 is the published count; it leaves out the six numbers of SPyNet's mean and std."""
    sizes = {name: int(np.prod(shape)) for name, shape in ttvsr.expected_shapes(FULL).items()}
    assert len(sizes) == 338
    assert sum(size for name, size in sizes.items() if name not in ttvsr.BUFFERS) == 6_773_615
    assert sum(sizes[name] for name in ttvsr.BUFFERS) == 6
    assert sum(size for name, size in sizes.items() if "basic_module" in name) == 1_440_300


@pytest.mark.parametrize("channels", [64, 8])
def test_shapes_are_those_of_both_networks(channels):
    """The table, the reference and the port agree on names, order aside, and shapes."""
    from ms_model.ttvsr import TTVSR as PortNet
    from torch_ref.ttvsr import TTVSR as ReferenceNet

    config = ttvsr.TTVSRConfig(mid_channels=channels, num_blocks=2)
    expected = ttvsr.expected_shapes(config)
    reference = {name: tuple(tensor.shape) for name, tensor in ReferenceNet(channels, 2).state_dict().items()}
    port = {name: tuple(parameter.shape) for name, parameter in PortNet(channels, 2).parameters_dict().items()}
    assert reference == expected
    assert port == {ttvsr.RULES.forward(name): shape for name, shape in expected.items()}


@settings(deadline=None)
@given(st.lists(st.sampled_from(["module", "generator", "state_dict", "params"]), max_size=5))
def test_wrappers_come_off_in_any_order(wrappers):
    assert unwrap(".".join([*wrappers, "conv_hr.weight"])) == ("conv_hr.weight", "raw")
    assert unwrap(".".join([*wrappers, "generator_ema.conv_hr.weight"])) == ("conv_hr.weight", "ema")


def _raw(**names):
    tensors = {name.replace("__", "."): np.full(1, value, "f4") for name, value in names.items()}
    return RawCheckpoint(tensors, dict.fromkeys(tensors, "float32"), {})


@pytest.mark.parametrize(("params", "expected"), [(None, 2), ("ema", 2), ("raw", 1)])
@pytest.mark.parametrize(("one", "two"), [("params", "params_ema"), ("generator", "generator_ema")])
def test_average_or_raw_weights(one, two, params, expected):
    raw = _raw(**{f"{one}__a__weight": 1, f"{two}__a__weight": 2})
    found = canonicalise("x.pth", raw, {}, params)
    assert float(found.weights["a.weight"][0]) == expected
    assert found.dropped[0].tensors == 1 and "--params" in found.dropped[0].reason
    assert "two sets of weights" in found.notes[0]


@pytest.mark.parametrize(("name", "params"), [("params__a", "ema"), ("params_ema__a", "raw")])
def test_asking_for_weights_that_are_not_there(name, params):
    with pytest.raises(PortError, match=f"holds no {params} weights"):
        canonicalise("x.pth", _raw(**{name: 1}), {}, params)


def test_one_set_needs_no_choice():
    found = canonicalise("x.pth", _raw(params_ema__a=1), {})
    assert list(found.weights) == ["a"] and not found.notes


def test_names_that_meet_without_prefixes_are_refused():
    with pytest.raises(PortError, match=r"'module.a.weight' and 'a.weight' are both 'a.weight'|'a.weight' and"):
        canonicalise("x.pth", _raw(module__a__weight=1, a__weight=2), {})


def test_training_state_only():
    with pytest.raises(PortError, match="no weights of a network"):
        canonicalise("x.pth", _raw(optimizer__state__0__exp_avg=1), {})


def test_recognition():
    assert detect("x.pth", ["conv_hr.weight", "LTAM.fusion.weight"]).name == "ttvsr"
    with pytest.raises(UsageError, match=r"unknown model .edsr.\. Known: auto, ttvsr"):
        detect("x.pth", ["a"], "edsr")
    with pytest.raises(PortError, match=r"looks like BasicVSR\+\+.*nearest rule 'backward_resblocks.main.0.weight'"):
        detect("x.pth", ["deform_align.backward_1.weight", "backward_resblocks.main.0.weights"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resblocks.main.0.weight": None}, "it is missing"),
        ({"resblocks.main.0.weight": np.ones(3, "f4")}, r"its shape is \(3,\)"),
        ({"resblocks.main.2.123456789.conv1.weight": np.ones(1, "f4")}, "the last index is 123456789"),
    ],
)
def test_sizes_that_cannot_be_read_off(change, message):
    weights = {"resblocks.main.0.weight": np.ones((8, 16, 3, 3), "f4"), "resblocks.main.2.0.conv1.weight": np.ones(1)}
    weights = {name: array for name, array in (weights | change).items() if array is not None}
    with pytest.raises(PortError, match=message):
        ttvsr.read_config(weights)


def test_blocks_that_are_not_there():
    with pytest.raises(PortError, match="there are none"):
        ttvsr.read_config({"resblocks.main.0.weight": np.ones((8, 16, 3, 3), "f4")})


@pytest.mark.parametrize(("suffix", "package"), [(".pth", "torch_ref"), (".ckpt", "ms_model")])
def test_help_names_the_program_as_it_is_called(suffix, package, capsys):
    with pytest.raises(SystemExit) as stop:
        tensors_file.exchange(suffix, None, None, ["--help"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: python -m {package}.checkpoint ")
