"""The same training in both frameworks: the losses stay within what rounding alone makes of them, over 25 iterations.

The committed report, reports/curves, has 60; each iteration of the port takes a second or two here.
"""

import json
import sys

import numpy as np
import pytest

from parity_tests.train.conftest import QUICK, START, surroundings
from port.parity.tolerance import load
from port.report.curve_report import write_curve_report
from port.train import curves

ITERATIONS = 25
CHANGES = (*QUICK, f"iterations={ITERATIONS}", f"period={ITERATIONS}", "save_every=1000", "frozen=20", "warmup=3")


@pytest.fixture(scope="module")
def compared(clips, tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    with pytest.MonkeyPatch.context() as patched:
        for name, value in surroundings().items():
            patched.setenv(name, value)
        start = lambda column: [sys.executable, "-m", START, column]  # noqa: E731
        data = ["--root", str(clips / "lq"), "--gt", str(clips / "gt")]
        with patched.context() as smaller:
            smaller.setattr("port.models.ttvsr.MIN_SIZE", 16)
            return curves.compare("tiny", CHANGES, data, folder, None, start), folder


@pytest.mark.slow
def test_the_curves_agree_and_the_network_learns(compared):
    found, _ = compared
    reference = found.losses["reference"]
    assert reference.shape == (ITERATIONS,)
    assert np.median(reference[-10:]) < np.median(reference[:10])
    assert found.first_beyond() is None, (found.difference("port"), found.limit())
    assert 0 < found.difference("rounded").max() < 1e-3  # or the limit would let pass anything
    # The first loss is one forward pass from equal weights: nothing has grown yet.
    assert found.difference("port")[0] < 1e-6


@pytest.mark.slow
def test_the_report(compared, tmp_path):
    found, _ = compared
    data = write_curve_report(tmp_path, found, {"command": "python -m port train-compare", "preset": "tiny"})
    assert data["verdict"] == "pass" and len(data["relative_difference"]["port"]) == ITERATIONS
    assert json.loads((tmp_path / "report.json").read_text())["losses"]["port"] == list(found.losses["port"])
    page = (tmp_path / "report.md").read_text()
    assert f"{data['largest_difference']['port']:.1e}" in page and "## Why not closer" in page
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def made(port, rounded=1e-7):
    """Curves whose differences are known."""
    reference = np.full(5, 0.5)
    return curves.Curves(
        {"reference": reference, "port": reference * (1 + port), "rounded": reference * (1 + rounded)}, {}
    )


@pytest.mark.parametrize(
    "port, beyond",
    [
        (np.zeros(5), None),
        (np.array([0, 0, 4e-6, 0, 0]), None),  # 8 times 4 units of float32 are 3.8e-6: rounding made 1e-6 here
        (np.array([0, 0, 9e-6, 0, 0]), 3),
        (np.array([0, 0, 0, 0, np.nan]), 5),
    ],
)
def test_the_limit(port, beyond):
    assert made(port, 1e-6).first_beyond() == beyond


def test_the_floor_of_the_limit():
    """Where rounding shows nothing, four units of float32 stand for it."""
    eps = np.finfo(np.float32).eps
    assert made(np.zeros(5), 0.0).limit() == pytest.approx(load().curves_ratio * 4 * eps)


def test_rounded_weights_are_neighbours():
    weights = {"a": np.linspace(-1, 1, 101, dtype=np.float32), "spynet.mean": np.ones(3, np.float32)}
    moved = curves.rounded(weights)
    assert np.array_equal(moved["spynet.mean"], weights["spynet.mean"])
    steps = moved["a"].astype(np.float64) - weights["a"]
    assert (steps != 0).all() and (steps > 0).any() and (steps < 0).any()
    assert np.array_equal(np.abs(steps) <= np.spacing(np.abs(weights["a"])), np.ones(101, bool))
