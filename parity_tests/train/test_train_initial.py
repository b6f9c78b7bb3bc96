"""Weights to start from: the distributions that docs and specification state, and a flow network taken from elsewhere."""

import numpy as np
import pytest

from port.errors import PortError
from port.train.initial import initial_weights, with_flow
from port.weights.raw import RawCheckpoint
from port.weights.ttvsr import TTVSRConfig, expected_shapes

CONFIG = TTVSRConfig(64, 2)
KERNEL = "spynet.basic_module.3.basic_module.1.conv.weight"


@pytest.fixture(scope="module")
def drawn():
    return initial_weights(CONFIG, 5)


def test_names_and_shapes_are_the_networks(drawn):
    assert {name: array.shape for name, array in drawn.items()} == expected_shapes(CONFIG)
    assert {array.dtype for array in drawn.values()} == {np.dtype("float32")}


def test_a_seed_is_a_network(drawn):
    again, other = initial_weights(CONFIG, 5), initial_weights(CONFIG, 6)
    assert all(np.array_equal(again[name], drawn[name]) for name in drawn)
    assert not np.array_equal(other["conv_hr.weight"], drawn["conv_hr.weight"])


@pytest.mark.parametrize(
    "name, spread",
    [
        ("resblocks.main.2.1.conv2.weight", 0.1 * np.sqrt(2 / (64 * 9))),  # kaiming-normal, fan-in, a tenth
        ("upsample2.upsample_conv.weight", np.sqrt(2 / (64 * 9))),
        (KERNEL, np.sqrt(2 / (64 * 49))),  # fan-out: 32 -> 64, 7x7
        ("conv_hr.weight", 1 / np.sqrt(3 * 64 * 9)),  # uniform within 1 / sqrt(fan-in)
        ("fusion.weight", 1 / np.sqrt(3 * 192)),
    ],
)
def test_spread(drawn, name, spread):
    # of n numbers the spread is known to about 1 / sqrt(2 n); the smallest of these has 12288
    assert drawn[name].std() == pytest.approx(spread, rel=0.03)


def test_biases(drawn):
    assert not any(
        drawn[name].any() for name in drawn if name.endswith("bias") and (".main.2." in name or "spynet" in name)
    )
    assert 0 < np.abs(drawn["conv_hr.bias"]).max() <= 1 / np.sqrt(64 * 9)


@pytest.mark.parametrize("prefix", ["", "spynet.", "generator.spynet.", "module.spynet."])
def test_the_flow_network_of_another_checkpoint(drawn, prefix):
    flow = {name: array + 1 for name, array in drawn.items() if name.startswith("spynet.")}
    raw = RawCheckpoint({name.replace("spynet.", prefix): array for name, array in flow.items()})
    taken = with_flow(drawn, "spynet.pth", raw)
    assert np.array_equal(taken[KERNEL], flow[KERNEL]) and np.array_equal(
        taken["conv_hr.weight"], drawn["conv_hr.weight"]
    )
    assert np.array_equal(taken["spynet.mean"], drawn["spynet.mean"])  # constants are the network's own


def test_no_flow_network_in_it(drawn):
    flow = {name: array for name, array in drawn.items() if name.startswith("spynet.")}
    with pytest.raises(
        PortError, match=r"--flow x\.pth holds no flow network for TTVSR: it lacks spynet\.basic_module\.0"
    ):
        with_flow(drawn, "x.pth", RawCheckpoint({"conv.weight": drawn["conv_hr.weight"]}))
    with pytest.raises(PortError, match=r"the shape \(1,\) does not fit spynet\.basic_module\.3"):
        with_flow(drawn, "x.pth", RawCheckpoint(flow | {KERNEL: np.zeros(1, np.float32)}))
