"""Convolutions of a run, counted by shape, and the operations in them.

A convolution takes n * out * h' * w' * in * kh * kw multiply-adds: for each of the n * out * h' * w' values that come out,
one for every weight of a kernel (`in` is per group). Two operations each; the bias, one addition a value, is not counted. On
the way back the gradient of the input takes the same number again, and so does the gradient of the weights.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from port.errors import PortError

FRAME_CHANNELS = 3  # convolutions over these read the frames themselves, which take no gradient
IN_A_ROW = 8  # calls that are timed together, so that starting them counts as it does in the network
MOST_BYTES = 128 << 20  # of what these leave: fewer are timed together when pictures are large


@dataclass(frozen=True)
class Convolution:
    """One kind of call. Two calls of the same kind take the same time.

    weight   (out, in / groups, kh, kw)
    input    (n, in, h, w)
    stride   of rows and columns; padding: zeros on each side
    dtype    name of the element type
    layout   in memory, of the input or the weights: "contiguous" (n, c, h, w) or "channels_last" (n, h, w, c)
    """

    weight: tuple[int, int, int, int]
    input: tuple[int, int, int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dtype: str = "float32"
    layout: str = "contiguous"

    @property
    def output(self) -> tuple[int, int, int, int]:
        """(n, out, h', w')"""
        (n, _, *size), (leaving, _, *kernel) = self.input, self.weight
        h, w = ((a + 2 * p - k) // s + 1 for a, p, k, s in zip(size, self.padding, kernel, self.stride, strict=True))
        return n, leaving, h, w

    @property
    def groups(self) -> int:
        return self.input[1] // self.weight[1]

    @property
    def multiply_adds(self) -> int:
        """Of the way forward."""
        return prod(self.output) * prod(self.weight[1:])

    @property
    def input_takes_gradient(self) -> bool:
        return self.input[1] != FRAME_CHANNELS

    @property
    def chained(self) -> bool:
        """Whether its output can be the input of the next one of the same kind, as in a residual trunk."""
        return self.output == self.input


Calls = Mapping[Convolution, int]


def operations(calls: Calls, back: bool = False) -> int:
    """Two for every multiply-add of all calls; back: those of all gradients, too."""
    return sum(
        2 * count * one.multiply_adds * (1 + back * (1 + one.input_takes_gradient)) for one, count in calls.items()
    )


def together(one: Convolution, count: int) -> int:
    """How many calls are timed together."""
    return max(1, min(count, IN_A_ROW, MOST_BYTES // (4 * prod(one.output))))


class Record:
    """Convolutions that a run has called."""

    def __init__(self):
        self.calls: Counter[Convolution] = Counter()

    def add(self, weight, entering, stride, padding, dilation, dtype: str, layout: str = "contiguous") -> Convolution:
        """One call. Raises PortError for a kind that the floor does not run."""
        if tuple(dilation) != (1, 1):
            raise PortError(f"a convolution with dilation {tuple(dilation)} was called; the floor has none such.")
        own = Convolution(tuple(weight), tuple(entering), tuple(stride), tuple(padding), dtype, layout)
        self.calls[own] += 1
        return own
