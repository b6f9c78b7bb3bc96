"""The operators as data: `table/*.toml`, read by both columns and by the judgement.

A file holds `[[operator]]` entries, each with

name      as PyTorch documents it (torch.abs, F.gelu, nn.Conv2d, Tensor.view); or `names`, a list, with {name} in the texts,
          or {plain}, which is without a last underscore
also      other spellings that are the same function
torch     the call in PyTorch; statements before the last one are divided by "; "
port      what a porter writes who changes the prefix only
instead   what to write where `port` is not the same
default   what `port` takes for granted that PyTorch does not (then a difference is a different default)
given     argument with that default -> its place in PyTorch's call: where it is given, the default does not matter
note      what else a porter should know
gap       the operator's name in port/parity/kernel_gaps.toml
entries   rows of the porting catalogue that are about it, as in reports/selftest.md
method    also a method of a tensor: the same call is tried as one, x.abs() for torch.abs(x)
inputs    name -> what the input is (see inputs.py); those that the call does not use are parameters of the layer
rename    parameter of the layer in PyTorch -> the same in MindSpore
edges     names of inputs.EDGES, or tables with a name and what is different there (torch, port, instead, inputs)
gradients names of the inputs whose gradients are compared, where that is not all of them
backward  false where there is no gradient to compare
"""

import ast
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

FOLDER = Path(__file__).with_name("table")
BASE = "base"  # the case that is no edge
TEXTS = ("torch", "port", "instead")
PREFIXES = {"torch": "torch", "F": "torch.nn.functional", "nn": "torch.nn", "Tensor": "torch.Tensor"}


@dataclass(frozen=True)
class Case:
    """One call of an operator, in PyTorch and in each way of writing it in MindSpore.

    calls   "torch", and of the variants "port", "instead", "method", "mint" those that there are -> source text
    edge    the name of inputs.EDGES that changes the first input, or None
    """

    name: str
    calls: Mapping[str, str]
    inputs: Mapping[str, object]
    edge: str | None = None


@dataclass(frozen=True)
class Operator:
    """An entry; the fields are described above. `cases` begins with the base."""

    name: str
    group: str
    cases: tuple[Case, ...]
    also: tuple[str, ...] = ()
    default: str = ""
    note: str = ""
    gap: str = ""
    rename: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, int] = field(default_factory=dict)
    gradients: tuple[str, ...] = ()
    entries: tuple[int, ...] = ()
    backward: bool = True

    @property
    def calls(self) -> Mapping[str, str]:
        """Of the base."""
        return self.cases[0].calls

    @property
    def spellings(self) -> tuple[str, ...]:
        """Full dotted names: torch.nn.functional.gelu for F.gelu."""
        return tuple(full_name(name) for name in (self.name, *self.also))


def full_name(name: str) -> str:
    """`torch.nn.functional.gelu` of `F.gelu`."""
    prefix, _, rest = name.partition(".")
    return f"{PREFIXES[prefix]}.{rest}"


def load(folder: Path = FOLDER) -> tuple[Operator, ...]:
    """All entries in the order of the files. The project's own data, so a wrong field is a plain error."""
    found = [operator for path in sorted(folder.glob("*.toml")) for operator in read(path)]
    names = [name for operator in found for name in operator.spellings]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"{folder}: more than one entry for {', '.join(sorted(twice))}")
    return tuple(found)


def read(path: Path) -> Iterator[Operator]:
    """The entries of one file, whose name is their group (after a number that orders the files)."""
    group = path.stem.partition("-")[2] or path.stem
    for entry in tomllib.loads(path.read_text(encoding="utf-8"))["operator"]:
        names = entry.pop("names", None)
        for name in names or [None]:
            yield make(group, filled(entry, name.rpartition(".")[2], name) if name else entry)


def filled(value: object, short: str, name: str | None = None) -> object:
    """The entry with {name} replaced everywhere by the last part of one of `names`."""
    if isinstance(value, str):
        return value.replace("{name}", short).replace("{plain}", short.rstrip("_"))
    if isinstance(value, list):
        return [filled(item, short) for item in value]
    if isinstance(value, dict):
        return {key: filled(item, short) for key, item in value.items()} | ({"name": name} if name else {})
    return value


def make(group: str, entry: Mapping[str, object]) -> Operator:
    """An operator with its base and its edges."""
    entry = dict(entry)
    calls = {text: entry.pop(text) for text in TEXTS if text in entry}
    inputs = entry.pop("inputs", {})
    base = Case(BASE, {**calls, **derived(calls["torch"], entry.pop("method", False))}, inputs)
    edges = tuple(edge_case(edge, calls, inputs) for edge in entry.pop("edges", ()))
    lists = {key: tuple(entry.pop(key, ())) for key in ("also", "gradients", "entries")}
    return Operator(group=group, cases=(base, *edges), **lists, **entry)


def edge_case(edge: str | Mapping[str, object], calls: Mapping[str, str], inputs: Mapping[str, object]) -> Case:
    """A named edge changes the first input; a table changes what it holds. Another call in PyTorch has its own in MindSpore."""
    if isinstance(edge, str):
        return Case(edge, calls, inputs, edge)
    edge = dict(edge)
    own = {text: edge.pop(text) for text in TEXTS if text in edge}
    case = Case(edge.pop("name"), own if "torch" in own else {**calls, **own}, {**inputs, **edge.pop("inputs", {})})
    if edge:
        raise TypeError(f"edge {case.name!r}: unknown fields {', '.join(edge)}")
    return replace(case, calls={**({"port": case.calls["torch"]} if "port" not in case.calls else {}), **case.calls})


def derived(call: str, method: bool) -> dict[str, str]:
    """The same call as a method of its first argument, and with mindspore.mint in place of torch."""
    found = {}
    if method:
        tree = ast.parse(call, mode="eval").body
        first, *others = tree.args
        arguments = ", ".join([*map(ast.unparse, others), *map(ast.unparse, tree.keywords)])
        found["method"] = f"{ast.unparse(first)}.{tree.func.attr}({arguments})"
    tree = Mint().visit(ast.parse(call))
    mint = "; ".join(ast.unparse(line) for line in tree.body)
    return found | ({"mint": mint} if "mint." in mint else {})


TYPES = ("float32", "float64", "float16", "int32", "int64", "int16", "int8", "uint8")
ROOTS = {"torch": "mint", "F": "mint.nn.functional", "nn": "mint.nn"}


class Mint(ast.NodeTransformer):
    """mint.abs for torch.abs, mint.nn.functional.gelu for F.gelu, mint.nn.ReLU for nn.ReLU; types stay mindspore's."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.value, ast.Name) and node.value.id in ROOTS:
            root = "mindspore" if node.attr in TYPES else ROOTS[node.value.id]
            return ast.parse(f"{root}.{node.attr}", mode="eval").body
        return node
