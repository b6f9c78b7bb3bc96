"""Tensors of a network as a map sees them, and what is proposed about them: what is settled, what is a guess."""

from dataclasses import dataclass, field, replace

from port.errors import PortError
from port.weights.layer_rules import Rules, layouts, load_rules
from port.weights.layouts import TRANSPOSE, Layout, Shape, plain
from port.weights.mapping import Entry, WeightMap
from port.weights.rules import quote


@dataclass(frozen=True)
class Parameter:
    """A tensor of a network.

    kind     class of the layer that holds it, "" if unknown
    call     when that layer is first called in a run of the network; None if never, or unknown
    also     other names of the same tensor
    """

    name: str
    shape: Shape
    kind: str = ""
    call: int | None = None
    also: tuple[str, ...] = ()
    buffer: bool = False

    @property
    def owner(self) -> str:
        return self.name.rpartition(".")[0]

    @property
    def last(self) -> str:
        return self.name.rpartition(".")[2]


@dataclass(frozen=True)
class Unit:
    """Tensors of one layer that go together, in the same order on both sides."""

    parameters: tuple[Parameter, ...]


@dataclass
class Group:
    """Layers that look alike: reference[order[i]] is port[i]."""

    reference: list[Unit]
    port: list[Unit]
    order: list[int]
    strategy: str

    @property
    def title(self) -> str:
        """The group in words."""
        names = [quote(unit.parameters[0].name) for unit in self.port]
        return f"{', '.join(names[:4])}{' ...' if len(names) > 4 else ''} ({len(names)} that look alike)"


@dataclass
class Choice:
    """A layout that names and shapes do not tell: all entries of one kind of layer use the same of the options."""

    title: str
    options: tuple[Layout, ...]
    chosen: int = 0


@dataclass
class Proposal:
    """Entries that are settled, groups that are guessed, layouts that are guessed."""

    settled: list[Entry] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    choices: dict[tuple[str, str], Choice] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    left_out_shapes: dict[str, Shape] = field(default_factory=dict)
    kinds: dict[str, tuple[str, str]] = field(default_factory=dict)  # port name -> key of its choice

    def map(self) -> WeightMap:
        """The map as it stands."""
        entries = list(self.settled)
        for group in self.groups:
            for unit, place in zip(group.port, group.order, strict=True):
                pairs = zip(group.reference[place].parameters, unit.parameters, strict=True)
                entries += [entry_of(a, b, self, group.strategy) for a, b in pairs]
        return WeightMap([self._chosen(entry) for entry in entries], dict(self.left_out), dict(self.left_out_shapes))

    def _chosen(self, entry: Entry) -> Entry:
        choice = self.choices.get(self.kinds.get(entry.port[0], ("", "")))
        if choice is None or not (wanted := choice.options[choice.chosen]).fits(entry.torch_shapes, entry.port_shapes):
            return entry
        return replace(entry, layout=wanted)


def options(torch: Parameter, port: Parameter, rules: Rules) -> tuple[Layout, ...]:
    """Every layout in which the two can be each other, by their layers and shapes."""
    listed = layouts(torch.kind, port.kind, torch.last, rules)
    fitting = tuple(layout for layout in listed if layout.fits([torch.shape], [port.shape]))
    if fitting or rules.of_port(port.kind):
        return fitting or tuple(filter(None, [plain(torch.shape, port.shape)]))
    other = TRANSPOSE if TRANSPOSE.fits([torch.shape], [port.shape]) and torch.shape != port.shape else None
    return tuple(layout for layout in (plain(torch.shape, port.shape), other) if layout)


def entry_of(torch: Parameter, port: Parameter, found: Proposal, strategy: str, rules: Rules | None = None) -> Entry:
    """A line of the map; where its layout is a matter of choice, the choice is noted."""
    rules = rules or load_rules()
    fitting = options(torch, port, rules)
    if not fitting:
        raise PortError(
            f"parameter {quote(port.name)} of the port has the shape {port.shape}, {quote(torch.name)} of the reference "
            f"{torch.shape}. Name the right pair in WEIGHTS of the pair's file, or mend the network."
        )
    if len(fitting) > 1 and port.name not in found.kinds:
        key = (torch.kind, port.kind or port.owner)
        known = found.choices.get(key)
        if known is None or len(known.options) < len(fitting):
            found.choices[key] = Choice(f"{torch.kind} as {port.kind}", fitting)
        found.kinds[port.name] = key
    return Entry((torch.name,), (port.name,), (torch.shape,), (port.shape,), fitting[0], strategy, also=torch.also)
