"""Names of parameters from one framework to the other: templates with `{}` for indices."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from port.errors import PortError

INDEX = "(0|[1-9][0-9]*)"  # no leading zeros, so that every name has one spelling and the inverse is exact

LONGEST_QUOTE = 120


@dataclass(frozen=True)
class RuleTable:
    """A table torch template -> MindSpore template; the n-th `{}` of one is the n-th of the other.

    forward and inverse undo each other on every name that a rule matches.
    """

    rules: Mapping[str, str]

    def __post_init__(self):
        for torch_name, ms_name in self.rules.items():
            if torch_name.count("{}") != ms_name.count("{}"):
                raise ValueError(f"rule '{torch_name}' -> '{ms_name}': the two have different numbers of indices")
        if len(self._backward) < len(self.rules):
            raise ValueError("two rules lead to the same MindSpore name, so there is no way back")

    @cached_property
    def _backward(self) -> dict[str, str]:
        return {ms_name: torch_name for torch_name, ms_name in self.rules.items()}

    def forward(self, name: str) -> str:
        """The MindSpore name of a torch parameter. Raises PortError, naming the nearest rule, if no rule matches."""
        return self._rename(name, self.rules)

    def inverse(self, name: str) -> str:
        """The torch name of a MindSpore parameter. Raises PortError, naming the nearest rule, if no rule matches."""
        return self._rename(name, self._backward)

    def _rename(self, name: str, rules: Mapping[str, str]) -> str:
        for template, target in rules.items():
            if match := _pattern(template).fullmatch(name):
                return target.format(*match.groups())
        raise PortError(f"no rule for the parameter {quote(name)} (nearest rule '{nearest(name, rules)}').")

    def matches(self, name: str) -> bool:
        """Whether `name` is a torch name of some rule."""
        return any(_pattern(template).fullmatch(name) for template in self.rules)

    def matches_inverse(self, name: str) -> bool:
        """Whether `name` is a MindSpore name of some rule."""
        return any(_pattern(template).fullmatch(name) for template in self._backward)


@lru_cache(maxsize=4096)
def _pattern(template: str) -> re.Pattern:
    return re.compile(INDEX.join(re.escape(part) for part in template.split("{}")))


def quote(name: str) -> str:
    """A name out of an untrusted file, safe to print: quoted, control characters escaped, cut after 120 characters."""
    return repr(name if len(name) <= LONGEST_QUOTE else name[: LONGEST_QUOTE - 3] + "...")


def nearest(name: str, templates: Iterable[str]) -> str:
    """The template most like `name`, whatever its indices."""
    shape = re.sub(r"(?<![^.])\d+(?![^.])", "{}", name[:200])
    return difflib.get_close_matches(shape, list(templates), n=1, cutoff=0.0)[0]
