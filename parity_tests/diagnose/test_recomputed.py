"""Diagnoses that compute a layer again: each mistake made by hand gets its name, and the right value gets none."""

import numpy as np
import pytest

from port.diagnose import attention, layers, windows
from port.diagnose.diagnose import diagnose
from port.diagnose.evidence import Evidence

RNG = np.random.default_rng(3)
PICTURE = RNG.standard_normal((2, 4, 12, 12)).astype(np.float32)
KERNEL, BIAS = RNG.standard_normal((4, 4, 3, 3)).astype(np.float32), RNG.standard_normal(4).astype(np.float32)
SQUARE = RNG.standard_normal((8, 8)).astype(np.float32)
ROWS = RNG.standard_normal((10, 8)).astype(np.float32)
WORDS = [RNG.standard_normal((2, 5, 8)) for _ in range(3)]
FLOW_GRID = RNG.uniform(-1.3, 1.3, (2, 6, 6, 2))
POSITIONS = np.stack(np.meshgrid(np.linspace(-1, 1, 6), np.linspace(-1, 1, 6)), -1)[None].repeat(2, 0)


def output(reference, port, *inputs, **more):
    """Evidence of a module's output."""
    known = {"stage": "forward", "kind": "output", "site": "forward/m:out", "module": "m", **more}
    arrays = [np.asarray(a, np.float32) for a in inputs]
    return Evidence(reference=np.float32(reference), port=np.float32(port), inputs=arrays, **known)


def conv(**changes):
    """Evidence of a 3x3 convolution with one thing changed."""
    stated = layers.Convolution(KERNEL.astype(np.float64), changes.pop("stride", 1), (1, 1, 1, 1))
    changed = layers.replace(stated, **changes)
    text = f"Conv2d(4, 4, kernel_size=(3, 3), stride=({stated.stride}, {stated.stride}), padding=(1, 1))"
    reference, port = (layers.convolve(PICTURE.astype(np.float64), c, BIAS) for c in (stated, changed))
    known = {"module_type": "Conv2d", "description": text, "parameters": {"weight": KERNEL, "bias": BIAS}}
    return output(reference, port, PICTURE, **known)


def norm(groups, eps):
    parameters = {"weight": np.linspace(0.5, 2, 4), "bias": np.ones(4)}
    made = [layers.grouped(PICTURE.astype(np.float64), g, e, parameters) for g, e in ((2, 1e-5), (groups, eps))]
    return output(
        *made, PICTURE, module_type="GroupNorm", description="GroupNorm(2, 4, eps=1e-05)", parameters=parameters
    )


def attended(form):
    made = dict(attention.forms(*WORDS, heads=2))
    return output(made["the width of a head", -1, "no mask"], made[form], *WORDS)


def pooled(words, own="the mean of 2x2 pixels"):
    made = dict(windows.windows(PICTURE.astype(np.float64), (6, 6)))
    return output(made[own], made[words], PICTURE)


def resized(mode, corners):
    return output(
        windows.resize(PICTURE, (9, 9), "bilinear", False), windows.resize(PICTURE, (9, 9), mode, corners), PICTURE
    )


def sampled(*form):
    x = PICTURE.astype(np.float64)
    own = windows.sample(x, FLOW_GRID, "bilinear", "border", True)
    return output(own, windows.sample(x, FLOW_GRID, *form), PICTURE, FLOW_GRID)


def at_bounds():
    x = np.clip(ROWS, -1, 1)
    wrong = np.where(np.abs(x) == 1, 0.5, 1.0) * ROWS
    return Evidence(
        "backward", "gradient", "forward/m:in0@grad", "m", inputs=[x], reference=ROWS, port=np.float32(wrong)
    )


def with_context(reference, port, **context):
    reference, port = np.float32(reference), np.float32(port)
    return Evidence("forward", "input", "forward/m:in0", "", reference=reference, port=port, context=context)


