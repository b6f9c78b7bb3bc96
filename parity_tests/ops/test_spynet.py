"""Optical flow: arithmetic by hand with weights that make the answer known, then both columns with random weights."""

import numpy as np
import pytest

from parity_tests.ops.both import AGREEMENT, COLUMNS, MEAN, STD, make_weights, worst
from parity_tests.ops.test_blocks import assert_normal, start
from port.weights.ttvsr import TTVSRConfig

PREFIX = "spynet."


def seeded_weights(seed=0):
    """Flows of about a pixel; the hidden layers keep their scale."""
    whole = make_weights(TTVSRConfig(1, 1), seed)
    return {name.removeprefix(PREFIX): array for name, array in whole.items() if name.startswith(PREFIX)}


def build(side, weights):
    return side.fill(side.module("spynet").SPyNet(), weights)


def flow_of(side, weights, ref, supp):
    return side.array(build(side, weights)(side.tensor(ref), side.tensor(supp)))


def pictures(rng, h, w, n=2):
    """Smooth, so that warping by a slightly different flow changes little."""
    coarse = rng.random((n, 3, h // 8 + 2, w // 8 + 2))
    fine = coarse.repeat(8, axis=2).repeat(8, axis=3)
    for _ in range(3):
        fine = (fine + np.roll(fine, 1, 2) + np.roll(fine, 1, 3) + np.roll(fine, 2, 2)) / 4
    return fine[:, :, 4 : h + 4, 4 : w + 4].astype(np.float32)


# --------------------------------------------------------------------------------------------------------- by hand


def constant_flow(changes):
    """Weights of zero and the last bias of each level: level k adds changes[k] = (dx, dy) everywhere."""
    weights = {name: np.zeros_like(array) for name, array in seeded_weights().items()}
    for level, change in enumerate(changes):
        weights[f"basic_module.{level}.basic_module.4.conv.bias"] = np.float32(change)
    weights["mean"], weights["std"] = (np.float32(values).reshape(1, 3, 1, 1) for values in (MEAN, STD))
    return weights


@pytest.mark.parametrize("h, w, up", [(64, 64, (64, 64)), (64, 70, (64, 96)), (66, 95, (96, 96))])
def test_flow_doubles_per_level_and_is_scaled_back_to_the_size(side, h, w, up):
    """A change at level k counts 2^(5-k) pixels of the enlarged picture; channel 0 shrinks with w, channel 1 with h."""
    changes = [(0.01 * (k + 1), -0.02 * (k + 2)) for k in range(6)]
    whole = [sum(change[axis] * 2 ** (5 - k) for k, change in enumerate(changes)) for axis in (0, 1)]
    ref = np.random.default_rng(0).random((1, 3, h, w), dtype=np.float32)
    out = flow_of(side, constant_flow(changes), ref, ref)
    assert out.shape == (1, 2, h, w)
    # resizing a constant adds a few roundings to each of six levels
    np.testing.assert_allclose(out[:, 0], whole[0] * w / up[1], rtol=2e-6)
    np.testing.assert_allclose(out[:, 1], whole[1] * h / up[0], rtol=2e-6)


def test_pyramid_is_normalised_and_halved_coarsest_first(side, seeded):
    """The coarsest pixel is the mean of a 32x32 square, minus mean, over std."""
    x = seeded.random((1, 3, 64, 96), dtype=np.float32)
    levels = build(side, constant_flow([(0, 0)] * 6))._pyramid(side.tensor(x), (64, 96))
    levels = [side.array(level) for level in levels]
    assert [level.shape[2:] for level in levels] == [(2, 3), (4, 6), (8, 12), (16, 24), (32, 48), (64, 96)]
    normalised = (x.astype(np.float64) - np.reshape(MEAN, (1, 3, 1, 1))) / np.reshape(STD, (1, 3, 1, 1))
    for side_length, level in ((32, levels[0]), (4, levels[3]), (1, levels[5])):
        h, w = 64 // side_length, 96 // side_length
        expected = normalised.reshape(1, 3, h, side_length, w, side_length).mean(axis=(3, 5))
        # five float32 means of four in a row
        np.testing.assert_allclose(level, expected, atol=2e-6)


def test_the_support_picture_is_warped_by_the_flow_so_far(side):
    """The last level shows channel 3 of its input, the warped support: shifted by the flow of the level before.

    The picture is a ramp along x, 0 .. 63 / 64, so that a shift by 8 pixels is 8 / 64 over std in the red channel.
    """
    weights = constant_flow([(0, 0)] * 4 + [(4.0, 0.0), (0, 0)])  # level 4: 4 pixels of its own, 8 at the last level
    for layer in range(5):  # pass on red of the warped support, kept positive through the ReLUs by an offset of 10
        name = f"basic_module.5.basic_module.{layer}.conv"
        weights[f"{name}.weight"][0, 3 if layer == 0 else 0, 3, 3] = 1
    weights["basic_module.5.basic_module.0.conv.bias"][0] = 10
    weights["basic_module.5.basic_module.4.conv.bias"][0] = -10
    ramp = np.broadcast_to(np.arange(64, dtype=np.float32) / 64, (1, 3, 64, 64)).copy()
    out = flow_of(side, weights, np.zeros_like(ramp), ramp)[0]
    shifted = (np.minimum(np.arange(64) + 8, 63) / 64 - MEAN[0]) / STD[0]
    np.testing.assert_allclose(out[0], np.broadcast_to(8 + shifted, (64, 64)), atol=2e-5)
    np.testing.assert_allclose(out[1], 0, atol=1e-6)


# ------------------------------------------------------------------------------------------------------ both columns


@pytest.mark.parametrize("size", [(64, 64), (64, 70), (71, 66)])
def test_flow_agrees(size, seeded):
    """Six levels feed each other here, and still the agreement asked of one module holds (measured 2e-6)."""
    ref, supp = pictures(seeded, *size), pictures(seeded, *size)
    reference, found = (flow_of(column(), seeded_weights(), ref, supp) for column in COLUMNS.values())
    assert 0.2 < np.abs(reference).mean() < 10  # there is motion to agree on
    assert worst(reference, found) <= AGREEMENT


def test_one_level_agrees(seeded):
    x = seeded.standard_normal((2, 8, 33, 40)).astype(np.float32)
    outputs = []
    for side in (column() for column in COLUMNS.values()):
        outputs.append(side.array(build(side, seeded_weights()).basic_module[3](side.tensor(x))))
    assert worst(*outputs) <= AGREEMENT


@pytest.mark.parametrize(
    "broken, least",
    [
        ("ref and supp exchanged", 0.1),
        ("one kernel mirrored", 1e-3),
        ("mean in BGR order", 1e-3),
        ("level 0 left out", 1e-3),
    ],
)
def test_the_comparison_sees_mistakes(broken, least, seeded):
    side, weights = COLUMNS["torch_ref"](), seeded_weights()
    ref, supp = pictures(seeded, 64, 70), pictures(seeded, 64, 70)
    reference = flow_of(side, weights, ref, supp)
    if broken.startswith("ref"):
        ref, supp = supp, ref
    if broken.startswith("one"):
        name = "basic_module.2.basic_module.1.conv.weight"
        weights[name] = weights[name][..., ::-1]
    if broken.startswith("mean"):
        weights["mean"] = weights["mean"][:, ::-1]
    if broken.startswith("level"):
        for part in ("weight", "bias"):
            weights[f"basic_module.0.basic_module.4.conv.{part}"] *= 0
    assert worst(reference, flow_of(side, weights, ref, supp)) > least


def test_mean_and_std_travel_with_the_weights_and_are_never_trained(side):
    """In MindSpore as parameters without gradient, since a .ckpt leaves buffers out; in PyTorch as buffers."""
    net = side.module("spynet").SPyNet()
    weights = side.weights(net)
    for name, values in (("mean", MEAN), ("std", STD)):
        assert weights[name].shape == (1, 3, 1, 1)
        assert weights[name].ravel().tolist() == np.float32(values).tolist()
    trained = side.parameters(net)
    assert len(trained) == 6 * 5 * 2 and not {"mean", "std"} & trained.keys()


def test_flow_network_starts_by_its_outputs(side):
    """mmcv's ConvModule: kaiming-normal, fan-out, gain sqrt 2; zero bias. All six levels pooled, layer by layer."""
    weights = start(side, lambda: side.module("spynet").SPyNet())
    for layer, leaving in enumerate((32, 64, 32, 16, 2)):
        names = [f"basic_module.{level}.basic_module.{layer}.conv" for level in range(6)]
        pooled = np.concatenate([weights[f"{name}.weight"].ravel() for name in names])
        assert_normal(pooled, np.sqrt(2 / (leaving * 49)))
        assert not any(weights[f"{name}.bias"].any() for name in names)
