"""What the conversion must know of one network."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from port.weights.rules import RuleTable

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Spelling:
    """How a framework names a network's tensors in its .pth files.

    rules   torch name as in this project -> name there; None where they are the same
    prefix  before every name there; "params." is a level of its own in the file
    """

    prefix: str
    rules: RuleTable | None = None


@dataclass(frozen=True)
class Model:
    """One entry of the registry; every part is data or a function of one network's module.

    signature        beginnings of parameter names that only this network has; one is enough to recognise it
    read_config      weights -> its sizes, read off the tensors; raises PortError where a tensor it needs is absent
    expected_shapes  its sizes -> shape by torch name, in the order of the network
    dropped          names, or beginnings ending in a dot, left out on purpose -> reason
    official         git blob id -> name of a published file
    spellings        how .pth files spell its names, by framework; the first is that of the official files
    buffers          torch names of tensors that training never changes
    """

    name: str
    rules: RuleTable
    signature: tuple[str, ...]
    read_config: Callable[[Mapping[str, Any]], Any]
    expected_shapes: Callable[[Any], Shapes]
    dropped: Mapping[str, str]
    official: Mapping[str, str]
    spellings: Mapping[str, Spelling]
    buffers: frozenset[str]
