"""What must hold of a MindSpore .ckpt file before MindSpore reads it. Standard library only.

The file is a protobuf message, in the notation of the format:

    Checkpoint   { repeated Value value = 1 }
    Value        { string tag = 1; TensorProto tensor = 2; MapTensorProto maptensor = 3 }
    TensorProto  { repeated int64 dims = 1; string tensor_type = 2; bytes tensor_content = 3 }

A tensor over 512 MB is split: consecutive values with the same tag, whose contents are joined. A scalar has no dims
(older versions: dims 0). The file may end in `crc_num` and ten bytes of CRC-32, big-endian.
"""

import math
import zlib
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from port.errors import PortError
from port.weights.raw import damaged
from port.weights.rules import quote

CRC_MARK, CRC_BYTES = b"crc_num", 10
ITEM_BYTES = {"Bool": 1, "Int8": 1, "UInt8": 1, "Int16": 2, "UInt16": 2, "Float16": 2, "BFloat16": 2}
ITEM_BYTES |= {"Int32": 4, "UInt32": 4, "Float32": 4, "Int64": 8, "UInt64": 8, "Float64": 8}
VARINT, LENGTH_DELIMITED = 0, 2  # protobuf wire types


class _Malformed(Exception):
    """The bytes are not such a message."""


def check_ckpt(path: Path) -> None:
    """Check that the bytes parse to the end and that every tensor has as many as its dims and type say.

    MindSpore trusts these numbers. Raises PortError.
    """
    content = memoryview(path.read_bytes())
    tail = len(CRC_MARK) + CRC_BYTES
    if content[-tail:-CRC_BYTES] == CRC_MARK:
        declared = int.from_bytes(content[-CRC_BYTES:], "big")
        content = content[:-tail]
        if zlib.crc32(content) != declared:
            raise damaged(path, "its bytes do not match their checksum")
    try:
        entries = [_entry(value) for field, value in _fields(content) if _only(field, {1})]
    except (_Malformed, UnicodeDecodeError) as error:
        raise damaged(path, f"no MindSpore checkpoint ({error})") from error
    seen: set[str] = set()
    for tag, parts in groupby(entries, key=lambda entry: entry[0]):
        if tag in seen:
            raise damaged(path, f"two tensors are called {quote(tag)}")
        seen.add(tag)
        _check_tensor(path, tag, list(parts))


def _check_tensor(path: Path, tag: str, parts: list[tuple[str, list[int], str, int]]) -> None:
    _, dims, kind, _ = parts[-1]  # MindSpore takes shape and type from the last part
    found = sum(size for *_, size in parts)
    if kind == "str":
        expected = found - found % 4  # UTF-32
    elif kind not in ITEM_BYTES:
        raise PortError(f"cannot read {path}: tensor {quote(tag)} has the unknown element type {quote(kind)}.")
    else:
        expected = ITEM_BYTES[kind] * (1 if dims == [0] else math.prod(dims))
    if min(dims, default=0) < 0 or found != expected or found == 0:
        raise damaged(
            path, f"tensor {quote(tag)} of type {kind} and shape {dims[:8]} has {found} bytes, expected {expected}"
        )


def _entry(value: memoryview | int) -> tuple[str, list[int], str, int]:
    """(tag, dims, element type, bytes of content) of one Value."""
    parts = _once(value, {1, 2})
    dims, rest = [], {}
    for field, content in _fields(parts[2]):
        if field == 1:
            dims += [content] if isinstance(content, int) else _varints(content)
        elif _only(field, {2, 3}) and field in rest:
            raise _Malformed("a field appears twice")
        else:
            rest[field] = content
    _all_there(rest, {2, 3})
    signed = [size - (1 << 64) if size >= 1 << 63 else size for size in dims]
    return str(parts[1], "utf-8"), signed, str(rest[2], "utf-8"), len(rest[3])


def _once(message: memoryview | int, wanted: set[int]) -> dict[int, memoryview]:
    found = {}
    for field, content in _fields(message):
        if _only(field, wanted) and field in found:
            raise _Malformed("a field appears twice")
        found[field] = content
    _all_there(found, wanted)
    return found


def _all_there(found: dict[int, memoryview], wanted: set[int]) -> None:
    if set(found) != wanted or any(isinstance(content, int) for content in found.values()):
        raise _Malformed("an entry lacks its name, type or content")


def _only(field: int, wanted: set[int]) -> bool:
    if field not in wanted:
        raise _Malformed(f"unknown field {field}")
    return True


def _fields(message: memoryview | int) -> Iterator[tuple[int, memoryview | int]]:
    """(field number, bytes or number) of a message, in order."""
    if isinstance(message, int):
        raise _Malformed("a number where an entry should be")
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        content, at = _varint(message, at)
        if key & 7 == LENGTH_DELIMITED:
            content, at = message[at : at + content], at + content
            if at > len(message):
                raise _Malformed("it ends in the middle of an entry")
        elif key & 7 != VARINT:
            raise _Malformed(f"unknown wire type {key & 7}")
        yield key >> 3, content


def _varints(content: memoryview) -> list[int]:
    found, at = [], 0
    while at < len(content):
        number, at = _varint(content, at)
        found.append(number)
    return found


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """The number whose base-128 digits, lowest first, start at `at`; and where it ends."""
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise _Malformed("it ends in the middle of a number")
        number |= (message[at] & 127) << shift
        at += 1
        if message[at - 1] < 128:
            return number, at
    raise _Malformed("a number of more than ten bytes")
