"""Checkpoints of a run: everything that it needs to go on as if it had never stopped, in files that either column reads.

`checkpoints/0000000020.safetensors` holds arrays by name: `net/NAME`, `first/NAME` and `second/NAME` (Adam's moments), names
of the reference. The .json beside it holds counters and the sha256 of the arrays; it is written last, so without it the arrays
count for nothing. `latest` names the newest. The files before it stay until `keep` newer ones are whole.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from port.console import warn
from port.errors import PortError
from port.files import make_folder, sha256_file, write_json, write_text
from port.weights import tensors_file

SCHEMA = 1
DIGITS = 10


class Keeper:
    """The checkpoints of one run folder. count: how many are kept"""

    def __init__(self, out: Path, count: int):
        self.folder, self.count = out / "checkpoints", count

    def save(self, iteration: int, tensors: Mapping[str, np.ndarray], facts: Mapping[str, object]) -> Path:
        """Write one, then remove the oldest. Raises PortError, and then everything before is as it was."""
        arrays = make_folder(self.folder) / f"{iteration:0{DIGITS}}{tensors_file.SUFFIX}"
        tensors_file.save(arrays, tensors)
        held = {"schema": SCHEMA, "iteration": iteration, "sha256": sha256_file(arrays), **facts}
        write_json(arrays.with_suffix(".json"), held)
        write_text(self.folder / "latest", arrays.name + "\n")
        self._prune()
        return arrays

    def newest(self) -> tuple[dict[str, np.ndarray], dict] | None:
        """(arrays, facts) of the newest whole checkpoint; one that is damaged is named, and the one before is taken.

        None where there is none at all. Raises PortError where there are some and all are damaged.
        """
        found = self.all()
        for path in reversed(found):
            try:
                return _read(path)
            except PortError as error:
                warn(f"{error} The checkpoint before it is used.")
        if found:
            raise PortError(
                f"none of the {len(found)} checkpoints in {self.folder} is whole. Restore one from a copy, or remove the "
                "folder to start anew."
            )
        return None

    def all(self) -> list[Path]:
        """The .json files of complete checkpoints, oldest first."""
        return sorted(self.folder.glob("[0-9]" * DIGITS + ".json")) if self.folder.is_dir() else []

    def _prune(self) -> None:
        """Remove what is too old, and what a killed run left half written."""
        with suppress(OSError):
            for path in self.all()[: -self.count]:
                path.unlink()
            kept = {path.stem for path in self.all()}
            for path in self.folder.iterdir():
                if path.name.startswith(".") or (path.suffix == tensors_file.SUFFIX and path.stem not in kept):
                    path.unlink()


def _read(path: Path) -> tuple[dict[str, np.ndarray], dict]:
    arrays = path.with_suffix(tensors_file.SUFFIX)
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        expected = facts["sha256"]
        intact = sha256_file(arrays) == expected
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PortError(f"the checkpoint {path} cannot be read: {error}.") from error
    if not intact:
        raise PortError(f"the checkpoint {arrays} is damaged: its sha256 is not the one noted beside it.")
    if facts.get("schema") != SCHEMA:
        raise PortError(f"the checkpoint {path} has the format {facts.get('schema')}, known is {SCHEMA}.")
    return tensors_file.load(arrays).tensors, facts
