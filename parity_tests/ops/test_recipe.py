"""The training recipe against Adam written out in float64: rates, freezing, and moments that start when a network thaws."""

import numpy as np
import pytest

from parity_tests.ops.both import COLUMNS, make_weights
from port.weights import tensors_file
from port.weights.ttvsr import TTVSRConfig

RATE, PERIOD, FROZEN, STEPS = 1e-2, 5, 2, 5
LAST, BETA1, BETA2, EPS = 1e-7, 0.9, 0.99, 1e-8
WATCHED = ("conv_last.bias", "fusion.bias", "spynet.basic_module.0.basic_module.0.conv.bias")


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "weights.safetensors"
    tensors_file.write(path, make_weights(TTVSRConfig(4, 1), 0))
    return path


def rate_at(step, name):
    """One cosine from the full rate (an eighth for the flow network) down to 1e-7."""
    full = RATE * (0.125 if name.startswith("spynet.") else 1.0)
    return LAST + (full - LAST) * (1 + np.cos(np.pi * step / PERIOD)) / 2


def adam(name, start, gradients, counted_from):
    """Where a parameter is after every step. counted_from: the step at which the count of the bias correction starts"""
    p, m, v, path = start.astype(np.float64), 0.0, 0.0, []
    for step, gradient in enumerate(gradients):
        if not name.startswith("spynet.") or step >= FROZEN:
            g, t = gradient.astype(np.float64), step - counted_from + 1
            m, v = BETA1 * m + (1 - BETA1) * g, BETA2 * v + (1 - BETA2) * g * g
            p = p - rate_at(step, name) * (m / (1 - BETA1**t)) / (np.sqrt(v / (1 - BETA2**t)) + EPS)
        path.append(p)
    return path


def drive(side, weights_file, gradients):
    """Take the steps in one column. gradients: name -> one array per step. -> name -> its value after every step, rates"""
    recipe = side.module("recipe")
    net = recipe.network(weights_file)
    parameters = side.parameters(net)  # before the flow network freezes: MindSpore leaves frozen ones out
    made = recipe.Recipe(net, RATE, PERIOD, FROZEN)
    path, rates = {name: [] for name in gradients}, []
    for step in range(STEPS):
        rates.append([float(group["lr"]) for group in made.param_groups])
        given = {name: gradients[name][step] if name in gradients else np.zeros(p.shape, np.float32)
                 for name, p in parameters.items()}  # fmt: skip
        if side.name == "torch":
            for name, parameter in parameters.items():
                parameter.grad = side.tensor(given[name]) if parameter.requires_grad else None
            made.step()
        else:
            names = {id(parameter): name for name, parameter in parameters.items()}
            order = [names[id(p)] for group in made.param_groups for p in group["params"]]
            made(tuple(side.tensor(given[name]) for name in order))
        for name in gradients:
            path[name].append(side.array(parameters[name]).astype(np.float64))
    return path, rates


@pytest.fixture(scope="module")
def gradients(weights_file):
    rng, held = np.random.default_rng(4), tensors_file.load(weights_file).tensors
    return {name: [(1e-3 * rng.standard_normal(held[name].shape)).astype(np.float32) for _ in range(STEPS)]
            for name in WATCHED}  # fmt: skip


@pytest.fixture(scope="module", params=list(COLUMNS))
def driven(request, weights_file, gradients):
    """Both columns in turn, each driven once."""
    return drive(COLUMNS[request.param](), weights_file, gradients)


def test_steps_are_those_of_adam(driven, weights_file, gradients):
    path, rates = driven
    np.testing.assert_allclose(rates, [[rate_at(k, "fusion"), rate_at(k, "spynet.")] for k in range(STEPS)], rtol=2e-6)
    held = tensors_file.load(weights_file).tensors
    for name in WATCHED:
        expected = adam(name, held[name], gradients[name], FROZEN if name.startswith("spynet.") else 0)
        for found, exact in zip(path[name], expected, strict=True):
            # steps of at most 1e-2 onto values of at most 0.3: float32 keeps each sum to 3e-8, the update to 1e-5 of itself
            np.testing.assert_allclose(found, exact, rtol=0, atol=5e-7, err_msg=name)


def test_a_frozen_network_stands_still_and_thaws(driven, weights_file):
    path, _ = driven
    name, held = WATCHED[2], tensors_file.load(weights_file).tensors
    assert all(np.array_equal(path[name][step], held[name]) for step in range(FROZEN))
    assert (path[name][FROZEN] != held[name]).all()


def test_counting_from_the_first_step_would_show(weights_file, gradients):
    """What one MindSpore Adam for all parameters would do: the tolerance above tells it from the right one by far."""
    name, held = WATCHED[2], tensors_file.load(weights_file).tensors
    right, wrong = (adam(name, held[name], gradients[name], start)[FROZEN] for start in (FROZEN, 0))
    assert np.abs(right - wrong).max() > 1000 * 5e-7 * 0.1
