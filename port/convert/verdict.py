"""How the search for a map ended, in a folder: the map itself and whether the port is equal with it."""

import json
from pathlib import Path

from port.convert.settle import Settled
from port.files import write_json
from port.weights.map_file import read_map, write_map

MAP, FILE = "map.toml", "verdict.json"


def save_verdict(folder: Path, settled: Settled) -> None:
    """Leave it in a folder."""
    write_map(folder / MAP, settled.map)
    error = settled.error if settled.error < float("inf") else None
    write_json(folder / FILE, {"equal": settled.equal, "error": error, "runs": settled.runs, "notes": settled.notes})


def load_verdict(folder: Path) -> Settled:
    """What `save_verdict` left."""
    data = json.loads((folder / FILE).read_text(encoding="utf-8"))
    error = float("inf") if data["error"] is None else data["error"]
    return Settled(read_map(folder / MAP), data["equal"], error, data["runs"], data["notes"])
