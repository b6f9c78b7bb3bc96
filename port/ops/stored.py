"""The measurements as data: `measured-VERSION.json`, one line per operator."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from port.errors import PortError, UsageError
from port.files import write_text
from port.ops.judge import AGREE, Outcome
from port.ops.rows import Row
from port.ops.table import Operator

FOLDER = Path(__file__).parent
SCHEMA = 1
NEWEST = "2.10"  # the version that the project is pinned to


@dataclass(frozen=True)
class Measured:
    """All rows of one installation, and what is said of it: `reference`, `port` (devices), `created`, `seconds`, `command`."""

    about: Mapping[str, object]
    rows: tuple[Row, ...]

    @property
    def version(self) -> str:
        """`2.10` of 2.10.0."""
        return short(str(self.about["port"]["version"]))


def short(version: str) -> str:
    return ".".join(version.split(".")[:2])


def path_of(version: str) -> Path:
    return FOLDER / f"measured-{version}.json"


def versions() -> list[str]:
    """All that are stored, oldest first."""
    found = [path.stem.removeprefix("measured-") for path in FOLDER.glob("measured-*.json")]
    return sorted(found, key=lambda version: [int(part) for part in version.split(".")])


def save(path: Path, measured: Measured) -> None:
    """Outcomes that agree are their name alone; others keep what they say."""
    lines = [
        f"  {json.dumps(row.operator.name)}: {json.dumps({key: packed(o) for key, o in row.outcomes.items()}, allow_nan=False)}"
        for row in measured.rows
    ]
    about = json.dumps({"schema": SCHEMA, **measured.about}, allow_nan=False)
    write_text(path, about[:-1] + ', "operators": {\n' + ",\n".join(lines) + "\n}}\n")


def packed(outcome: Outcome) -> object:
    return outcome.what if outcome.what in AGREE else outcome.as_dict()


def load(version: str, table: Sequence[Operator]) -> Measured:
    """What is stored of a version, for the operators that the table has. Raises UsageError for a version that is not there."""
    path = path_of(version)
    if not path.is_file():
        raise UsageError(f"nothing is stored of MindSpore {version}; there are {', '.join(versions()) or 'none'}.")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        held = data.pop("operators")
        rows = tuple(Row(o, {key: unpacked(v) for key, v in held[o.name].items()}) for o in table if o.name in held)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PortError(f"cannot read {path}: {error}. Measure again: python -m port ops --store") from error
    return Measured(data, rows)


def unpacked(value: object) -> Outcome:
    return Outcome(value) if isinstance(value, str) else Outcome(**value)
