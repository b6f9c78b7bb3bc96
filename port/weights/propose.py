"""Which tensor of the port is which of the reference's, as far as names, structure and shapes tell. Knows no framework.

In this order: the pair's table, equal names (whatever wraps the network; by the rules of layer_rules.toml where layers call
them differently), fused projections, a shape that occurs once on either side. Layers that are left and look alike are a group:
they are put together in the order in which they are called, or else in which they stand. That is a guess, to be settled by
running.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from port.errors import PortError
from port.weights.layer_rules import REFERENCE_ONLY, Rules, layouts, load_rules
from port.weights.layouts import SAME, TRANSPOSE, Layout, Shape, parse_layout, plain
from port.weights.map_file import check_map, read_map
from port.weights.mapping import CALLS, FUSED, NAMES, SHAPE, STRUCTURE, TABLE, Entry, WeightMap
from port.weights.rules import RuleTable, nearest, quote


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


def propose(
    reference: Sequence[Parameter], port: Sequence[Parameter], table: Mapping[str, str],
    left_out: Mapping[str, str] | None = None, rules: Rules | None = None,
) -> Proposal:  # fmt: skip
    """Everything that can be said without running.

    table     torch template -> MindSpore template with `{}` for indices, for names that differ; looked at first
    left_out  names of the reference that the port does without -> reason
    Raises PortError naming what is left over on either side and the nearest name on the other.
    """
    rules, found = rules or load_rules(), Proposal()
    for name, reason in (left_out or {}).items():
        found.left_out[name] = reason
        found.left_out_shapes |= {one.name: one.shape for one in reference if one.name == name}
    work = _Work([one for one in reference if one.name not in found.left_out], list(port), rules, found)
    work.by_table(RuleTable(table))
    work.by_names()
    work.by_fused_names()
    work.by_layers()
    work.by_tensors()
    work.finish()
    place = {one.name: i for i, one in enumerate(port)}
    found.settled.sort(key=lambda entry: place[entry.port[0]])
    return found


class _Work:
    """What is still without a partner, and the steps that find one."""

    def __init__(self, reference: list[Parameter], port: list[Parameter], rules: Rules, found: Proposal):
        self.reference = {one.name: one for one in reference}
        self.alias = {name: one.name for one in reference for name in (one.name, *one.also)}
        self.port = {one.name: one for one in port}
        self.rules, self.found = rules, found
        self.all_reference = list(reference)

    def take(self, torch: str, port: Parameter, strategy: str) -> None:
        """A pair is found. The other names of a tied tensor stay behind, for a port that has them as tensors of their own."""
        one = self.reference.pop(self.alias[torch], None) or self.whole(torch)
        entry = entry_of(replace(one, name=torch) if one.name != torch else one, port, self.found, strategy, self.rules)
        taken = {name for e in self.found.settled for name in e.torch}
        also = tuple(name for name in (one.name, *one.also) if name != torch and name not in taken)
        self.found.settled.append(replace(entry, also=also))
        for i, other in enumerate(self.found.settled[:-1]):
            if torch in other.also:
                self.found.settled[i] = replace(other, also=tuple(name for name in other.also if name != torch))
        del self.port[port.name]

    def whole(self, torch: str) -> Parameter:
        return next(one for one in self.all_reference if torch in (one.name, *one.also))

    def free(self, torch: str) -> bool:
        """Whether a name of the reference has no partner yet, by itself."""
        return torch in self.alias and not any(torch in entry.torch for entry in self.found.settled)

    def by_table(self, table: RuleTable) -> None:
        """What the user says."""
        for name, one in list(self.port.items()):
            if table.matches_inverse(name):
                torch = table.inverse(name)
                if not self.free(torch):
                    raise PortError(
                        f"WEIGHTS pairs {quote(name)} with {quote(torch)}, which the reference lacks or has given away."
                    )
                self.take(torch, one, TABLE)

    def by_names(self) -> None:
        """Equal names, in the words of either framework; then with what wraps either network taken off."""
        wraps = [("", "")]
        if self.reference and self.port:
            wraps += [(_common(self.alias), _common(self.port)), (_common(self.alias), ""), ("", _common(self.port))]
        for torch_wrap, port_wrap in dict.fromkeys(wraps):
            for name, one in list(self.port.items()):
                for candidate in self.torch_names(name.removeprefix(port_wrap), one.kind):
                    torch = torch_wrap + candidate
                    if self.free(torch) and self.possible(self.whole(torch), one):
                        self.take(torch, one, NAMES)
                        break

    def torch_names(self, name: str, kind: str) -> list[str]:
        """Whole names that the reference may use for a name of the port."""
        owner, _, last = name.rpartition(".")
        owners = [owner]
        owners += [owner.removesuffix(inside).rstrip(".") for inside in self.inside() if owner.endswith(inside)]
        made = [f"{o}.{t}" if o else t for o in owners for t in self.rules.torch_names(last, kind)]
        return [name, *made] if not (rule := self.rules.of_port(kind)) or not rule.names else made

    def inside(self) -> list[str]:
        return [layer.inside for layer in self.rules.layers if layer.inside]

    def possible(self, torch: Parameter, port: Parameter) -> bool:
        """Whether the two can be each other at all, in some layout."""
        return bool(options(torch, port, self.rules)) or torch.shape == port.shape

    def by_fused_names(self) -> None:
        """Query, key and value in one tensor here, in several there."""
        for whole in self.rules.whole:
            for parts in self.rules.parts:
                self.fuse(whole, parts)

    def fuse(self, whole: str, parts: tuple[str, ...]) -> None:
        for here, form in ((self.alias, "split"), (self.port, "join")):
            for name in list(here):
                at = name.rfind(whole)
                if at < 0 or (at and name[at - 1] != "."):
                    continue
                names = [name[:at] + part + name[at + len(whole) :] for part in parts]
                torch, port = ([name], names) if form == "split" else (names, [name])
                self.take_fused(torch, port, parse_layout(f"{form} {len(parts)}"))

    def take_fused(self, torch: list[str], port: list[str], layout: Layout) -> None:
        if not all(map(self.free, torch)) or not all(name in self.port for name in port):
            return
        a, b = tuple(self.whole(name).shape for name in torch), tuple(self.port[name].shape for name in port)
        if layout.fits(a, b):
            self.found.settled.append(Entry(tuple(torch), tuple(port), a, b, layout, FUSED))
            for name in torch:
                self.reference.pop(self.alias[name], None)
            for name in port:
                del self.port[name]

    def by_layers(self) -> None:
        """Whole layers, told apart by the names and shapes of what they hold."""
        self.pair_up(_units(self.reference.values(), self.torch_word), _units(self.port.values(), self.port_word))

    def by_tensors(self) -> None:
        """What is left, one by one, by shapes alone."""
        left = [one for one in self.reference.values() if one.last not in REFERENCE_ONLY]
        none = lambda one: ""  # noqa: E731
        self.pair_up(_units(left, none, single=True), _units(self.port.values(), none, single=True))

    def torch_word(self, one: Parameter) -> str:
        return one.last

    def port_word(self, one: Parameter) -> str:
        return self.rules.torch_names(one.last, one.kind)[0]

    def pair_up(self, reference: dict[tuple, list[Unit]], port: dict[tuple, list[Unit]]) -> None:
        """Kinds of layers of which both sides have as many."""
        for key, theirs in port.items():
            ours = reference.get(key, [])
            if len(ours) != len(theirs) or not _compatible(ours[0], theirs[0], self.rules):
                continue
            if len(ours) == 1:
                for a, b in zip(ours[0].parameters, theirs[0].parameters, strict=True):
                    self.take(a.name, b, SHAPE)
                continue
            called = all(unit.parameters[0].call is not None for unit in (*ours, *theirs))
            when = lambda unit: unit.parameters[0].call  # noqa: E731
            ours, theirs = (sorted(ours, key=when), sorted(theirs, key=when)) if called else (ours, theirs)
            self.found.groups.append(Group(ours, theirs, list(range(len(ours))), CALLS if called else STRUCTURE))
            for unit in ours:
                for one in unit.parameters:
                    del self.reference[one.name]
            for unit in theirs:
                for one in unit.parameters:
                    del self.port[one.name]

    def finish(self) -> None:
        """Note what the port does without. Raises PortError for anything else that is left over."""
        self.found.settled = [self.under_its_first_name(entry) for entry in self.found.settled]
        paired = {n for entry in self.found.settled for n in (*entry.torch, *entry.also)}
        alone = [name for name in self.reference if name not in paired]
        for name in [name for name in alone if name.rpartition(".")[2] in REFERENCE_ONLY]:
            self.found.left_out[name] = REFERENCE_ONLY[name.rpartition(".")[2]]
            self.found.left_out_shapes[name] = self.reference[name].shape
            alone.remove(name)
        if alone or self.port:
            raise PortError(left_over(alone, list(self.port), [one.name for one in self.all_reference]))

    def under_its_first_name(self, entry: Entry) -> Entry:
        """A tied tensor by the name that PyTorch lists it under, though another was found first."""
        first = self.alias[entry.torch[0]]
        if first not in entry.also:
            return entry
        also = tuple(name for name in (entry.torch[0], *entry.also) if name != first)
        return replace(entry, torch=(first,), also=also)


def left_over(alone: Sequence[str], extra: Sequence[str], reference: Sequence[str]) -> str:
    """In words, what has no partner."""
    parts = []
    if alone:
        hint = f" (nearest left in the port: {quote(nearest(alone[0], extra))})" if extra else ""
        parts.append(f"{len(alone)} of the reference without a partner, the first {quote(alone[0])}{hint}")
    if extra:
        hint = f" (nearest in the reference: {quote(nearest(extra[0], reference))})" if reference else ""
        parts.append(f"{len(extra)} of the port without a partner, the first {quote(extra[0])}{hint}")
    return f"parameters do not match: {'; '.join(parts)}. Name the pairs in WEIGHTS of the pair's file, or in a map."


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
    layout = fitting[0] if fitting else SAME
    return Entry((torch.name,), (port.name,), (torch.shape,), (port.shape,), layout, strategy, also=torch.also)


def _compatible(a: Unit, b: Unit, rules: Rules) -> bool:
    return all(options(x, y, rules) for x, y in zip(a.parameters, b.parameters, strict=True))


def _units(parameters: Iterable[Parameter], word: Callable, single: bool = False) -> dict[tuple, list[Unit]]:
    """Layers by what they look like: the words for their tensors and the lengths of their axes, in any order."""
    owners: dict[str, list[Parameter]] = {}
    for one in parameters:
        if one.last not in REFERENCE_ONLY:
            owners.setdefault(one.name if single else one.owner, []).append(one)
    found: dict[tuple, list[Unit]] = {}
    for held in owners.values():
        held.sort(key=word)
        key = tuple((word(one), tuple(sorted(n for n in one.shape if n != 1))) for one in held)
        found.setdefault(key, []).append(Unit(tuple(held)))
    return found


def _common(names: Iterable[str]) -> str:
    """The levels that all names begin with, with the last dot."""
    common = os.path.commonprefix(list(names))  # noqa: RUF071, these are no paths
    return common[: common.rfind(".") + 1]


def map_by_names(
    given: Mapping[str, np.ndarray], tied: Mapping[str, str], port: Sequence[Parameter], table: Mapping[str, str],
    left_out: Mapping[str, str], file: Path | None = None,
) -> WeightMap:  # fmt: skip
    """The map between a reference of which only the tensors are known and a port, from its file or without running anything.

    tied  other names of the reference's tensors -> the first
    Raises PortError where only a run could tell.
    """
    others: dict[str, list[str]] = {}
    for name, first in tied.items():
        others.setdefault(first, []).append(name)
    reference = [Parameter(n, a.shape, also=tuple(others.get(n, ()))) for n, a in given.items() if n not in tied]
    if file is not None:
        found = read_map(file)
        check_map(
            file, found, {name: array.shape for name, array in given.items()}, {one.name: one.shape for one in port}
        )
        return found
    proposal = propose(reference, port, table, left_out)
    if proposal.groups:
        raise PortError(
            f"names and shapes do not tell which parameters belong together: {proposal.groups[0].title}. Let "
            "`python convert_weights.py --pair PAIR.py --map map.toml` find out by running both networks, and put "
            'MAP = "map.toml" into the pair\'s file; or name the pairs in its WEIGHTS.'
        )
    return proposal.map()
