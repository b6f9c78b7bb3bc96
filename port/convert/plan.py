"""What a conversion is going to write: for every tensor of the target, which bytes of which tensors of the source."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from port.convert.header import BYTES, Stored
from port.convert.source import CODES, numpy_type
from port.errors import PortError
from port.weights.canonical import TRAINING_STATE, Dropped, canonicalise
from port.weights.halves import FLOATS, name_of
from port.weights.layouts import TRANSPOSE, Layout, Shape, size
from port.weights.mapping import WeightMap
from port.weights.raw import RawCheckpoint
from port.weights.rules import quote

KEEP = "keep"


@dataclass(frozen=True)
class Output:
    """One tensor of the target.

    pieces  (name in the source, first byte, byte behind the last), one behind the other; empty: zeros
    cast    element type to cast to, or None
    """

    name: str
    dtype: str
    shape: Shape
    pieces: tuple[tuple[str, int, int], ...] = ()
    transposed: bool = False
    cast: str | None = None

    @property
    def nbytes(self) -> int:
        return BYTES[self.dtype] * size(self.shape)


@dataclass
class Plan:
    """All tensors of the target, in the order in which the source has them."""

    outputs: list[Output]
    to_port: bool
    dropped: list[Dropped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    tied: list[tuple[str, str]] = field(default_factory=list)  # names in the source that must hold the same values


def make_plan(
    path: Path, tensors: Mapping[str, Stored], found: WeightMap, dtype: str, params: str | None = None
) -> Plan:
    """Which way a file goes is told by its names, or by its shapes where the names are the same on both sides.

    Raises PortError for missing, left-over or misshapen tensors, and for a file of which a part is of either side.
    """
    raw = RawCheckpoint(tensors=dict(tensors), dtypes=dict.fromkeys(tensors, ""))
    sides = [_Side(found, True), _Side(found, False)]
    dropped: list[Dropped] = []
    named = _with_tied({name: name for name in tensors}, found)
    fitting = [side for side in sides if side.names <= named.keys()]
    if not fitting:  # wrapped, or with a training run's state beside the weights
        raw.tensors = {name: name for name in tensors}
        bare = canonicalise(path, raw, {}, params)
        named, dropped = _with_tied(bare.weights, found), [one for one in bare.dropped if one.tensors]
        fitting = [side for side in sides if side.names <= named.keys()]
    if not fitting:
        raise PortError(_missing(path, sides, named))
    held = {name: tensors[source] for name, source in named.items()}
    side = next((side for side in fitting if not side.misshapen(held)), fitting[0])
    if wrong := side.misshapen(held):
        raise PortError(
            f"{path}: tensor {quote(wrong)} has the shape {held[wrong].shape}, in the map {side.shapes[wrong]}."
        )
    extra = [name for name in named if name not in side.names | side.also]
    for name in extra:
        reason = found.left_out.get(name) if side.to_port else None
        reason = reason or next((TRAINING_STATE[r] for r in TRAINING_STATE if name == r or name.startswith(r)), None)
        if reason is None:
            raise PortError(
                f"{path} holds {len(extra)} tensors that the map lacks, such as {quote(name)}. Add its pair to the map, or "
                "put it under left_out with a reason (LEFT_OUT of the pair's file)."
            )
        dropped.append(Dropped(name, 1, reason))
    plan = Plan(_outputs(path, found, side, named, held, dtype), side.to_port, dropped)
    for entry in found.entries if side.to_port else ():
        others = {named[name] for name in entry.also if name in named} - {named[entry.torch[0]]}
        plan.tied += [(named[entry.torch[0]], other) for other in sorted(others)]
    if not side.to_port and (made := [name for name in found.left_out if name in found.left_out_shapes]):
        plan.outputs += [Output(name, "I64", found.left_out_shapes[name]) for name in made]
        plan.notes.append(
            f"{len(made)} tensors that only the reference has are written as zeros, such as {quote(made[0])}"
        )
    return plan


def _with_tied(named: Mapping[str, str], found: WeightMap) -> dict[str, str]:
    """A tied tensor may be in a file under any of its names."""
    made = dict(named)
    for entry in found.entries:
        if entry.torch[0] not in made and (there := [name for name in entry.also if name in made]):
            made[entry.torch[0]] = made[there[0]]
    return made


class _Side:
    """The names that a file of one side must have, and those that it may have as well (of tied tensors)."""

    def __init__(self, found: WeightMap, to_port: bool):
        self.to_port = to_port
        self.shapes = found.torch_shapes() if to_port else found.port_shapes()
        self.also = {name for entry in found.entries for name in entry.also} if to_port else set()
        self.names = self.shapes.keys() - self.also

    def misshapen(self, held: Mapping[str, Stored]) -> str | None:
        return next((name for name in self.names if held[name].shape != self.shapes[name]), None)


def _missing(path: Path, sides: list[_Side], named: Mapping[str, str]) -> str:
    """Of the side that more of the names belong to, what is missing."""
    side = max(sides, key=lambda side: len(side.names & named.keys()))
    lacks = sorted(side.names - named.keys())
    title = "reference's" if side.to_port else "port's"
    found = next(iter(named), "")
    return (
        f"{path} lacks {len(lacks)} of the {title} {len(side.names)} tensors, such as {quote(lacks[0])}. It holds "
        f"{len(named)}, such as {quote(found)}. Is it the checkpoint of this network?"
    )


def _outputs(path, found: WeightMap, side: _Side, named, held: Mapping[str, Stored], dtype: str) -> list[Output]:
    lines: list[tuple[int, Output]] = []
    place = {name: i for i, name in enumerate(held)}
    for entry in found.entries:
        layout = entry.layout if side.to_port else entry.layout.reversed()
        ours, theirs = (entry.torch, entry.port) if side.to_port else (entry.port, entry.torch)
        shapes = entry.port_shapes if side.to_port else entry.torch_shapes
        sources = [held[name] for name in ours]
        if len({source.dtype for source in sources}) > 1:
            raise PortError(
                f"{path}: {', '.join(map(quote, ours))} become one tensor and have different element types."
            )
        made = _of_line(layout, theirs, shapes, [named[name] for name in ours], sources, dtype)
        made += [_renamed(made[0], name) for name in entry.also if not side.to_port]
        lines += [(place[ours[0]], output) for output in made]
    return [output for _, output in sorted(lines, key=lambda line: line[0])]


def _of_line(layout: Layout, names, shapes, ours: list[str], sources: list[Stored], dtype: str) -> list[Output]:
    code = sources[0].dtype
    own = numpy_type(code)
    floating = own is not None and name_of(own) in FLOATS
    wanted = CODES[dtype] if dtype != KEEP and floating else code
    to = dtype if wanted != code else None
    if layout == TRANSPOSE:
        whole = ((ours[0], 0, sources[0].nbytes),)
        return [Output(names[0], wanted, shapes[0], whole, True, to)]
    sizes = [BYTES[code] * size(shape) for shape in shapes]
    pieces = layout.pieces([source.nbytes for source in sources], sizes)
    named = [tuple((ours[i], start, stop) for i, start, stop in parts) for parts in pieces]
    return [Output(*line, cast=to) for line in zip(names, [wanted] * len(names), shapes, named, strict=True)]


def _renamed(output: Output, name: str) -> Output:
    return Output(name, output.dtype, output.shape, output.pieces, output.transposed, output.cast)
