"""The map of a pair whose networks are not run: from the pair's file, or by names alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from port.errors import PortError
from port.weights.map_file import check_map, read_map
from port.weights.mapping import WeightMap
from port.weights.proposal import Parameter
from port.weights.propose import propose


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
        if found.undetermined:
            raise PortError(
                f"{file} says itself that it is undetermined: {found.undetermined[0]}. Decide it by hand and write "
                "`undetermined = []`, or let `python convert_weights.py --pair PAIR.py` find out on inputs that tell."
            )
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
