"""Every mistake made on values by hand gets its own name first; noise and right values get none."""

import numpy as np
import pytest
from hypothesis import given as given_values
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from port.diagnose.diagnose import diagnose
from port.diagnose.evidence import Evidence
from port.diagnose.labels import LABELS

RNG = np.random.default_rng(11)
X = RNG.standard_normal((2, 8, 12, 12)).astype(np.float32)
ROWS = RNG.standard_normal((40, 16)).astype(np.float32)
SQUARE = RNG.standard_normal((8, 8)).astype(np.float32)
KERNEL = RNG.standard_normal((4, 3, 3, 3)).astype(np.float32)
BIAS = RNG.standard_normal(8).astype(np.float32)


def channels(values):
    return values[None, :, None, None]


def with_border(x):
    x = x.copy()
    x[..., -1, :] = 0
    return x


def norm(x, eps):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps)


def batch_norm(x, mean, var):
    return ((x - channels(mean)) / np.sqrt(channels(var) + 1e-5)).astype(np.float32)


def out(reference, port, **more):
    return Evidence("forward", "output", "s", reference=reference, port=port, **more)


def moved(kind, reference, port, **context):
    return Evidence("training", kind, "s", reference=reference, port=port, context=context)


MEAN, VAR = RNG.standard_normal(8) * 0.3, RNG.uniform(0.4, 2, 8)
STATISTICS = {"running_mean": MEAN, "running_var": VAR}
CASES = [
    ("nan", out(X, np.where(X > 2, np.nan, X))),
    ("shape", out(X, X[..., 1:])),
    ("dtype", out(X, X.astype(np.float64))),
    ("half_cast", out(X, X.astype(np.float16).astype(np.float32))),
    ("half_cast", out(X, (X.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32))),
    ("missing_bias", out(X + channels(BIAS), X, parameters={"bias": BIAS})),
    ("missing_term", out(X + X[::-1], X, inputs=[X[::-1]])),
    ("scale", out(X, X * np.float32(0.7))),
    ("scale", out(X, X * channels(BIAS))),
    ("offset", out(X, X + channels(BIAS))),
    ("affine", out(X, X * channels(BIAS) + channels(BIAS[::-1]))),
    ("shift", out(X, np.pad(X, ((0, 0), (0, 0), (0, 0), (1, 0)))[..., :-1])),
    ("border", out(X, with_border(X))),
    ("permuted_channels", out(X, X[:, ::-1])),
    ("permuted_pixels", out(X, X.swapaxes(-1, -2))),
    ("permuted_pixels", out(X, X.reshape(2, 12, 12, 8).transpose(0, 3, 1, 2))),
    ("slope", out(np.where(X < 0, 0.1 * X, X), np.where(X < 0, 0.2 * X, X), inputs=[X])),
    ("activation", out(np.where(X < 0, 0.1 * X, X), 1 / (1 + np.exp(-X)), inputs=[X])),
    ("epsilon", out(norm(ROWS, 1e-5), norm(ROWS, 1e-2), inputs=[ROWS], module_type="LayerNorm")),
    ("training_mode", out(batch_norm(X, MEAN, VAR), batch_norm(X, X.mean((0, 2, 3)), X.var((0, 2, 3))), inputs=[X],
                          parameters=STATISTICS)),
    ("stale_buffer", out(batch_norm(X, MEAN, VAR), batch_norm(X, MEAN * 0, VAR * 0 + 1), inputs=[X], parameters=STATISTICS)),
    ("transposed_weight", Evidence("forward", "parameter", "s", reference=SQUARE, port=SQUARE.T)),
    ("flipped_weight", Evidence("forward", "parameter", "s", reference=KERNEL, port=KERNEL[..., ::-1])),
    ("wrong_weight", Evidence("forward", "parameter", "s", reference=KERNEL, port=KERNEL[::-1])),
    ("stale_buffer", Evidence("forward", "parameter", "s", reference=BIAS, port=np.ones_like(BIAS))),
    ("gradient_cut", Evidence("backward", "gradient", "s", reference=X, port=np.zeros_like(X))),
    ("gradient_cut", Evidence("backward", "gradient", "s", reference=X, port=None)),
    ("gradient_not_cut", Evidence("backward", "gradient", "s", reference=None, port=X)),
    ("gradient_scale", Evidence("backward", "gradient", "s", reference=X, port=X * np.float32(1.3))),
    ("reduction", Evidence("backward", "gradient", "s", reference=X / 2304, port=X)),
    ("not_updated", moved("update", SQUARE, SQUARE * 0)),
    ("frozen", moved("update", SQUARE * 0, SQUARE)),
    ("momentum", moved("buffer", BIAS, BIAS * 9)),
    ("stale_buffer", moved("buffer", BIAS, BIAS * 0)),
    ("learning_rate", moved("lr", np.array(0.1), np.array(0.2), step=3)),
    ("optimizer", moved("update", SQUARE, SQUARE * np.float32(1.4))),  # a wrong rate would be a wrong "lr" before it
    ("weight_decay", moved("update", SQUARE, SQUARE - 0.01 * KERNEL.reshape(-1)[:64].reshape(8, 8),
                           parameter=KERNEL.reshape(-1)[:64].reshape(8, 8))),
]  # fmt: skip


@pytest.mark.parametrize(("label", "evidence"), CASES, ids=[f"{i}-{label}" for i, (label, _) in enumerate(CASES)])
def test_mistake_has_its_name_first(label, evidence):
    first = diagnose(evidence)[0]
    assert first.label == label, first
    assert first.label in LABELS and first.explained > 0.98 and first.suggestion


@pytest.mark.parametrize(
    "port",
    [
        X + RNG.standard_normal(X.shape).astype(np.float32),
        RNG.standard_normal(X.shape).astype(np.float32),
        np.where(RNG.random(X.shape) < 0.01, 0, X).astype(np.float32),
    ],
    ids=["noise", "other values", "holes"],
)
def test_no_guess_without_a_signature(port):
    (only,) = diagnose(out(X, port, inputs=[X], parameters={"bias": BIAS}))
    assert only.label == "unknown" and only.explained == 0.0


ARRAYS = hnp.arrays(np.float32, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=9))


@settings(max_examples=150, deadline=None)
@given_values(
    reference=ARRAYS,
    port=ARRAYS,
    kind=st.sampled_from(["output", "gradient", "update", "lr", "buffer", "parameter", "loss"]),
)
def test_never_raises(reference, port, kind):
    for pair in ((reference, port), (reference, None), (None, port), (reference, reference * 2)):
        with np.errstate(all="ignore"):
            found = diagnose(Evidence("forward", kind, "s", reference=pair[0], port=pair[1], inputs=[reference]))
        assert found and all(finding.label in LABELS for finding in found)
