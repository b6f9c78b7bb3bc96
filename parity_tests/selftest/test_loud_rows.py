"""Rows of the catalogue that are not planted because they raise: each is tried here, on this version and this CPU."""

import numpy as np
import pytest
from mindspore import Tensor, mint, nn, ops

from port.selftest.catalogue import LOUD, ROWS

RNG = np.random.default_rng(0)
X = Tensor(RNG.standard_normal((2, 8, 6, 6)).astype(np.float32))
Y = Tensor(RNG.standard_normal((8, 8)).astype(np.float32))
FIRST = Tensor(np.zeros((8, 1), np.int32))

RAISING = {
    4: lambda: nn.Conv2d(8, 8, 3, padding=1)(X),
    20: lambda: nn.InstanceNorm2d(8, affine=False)(X),
    29: lambda: nn.ELU(0.5)(X),
    38: lambda: nn.AdaptiveAvgPool1d(4)(X[0]),
    39: lambda: nn.AdaptiveMaxPool1d(3, True)(X[0]),
    42: lambda: ops.interpolate(X, scale_factor=2.0, mode="bilinear"),
    56: lambda: nn.Conv2d(8, 8, 3, data_format="NHWC")(X),
    74: lambda: Y[0].masked_scatter(Y > 0, Y),
    75: lambda: ops.scatter(Y, 1, FIRST, Y),
    84: lambda: ops.cat([Y, Y.astype("float16")]).asnumpy(),
    85: lambda: ops.roll(Y, 1, 0),
    86: lambda: mint.std(Y).asnumpy(),
}


def test_every_such_row_is_tried():
    assert set(RAISING) == {row for row, (_, why) in ROWS.items() if why.startswith(LOUD)}


@pytest.mark.parametrize("row", RAISING)
def test_it_raises(row):
    with pytest.raises((RuntimeError, ValueError, TypeError)):
        np.asarray(RAISING[row]().asnumpy())
