"""The rules of layer_rules.toml: names and layouts of the layers that both frameworks have."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from port.weights.layouts import SAME, Layout, parse_layout

FILE = Path(__file__).with_name("layer_rules.toml")


@dataclass(frozen=True)
class Layer:
    """One rule; the fields are explained in layer_rules.toml."""

    torch: tuple[str, ...]
    port: tuple[str, ...]
    names: Mapping[str, str] = field(default_factory=dict)
    layout: Mapping[str, Layout] = field(default_factory=dict)
    inside: str = ""
    tries: tuple[Layout, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)

    def torch_name(self, name: str) -> str:
        """The reference's name of a tensor that the port's layer calls `name`."""
        return next((torch for torch, port in self.names.items() if port == name), name)


@dataclass(frozen=True)
class Rules:
    """All rules. `fused` pairs what begins the name of a fused tensor with the beginnings of its parts' names."""

    layers: tuple[Layer, ...]
    whole: tuple[str, ...]
    parts: tuple[tuple[str, ...], ...]

    def of_port(self, kind: str) -> Layer | None:
        """The rule of a class of the port."""
        return next((layer for layer in self.layers if kind in layer.port), None)

    def of_torch(self, kind: str) -> Layer | None:
        """The rule of a class of the reference."""
        return next((layer for layer in self.layers if kind in layer.torch), None)

    def left_out(self) -> dict[str, str]:
        """Last part of a reference's name -> why the port does without."""
        return {name: reason for layer in self.layers for name, reason in layer.left_out.items()}

    def torch_names(self, name: str, kind: str) -> list[str]:
        """What the reference may call a tensor that the port calls `name` in a cell of this class, the likeliest first."""
        own = [rule.torch_name(name)] if (rule := self.of_port(kind)) else []
        return list(dict.fromkeys([*own, name, *(layer.torch_name(name) for layer in self.layers)]))


@cache
def load_rules(file: Path = FILE) -> Rules:
    """Read the rules."""
    data = tomllib.loads(file.read_text(encoding="utf-8"))
    return Rules(
        tuple(_layer(entry) for entry in data["layer"]),
        tuple(data["fused"]["whole"]),
        tuple(tuple(parts) for parts in data["fused"]["parts"]),
    )


def _layer(entry: dict) -> Layer:
    read = {
        **entry,
        "torch": tuple(entry["torch"]),
        "port": tuple(entry["port"]),
        "layout": {name: parse_layout(text) for name, text in entry.get("layout", {}).items()},
        "tries": tuple(parse_layout(text) for text in entry.get("tries", ())),
    }
    return Layer(**read)


def layouts(reference_kind: str, port_kind: str, name: str, rules: Rules) -> tuple[Layout, ...]:
    """What the layout of a tensor may be, by the classes of its layers ("" where unknown) and the reference's name for it.

    One, where both are the frameworks' own; several, where the port's is of somebody's own making.
    """
    port, torch = rules.of_port(port_kind), rules.of_torch(reference_kind)
    if port and (torch is port or not reference_kind):
        return (port.layout.get(name, SAME),)
    return torch.tries if torch and torch is not port else ()


REFERENCE_ONLY = load_rules().left_out()
