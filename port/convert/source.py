"""Tensors to be converted, in files or in memory, read a piece at a time."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from port.convert.header import BYTES, Stored, read_tensors
from port.errors import PortError
from port.weights.halves import BF16, narrow
from port.weights.raw import RawCheckpoint, damaged
from port.weights.tensors_file import DTYPES

CODES = {numpy: code for code, numpy in DTYPES.items()} | {"bfloat16": "BF16"}


class Source(Protocol):
    """Where tensors come from. tensors: name -> what it is"""

    tensors: Mapping[str, Stored]

    def read_into(self, name: str, start: int, buffer: memoryview) -> None: ...

    def close(self) -> None: ...


class FileSource:
    """A .safetensors file or an index with its files."""

    def __init__(self, path: Path):
        self.path, self.tensors = path, read_tensors(path)
        self.files: dict[Path, int] = {}

    def read_into(self, name: str, start: int, buffer: memoryview) -> None:
        """Fill the buffer from byte `start` of a tensor. Raises PortError where the file has become shorter."""
        one = self.tensors[name]
        if one.path not in self.files:
            self.close()  # shards come one after the other
            self.files[one.path] = os.open(one.path, os.O_RDONLY)
        at = one.start + start
        while buffer:
            got = os.preadv(self.files[one.path], [buffer], at)
            if got == 0:
                raise damaged(one.path, "it became shorter while it was read")
            buffer, at = buffer[got:], at + got

    def state(self) -> list:
        """What tells this source from another one, or from itself after a change."""
        stats = [(str(path), os.stat(path)) for path in dict.fromkeys(one.path for one in self.tensors.values())]
        tensors = [(name, one.dtype, one.shape, one.start) for name, one in self.tensors.items()]
        return [[name, found.st_size, found.st_mtime_ns] for name, found in stats] + [tensors]

    def close(self) -> None:
        for descriptor in self.files.values():
            os.close(descriptor)
        self.files.clear()


class MemorySource:
    """The contents of a file that was read whole (.pth, .ckpt)."""

    def __init__(self, path: Path, raw: RawCheckpoint):
        self.path, self.arrays = path, {}
        for name, array in raw.tensors.items():
            self.arrays[name] = (
                narrow(array) if raw.dtypes[name] == "bfloat16" else np.ascontiguousarray(array).reshape(array.shape)
            )
        self.tensors = {name: self._stored(name, array) for name, array in self.arrays.items()}

    def _stored(self, name: str, array: np.ndarray) -> Stored:
        kind = "bfloat16" if array.dtype == BF16 else array.dtype.name
        if kind not in CODES:
            raise PortError(f"cannot convert {self.path}: tensor {name!r} has the element type {kind}.")
        return Stored(CODES[kind], array.shape, self.path, 0, BYTES[CODES[kind]] * array.size)

    def read_into(self, name: str, start: int, buffer: memoryview) -> None:
        """Fill the buffer from byte `start` of a tensor."""
        flat = self.arrays[name].reshape(-1).view(np.uint8)
        buffer[:] = memoryview(flat)[start : start + len(buffer)]

    def state(self) -> list:
        found = os.stat(self.path)
        return [str(self.path), found.st_size, found.st_mtime_ns]

    def close(self) -> None:
        """Nothing is open."""


def numpy_type(code: str) -> np.dtype | None:
    """The element type of a code of the format; None for those that only move (8-bit floats, complex numbers)."""
    return BF16 if code == "BF16" else np.dtype(DTYPES[code]) if code in DTYPES else None
