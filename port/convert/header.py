"""What .safetensors files and their index declare, checked before a byte of a tensor is read.

A file is 8 bytes (length of the header, little-endian), the header (JSON: name -> dtype, shape, data_offsets) and the tensors.
They must fill the rest of the file without gaps. A sharded model has an index: JSON with weight_map, name -> file beside it.
"""

import json
import math
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from port.errors import PortError
from port.weights.raw import damaged
from port.weights.rules import quote

INDEX = ".safetensors.index.json"
SUFFIX = ".safetensors"
MOST_HEADER = 100_000_000  # bytes, the format's own limit
MOST_AXES = 32  # numpy's
BYTES = {"F64": 8, "I64": 8, "U64": 8, "C64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2, "U16": 2}
BYTES |= {"I8": 1, "U8": 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1}


@dataclass(frozen=True)
class Stored:
    """A tensor in a file. dtype: as the format calls it; start: of its first byte in the file."""

    dtype: str
    shape: tuple[int, ...]
    path: Path
    start: int
    nbytes: int


def read_header(path: Path) -> dict[str, Stored]:
    """Every tensor of one file, in the order in which they lie there. Raises PortError."""
    size = regular_size(path)
    with open(path, "rb") as source:
        length = int.from_bytes(source.read(8), "little")
        if size < 8 or length > min(MOST_HEADER, size - 8):
            raise damaged(path, f"no safetensors file ({size} bytes, its header says it takes {length})")
        header = _json(path, source.read(length))
    if not isinstance(header, dict):
        raise damaged(path, "no safetensors file (its header is no table)")
    notes = header.pop("__metadata__", {})
    if not isinstance(notes, dict) or not all(isinstance(text, str) for text in notes.values()):
        raise damaged(path, "its __metadata__ is not a table of texts")
    found = [(name, _stored(path, name, entry, 8 + length)) for name, entry in header.items()]
    found.sort(key=lambda pair: (pair[1].start, pair[1].nbytes))
    at = 8 + length
    for name, one in found:
        if one.start != at:
            raise damaged(path, f"tensor {quote(name)} begins at byte {one.start}, where {at} was expected")
        at += one.nbytes
    if at != size:
        raise damaged(path, f"its tensors end at byte {at}, the file at {size}")
    return dict(found)


def _stored(path: Path, name: str, entry: Any, base: int) -> Stored:
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise damaged(path, f"tensor {quote(name)} is not declared by dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BYTES:
        raise PortError(f"cannot read {path}: tensor {quote(name)} has the unknown element type {quote(str(dtype))}.")
    if not _counts(shape) or len(shape) > MOST_AXES or not _counts(offsets) or len(offsets) != 2:
        raise damaged(path, f"tensor {quote(name)} has a shape or offsets that are none")
    nbytes = BYTES[dtype] * math.prod(shape)
    if offsets[1] - offsets[0] != nbytes:
        raise damaged(path, f"tensor {quote(name)} of {nbytes} bytes lies in {offsets[1] - offsets[0]}")
    return Stored(dtype, tuple(shape), path, base + offsets[0], nbytes)


def _counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(n) is int and 0 <= n < 1 << 63 for n in value)


def regular_size(path: Path) -> int:
    """Bytes of a file. Raises PortError for what is no regular file."""
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise PortError(f"cannot read {path}: it is no regular file. Name a checkpoint file.")
        with open(path, "rb"):
            return found.st_size
    except OSError as error:
        raise PortError(f"cannot read {path}: {(error.strerror or str(error)).lower()}. Check the path.") from error


def _json(path: Path, content: bytes) -> Any:
    """JSON in which no name stands twice: of two entries Python would silently take the last."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for i, name in enumerate(names) if name in names[:i])
            raise ValueError(f"two entries are called {quote(twice)}")
        return made

    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise damaged(path, f"it holds no valid JSON ({error})") from error


def read_index(path: Path) -> dict[str, Stored]:
    """Every tensor of a sharded model, file by file. Raises PortError for an index that does not fit its files, or that
    names files elsewhere than beside it."""
    if regular_size(path) > MOST_HEADER:
        raise damaged(path, f"an index of more than {MOST_HEADER} bytes")
    data = _json(path, path.read_bytes())
    weight_map = data.get("weight_map") if isinstance(data, dict) else None
    if not isinstance(weight_map, dict) or not weight_map or not all(isinstance(f, str) for f in weight_map.values()):
        raise damaged(path, "an index has a table `weight_map` from names to files, this has none")
    found: dict[str, Stored] = {}
    for file in dict.fromkeys(weight_map.values()):
        _check_file_name(path, file)
        held = read_header(path.parent / file)
        for name in held:
            if weight_map.get(name) != file:
                says = f"is in {quote(weight_map[name])} by the index" if name in weight_map else "is not in the index"
                raise damaged(path, f"tensor {quote(name)} lies in {quote(file)} and {says}")
        found |= held
    if missing := [name for name in weight_map if name not in found]:
        raise damaged(
            path, f"tensor {quote(missing[0])} is not in {quote(weight_map[missing[0]])}, where the index has it"
        )
    return found


def _check_file_name(path: Path, file: str) -> None:
    """A plain name of a .safetensors file: nothing that leads to another folder."""
    plain = file.endswith(SUFFIX) and not file.startswith(".") and file.isprintable() and len(file) < 256
    if not plain or any(letter in file for letter in "/\\:\0") or Path(file).name != file:
        raise PortError(
            f"refused {path}: it names the file {quote(file)}. A shard is a {SUFFIX} file beside its index."
        )


def read_tensors(path: Path) -> dict[str, Stored]:
    """The tensors of one file, or of all files of an index."""
    found = read_index(path) if path.name.endswith(INDEX) else read_header(path)
    if not found:
        raise PortError(f"cannot read {path}: it holds no tensors.")
    return found


def header_bytes(tensors: Mapping[str, tuple[str, tuple[int, ...]]]) -> bytes:
    """Length and header of a file with these tensors (name -> dtype, shape) in this order; padded to 8 bytes."""
    table, at = {"__metadata__": {"format": "np"}}, 0
    for name, (dtype, shape) in tensors.items():
        end = at + BYTES[dtype] * math.prod(shape)
        table[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(table, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > MOST_HEADER:
        raise PortError(f"too many tensors for one file: its header would take {len(text)} bytes. Make smaller shards.")
    return len(text).to_bytes(8, "little") + text
