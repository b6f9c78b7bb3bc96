"""The training loss."""

import numpy as np


def test_charbonnier_by_hand(side):
    """Differences 3, -4, 0 and 0.5: sqrt(d^2 + 1e-12) is |d| to float32, and 1e-6 at zero; mean over every element."""
    output, target = [[3.0, 1.0], [2.0, 0.5]], [[0.0, 5.0], [2.0, 0.0]]
    shape = (1, 1, 1, 2, 2)
    output, target = np.reshape(output, shape).astype(np.float32), np.reshape(target, shape).astype(np.float32)
    loss = side.array(side.module("loss").charbonnier(side.tensor(output), side.tensor(target)))
    assert loss.shape == ()
    assert abs(float(loss) - (3 + 4 + 1e-6 + 0.5) / 4) <= 5e-7  # two roundings of a float32 near 1.9


def test_equal_pictures_cost_the_root_of_eps(side):
    """1e-6, not 0: eps stands under the root and inside the mean."""
    x = side.tensor(np.full((1, 2, 3, 4, 4), 0.25, np.float32))
    assert abs(float(side.array(side.module("loss").charbonnier(x, x))) - 1e-6) < 1e-12


def test_gradient_by_hand(side):
    """d / sqrt(d^2 + 1e-12) / elements: zero at d = 0, 0.7071 at d = 1e-6, the sign elsewhere; opposite for the target."""
    differences = np.array([0.0, 1e-6, -1e-6, 0.3, -0.7, 1e-3], np.float32)
    output, target = differences.reshape(1, 1, 1, 2, 3), np.zeros((1, 1, 1, 2, 3), np.float32)
    _, (by_output, by_target), _ = side.gradients(side.module("loss").charbonnier, [output, target])
    root_half = np.sqrt(0.5)
    expected = np.array([0.0, root_half, -root_half, 1.0, -1.0, 1.0]).reshape(output.shape) / 6
    # 1e-6 squared and added to 1e-12 in float32: relative error of a few eps; d = 1e-3 is 5e-7 short of its limit
    np.testing.assert_allclose(by_output, expected, rtol=2e-6, atol=0)
    np.testing.assert_allclose(by_target, -expected, rtol=2e-6, atol=0)
