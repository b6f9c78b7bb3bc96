"""`manifest.json` beside the exported parts: what they are, for which frames, of which weights, and their hashes."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from port.errors import PortError
from port.export.parts import Part, Sizes, dtype_of, parts_of
from port.files import sha256_file, write_json

SCHEMA = 1  # of manifest.json; parts of another version fit another driver
NAME = "manifest.json"


@dataclass(frozen=True)
class Export:
    """An export whose files are there, whole and of this version.

    files  part -> its path
    """

    sizes: Sizes
    files: dict[str, Path]


def write_manifest(folder: Path, kind: str, sizes: Sizes, files: dict[str, Path], weights: Path, made: dict) -> None:
    """Describe the files just written. kind "mindir" or "onnx"; made: versions of what made them"""
    parts = parts_of(sizes)
    described = {
        name: {"file": files[name].name, "sha256": sha256_file(files[name]), **shapes(parts[name])} for name in parts
    }
    weights_file = {"file": weights.name, "sha256": sha256_file(weights)}
    head = {"schema": SCHEMA, "format": kind, "model": "ttvsr", "sizes": asdict(sizes), "max_frames": sizes.max_frames}
    write_json(folder / NAME, head | {"weights": weights_file, "made_with": made, "parts": described})


def shapes(part: Part) -> dict:
    """Inputs and outputs of a part for JSON."""
    return {
        side: {name: {"shape": list(shape), "dtype": dtype_of(name)} for name, shape in getattr(part, side).items()}
        for side in ("inputs", "outputs")
    }


def read_manifest(folder: Path, kind: str) -> Export:
    """Check an export down to the hashes of its files. Raises PortError for whatever is wrong with it."""
    path = folder / NAME
    data = _read(path)
    if data.get("schema") != SCHEMA:
        raise PortError(f"{path} is of version {data.get('schema')!r}, expected {SCHEMA}. Export the weights again.")
    if data.get("format") != kind:
        raise PortError(
            f"{path} describes parts in the format {data.get('format')!r}, expected {kind!r}. {OTHER_COLUMN[kind]}"
        )
    try:
        sizes = Sizes(**{field.name: data["sizes"][field.name] for field in fields(Sizes)})
        described = {name: (data["parts"][name]["file"], data["parts"][name]["sha256"]) for name in parts_of(sizes)}
    except (KeyError, TypeError) as error:
        raise PortError(f"{path} is not complete: {error} is missing or no value. Export the weights again.") from error
    return Export(sizes, {name: _checked(folder, name, *entry) for name, entry in described.items()})


OTHER_COLUMN = {
    "mindir": "ONNX is run by `python -m torch_ref.run_exported`.",
    "onnx": "MindIR is run by `python -m ms_model.run_exported`.",
}


def _read(path: Path) -> dict:
    if not path.is_file():
        raise PortError(f"there is no {path}. Name a folder that `export` has written.")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PortError(f"cannot read {path}: {error}. Export the weights again.") from error
    if not isinstance(data, dict):
        raise PortError(f"{path} is no manifest of an export. Export the weights again.")
    return data


def _checked(folder: Path, part: str, file: object, expected: object) -> Path:
    """The path of a part's file; only a plain name inside the folder is believed."""
    if not isinstance(file, str) or Path(file).name != file:
        raise PortError(f"{folder / NAME}: {file!r} of the part {part!r} is no file name. Export the weights again.")
    path = folder / file
    if not path.is_file():
        raise PortError(f"the part {part!r} is missing: there is no {path}. Export the weights again.")
    if (found := sha256_file(path)) != expected:
        raise PortError(
            f"{path} is damaged: its sha256 begins with {found[:12]}, expected {str(expected)[:12]}. Copy it or export "
            "the weights again."
        )
    return path