TINY_ROWS = ROWS * 1e-4
LENGTHS = np.linalg.norm(TINY_ROWS, axis=-1, keepdims=True)
UNIT = TINY_ROWS / LENGTHS
TURNED = POSITIONS[..., ::-1]
OTHER = 2 * UNIT**2
CASES = {
    "kernel mirrored": (conv(weight=KERNEL[..., ::-1].astype(np.float64)), "flipped_weight"),
    "kernel transposed": (conv(weight=KERNEL.swapaxes(-1, -2).astype(np.float64)), "transposed_weight"),
    "channels exchanged": (conv(weight=KERNEL.swapaxes(0, 1).astype(np.float64)), "transposed_weight"),
    "dilated": (conv(dilation=2, pad=(2, 2, 2, 2)), "shape"),
    "same padding at stride 2": (conv(stride=2, pad=(0, 1, 0, 1)), "shift"),
    "dense": (output(ROWS @ SQUARE.T, ROWS @ SQUARE, ROWS, parameters={"weight": SQUARE}), "transposed_weight"),
    "groups": (norm(4, 1e-5), "affine"),
    "group norm's epsilon": (norm(2, 1e-3), "epsilon"),
    "unit length's epsilon": (output(UNIT, TINY_ROWS / np.maximum(LENGTHS, 1e-3), TINY_ROWS), "epsilon"),
    "scale of the scores": (attended(("no scale", -1, "no mask")), "scale"),
    "softmax axis": (attended(("the width of a head", -2, "no mask")), "softmax_axis"),
    "mask": (attended(("the width of a head", -1, "a mask of what comes later")), "missing_term"),
    "maximum for mean": (pooled("the maximum of 2x2 pixels"), "pooling_replaced"),
    "larger window": (pooled("the mean of 3x3 pixels"), "pooling_replaced"),
    "one pixel for the mean": (pooled("every so many pixels"), "pooling_replaced"),
    "align_corners": (resized("bilinear", True), "align_corners"),
    "nearest": (resized("nearest", False), "interpolation_mode"),
    "bicubic": (resized("bicubic", False), "interpolation_mode"),
    "warp's align_corners": (sampled("bilinear", "border", False), "align_corners"),
    "warp's border": (sampled("bilinear", "zeros", True), "border"),
    "warp by nearest": (sampled("nearest", "border", True), "interpolation_mode"),
    "other bound": (output(np.clip(ROWS, -1, 1), np.clip(ROWS, -1, 0.5), ROWS), "activation"),
    "square for magnitude": (output(np.abs(ROWS), ROWS**2, ROWS), "activation"),
    "running sum's axis": (output(np.cumsum(ROWS, 0), np.cumsum(ROWS, 1), ROWS), "softmax_axis"),
    "gradient on the bound": (at_bounds(), "subgradient"),
    "term left out": (with_context(ROWS + 2, ROWS + 2 - UNIT, before={"a:out": UNIT}), "missing_term"),
    "taken in place of": (with_context(ROWS, ROWS - UNIT + OTHER, before={"a:out": UNIT, "b:out": OTHER}), "missing_term"),
    "another call": (with_context(ROWS, UNIT, calls={"forward/m:in0#1": UNIT}), "shift"),
    "factor per pixel": (output(PICTURE, PICTURE * (1 + np.arange(144).reshape(12, 12)), PICTURE + 1), "scale"),
    "grid's rows and columns": (with_context(POSITIONS + 0.1 * FLOW_GRID, TURNED + 0.1 * FLOW_GRID), "permuted_pixels"),
    "grid's factor": (with_context(FLOW_GRID, FLOW_GRID * [0.9, 0.8] + [0.1, 0]), "affine"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_mistake_has_its_name_first(name):
    evidence, label = CASES[name]
    best = diagnose(evidence)[0]
    assert best.label == label, (best.label, best.says)
    assert best.says and best.suggestion


@pytest.mark.parametrize("name", CASES)
def test_an_unrelated_value_gets_no_name(name):
    """The same module with noise as large as the value: whatever is tried must not seem to fit."""
    evidence, _ = CASES[name]
    noise = np.random.default_rng(1).standard_normal(evidence.reference.shape).astype(np.float32)
    assert diagnose(layers.replace(evidence, port=noise))[0].label == "unknown"


def test_another_choice_is_named():
    places = np.arange(8, dtype=np.int32)
    evidence = Evidence("forward", "decision", "forward/m:out", "m", reference=places, port=places[::-1].copy())
    assert diagnose(evidence)[0].label == "wrong_choice"
    assert diagnose(layers.replace(evidence, port=places))[0].label == "unknown"


def test_a_loss_wrong_in_training_only_is_the_mode():
    evidence = Evidence("training", "loss", "step.00/loss", "", reference=np.float32(1.0), port=np.float32(1.5))
    assert diagnose(evidence)[0].label == "training_mode"
