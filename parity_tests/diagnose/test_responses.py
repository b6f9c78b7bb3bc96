"""Mistakes of rarer modules made by hand: each has its name first, and its nearest neighbour has another."""

import numpy as np
import pytest

from port.diagnose import responses, windows
from port.diagnose.diagnose import diagnose
from port.diagnose.evidence import Evidence
from port.parity.ratio import value_of
from port.parity.trace import Trace, TraceWriter

RNG = np.random.default_rng(5)
PICTURE = RNG.standard_normal((2, 8, 6, 6))
LRN = "LocalResponseNorm(3, alpha=0.5, beta=0.75, k=1.0)"
NEGATIVE = np.minimum(PICTURE, 0)
GRADIENT = RNG.standard_normal((4, 4)).astype(np.float32)


def output(reference, port, *inputs, description=""):
    arrays = [np.float32(a) for a in inputs]
    return Evidence("forward", "output", "forward/m:out", "m", description=description, inputs=arrays,
                    reference=np.float32(reference), port=np.float32(port))  # fmt: skip


def response(size, factor):
    """The norm of LRN as PyTorch defines it, by loops, and one of another size or factor."""
    made = []
    for n, alpha in ((3, 0.5 / 3), (size, factor)):
        value = np.empty_like(PICTURE)
        for c in range(8):
            near = PICTURE[:, max(c - n // 2, 0) : c + (n - 1) // 2 + 1]
            value[:, c] = PICTURE[:, c] / (1 + alpha * (near**2).sum(1)) ** 0.75
        made.append(value)
    return output(*made, PICTURE, description=LRN)


def leaky(slopes):
    return output(PICTURE - NEGATIVE * (1 - 11 / 48), PICTURE - NEGATIVE + slopes, PICTURE)


def update(moves, gradient=GRADIENT, lr=0.1):
    context = {"gradient": gradient, "lr": lr, "moves": moves, "step": 0}
    return Evidence(
        "training", "update", "step.00/m.w@update", "m", reference=0 * GRADIENT, port=GRADIENT, context=context
    )


def stretched(factor):
    made = (windows.resize(PICTURE, (7, 7), "bilinear", False, f) for f in (1.3, factor))
    return output(*made, PICTURE)


COSTS = RNG.exponential(20, PICTURE.shape)  # have nothing to do with the input
CASES = {
    "alpha whole": (response(3, 0.5), "local_response"),
    "alpha divided twice": (response(3, 0.5 / 9), "local_response"),
    "radius for size": (response(7, 0.5 / 3), "local_response"),
    "slopes drawn": (leaky(NEGATIVE * RNG.uniform(1 / 8, 1 / 3, PICTURE.shape)), "training_mode"),
    "one other slope": (leaky(NEGATIVE * 0.1), "slope"),
    "a curve": (leaky(np.expm1(NEGATIVE) / 2), "activation"),
    "factor from the sizes": (stretched(None), "align_corners"),
    "cut off": (output(COSTS, np.minimum(COSTS, 27.631), PICTURE), "activation"),
    "frozen": (update(False), "frozen"),
    "thawed too early": (update(True, lr=0.0), "frozen"),
    "waits for the second gradient": (update(True), "optimizer"),
}


@pytest.mark.parametrize("evidence, label", CASES.values(), ids=CASES)
def test_mistake_has_its_name_first(evidence, label):
    assert diagnose(evidence)[0].label == label


def test_the_right_value_is_not_explained():
    evidence = response(3, 0.5 / 3)
    assert responses.local_response(evidence) is None and responses.drawn_slopes(leaky(NEGATIVE * 11 / 48)) is None


def test_the_same_elements_in_another_shape_keep_it(tmp_path):
    """Such a value is not stored a second time; it must not come back in the reference's shape, nor not at all."""
    traces = []
    for side, shape in (("a", (16,)), ("b", (4, 4))):
        known = traces[0].sites["forward/m:out"].hash if traces else None
        writer = TraceWriter(tmp_path / side, 1 << 30)
        writer.add("forward/m:out", "output", GRADIENT.reshape(shape), True, known=known)
        writer.finish(None, run=side, seconds=0.0, error=None, environment={}, backend={})
        traces.append(Trace(tmp_path / side))
    reference, port = traces
    assert port.whole("forward/m:out") is None
    assert value_of("forward/m:out", port, reference).shape == (4, 4)
