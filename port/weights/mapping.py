"""A map of weights: which tensors of the port are which of the reference's, in what layout, and how that was found."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from port.errors import PortError
from port.weights.layouts import SAME, Layout, Shape
from port.weights.rules import quote

TABLE, NAMES, FUSED, SHAPE, CALLS, STRUCTURE, SEARCH, HAND = (
    "table", "names", "fused names", "shape", "calls", "structure", "search", "by hand",
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One line of a map.

    torch, port  names; several on the fused side's other side
    also         other names of the reference for the same tensor (tied weights)
    strategy     how it was found; `proof`: what shows that it is right
    """

    torch: tuple[str, ...]
    port: tuple[str, ...]
    torch_shapes: tuple[Shape, ...]
    port_shapes: tuple[Shape, ...]
    layout: Layout = SAME
    strategy: str = NAMES
    proof: str = ""
    also: tuple[str, ...] = ()

    def fits(self) -> bool:
        """Whether the layout can lead from one side's shapes to the other's."""
        return self.layout.fits(self.torch_shapes, self.port_shapes)


@dataclass
class WeightMap:
    """All lines. left_out: names of the reference that the port does without -> reason; `made`: shape and element type that a
    file of the reference gets for them on the way back, zeros"""

    entries: list[Entry]
    left_out: dict[str, str] = field(default_factory=dict)
    left_out_shapes: dict[str, Shape] = field(default_factory=dict)
    undetermined: list[str] = field(default_factory=list)

    def torch_shapes(self) -> dict[str, Shape]:
        """Every name of the reference that has a partner -> shape; other names of tied tensors included."""
        shapes = {n: s for e in self.entries for n, s in zip(e.torch, e.torch_shapes, strict=True)}
        return shapes | {name: entry.torch_shapes[0] for entry in self.entries for name in entry.also}

    def port_shapes(self) -> dict[str, Shape]:
        """Every name of the port -> shape."""
        return {n: s for e in self.entries for n, s in zip(e.port, e.port_shapes, strict=True)}

    def to_port(self, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The reference's tensors as the port's. Lines of which something is missing are left out."""
        return _moved(given, [(e.torch, e.torch_shapes, e.port, e.port_shapes, e.layout) for e in self.entries])

    def to_torch(self, given: Mapping[str, np.ndarray], tied: bool = True) -> dict[str, np.ndarray]:
        """The port's tensors as the reference's, under all names of the tied ones. Lines of which something is missing are
        left out."""
        back = [(e.port, e.port_shapes, e.torch, e.torch_shapes, e.layout.reversed()) for e in self.entries]
        found = _moved(given, back)
        also = {name: found[e.torch[0]] for e in self.entries if tied for name in e.also if e.torch[0] in found}
        return found | also

    def port_name(self) -> dict[str, str]:
        """Port name -> reference's name, where one tensor is one tensor."""
        return {entry.port[0]: entry.torch[0] for entry in self.entries if entry.layout.counts == (1, 1)}


def _moved(given: Mapping[str, np.ndarray], lines: Iterable[tuple]) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for sources, source_shapes, targets, shapes, layout in lines:
        if any(name not in given for name in sources):
            continue
        arrays = [given[name] for name in sources]
        for name, array, shape in zip(sources, arrays, source_shapes, strict=True):
            if array.shape != shape:
                raise PortError(f"tensor {quote(name)} has the shape {array.shape}, in the map it has {shape}.")
        found |= zip(targets, layout.forward(arrays, shapes), strict=True)
    return found
