"""How the numbers of one tensor lie in the other framework: a few words each, both ways, on arrays and on ranges of bytes.

    same             the same array
    ones             the same numbers; axes of length one come or go (Conv1d has one more in MindSpore)
    transpose        a matrix with its axes swapped
    gates 0 2 1 3    equal blocks along the first axis in another order: block i of the port is block p[i] of the reference
    split 3          one tensor of the reference is cut along its first axis into so many of the port (fused q, k, v)
    join 3           so many tensors of the reference lie one behind the other in one of the port

All but `transpose` move whole ranges of bytes, so that tensors of any size can be streamed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from port.errors import PortError

Shape = tuple[int, ...]
Pieces = list[list[tuple[int, int, int]]]  # for every target: (source, first byte, byte behind the last), in order
FORMS = "same, ones, transpose, gates 0 2 1 3, split 3, join 3"
MOST = 1024  # blocks, parts


@dataclass(frozen=True)
class Layout:
    """One of the forms above. `numbers` are the words behind its name."""

    form: str
    numbers: tuple[int, ...] = ()

    def __str__(self) -> str:
        return " ".join([self.form, *map(str, self.numbers)])

    @property
    def counts(self) -> tuple[int, int]:
        """How many tensors (of the reference, of the port) it is about."""
        parts = self.numbers[0] if self.form in ("split", "join") else 1
        return (1, parts) if self.form == "split" else (parts, 1)

    def reversed(self) -> "Layout":
        """The layout of the way back."""
        if self.form == "gates":
            return Layout("gates", tuple(int(i) for i in np.argsort(self.numbers)))
        return Layout({"split": "join", "join": "split"}.get(self.form, self.form), self.numbers)

    def fits(self, reference: Sequence[Shape], port: Sequence[Shape]) -> bool:
        """Whether tensors of these shapes can be each other."""
        if (len(reference), len(port)) != self.counts:
            return False
        if self.form == "split":
            return self.reversed().fits(port, reference)
        if self.form == "join":
            same = all(len(shape) > 0 and shape[1:] == port[0][1:] for shape in (*reference, *port))
            return same and sum(shape[0] for shape in reference) == port[0][0]
        a, b = reference[0], port[0]
        if self.form == "ones":
            return [n for n in a if n != 1] == [n for n in b if n != 1]
        if self.form == "transpose":
            return len(a) == 2 and a[::-1] == b
        return a == b and (self.form == "same" or (len(a) > 0 and a[0] % len(self.numbers) == 0))

    def forward(self, arrays: Sequence[np.ndarray], shapes: Sequence[Shape]) -> list[np.ndarray]:
        """Tensors of the reference as those of the port, which have these shapes."""
        array = arrays[0]
        if self.form == "split":
            ends = np.cumsum([shape[0] for shape in shapes])[:-1]
            return [np.ascontiguousarray(part) for part in np.split(array, ends)]
        if self.form == "join":
            return [np.concatenate(arrays)]
        if self.form == "transpose":
            return [np.ascontiguousarray(array.T)]
        if self.form == "gates":
            blocks = np.split(array, len(self.numbers))
            return [np.concatenate([blocks[i] for i in self.numbers])]
        return [array.reshape(shapes[0])]

    def backward(self, arrays: Sequence[np.ndarray], shapes: Sequence[Shape]) -> list[np.ndarray]:
        """Tensors of the port as those of the reference, which have these shapes."""
        return self.reversed().forward(arrays, shapes)

    def pieces(self, sources: Sequence[int], targets: Sequence[int]) -> Pieces:
        """Which bytes of the reference's tensors make the port's. sources, targets: their sizes in bytes. Not for transpose."""
        if self.form == "split":
            ends = [0, *np.cumsum(targets).tolist()]
            return [[(0, start, stop)] for start, stop in pairwise(ends)]
        if self.form == "gates":
            block = sources[0] // len(self.numbers)
            return [[(0, i * block, (i + 1) * block) for i in self.numbers]]
        return [[(i, 0, size) for i, size in enumerate(sources)]]


SAME, ONES, TRANSPOSE = Layout("same"), Layout("ones"), Layout("transpose")


def parse_layout(text: object) -> Layout:
    """A layout from its words. Raises PortError for any others."""
    form, *words = text.split() if isinstance(text, str) and text.strip() else [""]
    numbers = tuple(int(word) for word in words if word.isascii() and word.isdigit() and len(word) < 5)
    right = {
        **dict.fromkeys(("same", "ones", "transpose"), not words),
        **dict.fromkeys(("split", "join"), len(numbers) == 1 and 2 <= numbers[0] <= MOST),
        "gates": sorted(numbers) == list(range(len(numbers))) and 2 <= len(numbers) <= MOST,
    }
    if len(numbers) != len(words) or not right.get(form, False):
        raise PortError(f"unknown layout {text!r}; known are, with numbers of your own: {FORMS}")
    return Layout(form, numbers)


def plain(reference: Shape, port: Shape) -> Layout | None:
    """The layout that moves no number, where there is one."""
    if reference == port:
        return SAME
    return ONES if ONES.fits([reference], [port]) else None


def fitted(name: str, array: np.ndarray, shape: Shape) -> np.ndarray:
    """The array in the shape of its tensor, axes of length one apart. Raises PortError for any other shape."""
    if plain(array.shape, shape) is None:
        raise PortError(f"parameter {name!r}: shape {array.shape} in the file, {shape} in the network.")
    return array.reshape(shape)


def size(shape: Shape) -> int:
    """Numbers in a tensor."""
    return math.prod(shape)
