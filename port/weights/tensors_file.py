"""The .safetensors format: the one that needs neither framework. The third twin of the two `checkpoint.py`."""

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from port.console import note
from port.errors import PortError, UsageError
from port.files import whole_file
from port.weights.raw import RawCheckpoint, check_readable, damaged
from port.weights.rules import quote

SUFFIX = ".safetensors"
PACKAGES = {".pth": "torch_ref", ".ckpt": "ms_model"}  # whose checkpoint.py rewrites which format
DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
}


def load(path: Path) -> RawCheckpoint:
    """Every tensor of the file under its own name. Raises PortError if the file is no whole safetensors file."""
    path = Path(path)
    check_readable(path, SUFFIX)
    try:
        # The library checks that header, element types, shapes and offsets add up to exactly the size of the file.
        entries = safetensors.deserialize(path.read_bytes())
    except safetensors.SafetensorError as error:
        raise damaged(path, f"no valid safetensors file ({error})") from error
    raw = RawCheckpoint()
    for name, entry in entries:
        raw.tensors[name], raw.dtypes[name] = _to_array(path, name, entry)
    if not raw.tensors:
        raise PortError(f"cannot read {path}: it holds no tensors.")
    return raw


def _to_array(path: Path, name: str, entry: dict) -> tuple[np.ndarray, str]:
    if entry["dtype"] == "BF16":  # the upper half of a float32
        bits = np.frombuffer(entry["data"], "<u2").astype(np.uint32) << 16
        return bits.view(np.float32).reshape(entry["shape"]), "bfloat16"
    if entry["dtype"] not in DTYPES:
        raise PortError(f"cannot read {path}: tensor {quote(name)} has the unknown element type {entry['dtype']}.")
    dtype = DTYPES[entry["dtype"]]
    return np.frombuffer(entry["data"], dtype).reshape(entry["shape"]), dtype


def save(path: Path, weights: Mapping[str, np.ndarray]) -> None:
    """Write the arrays under the names given, whole or not at all. Raises PortError where that is impossible."""
    with whole_file(path) as draft:
        write(draft, weights)


def write(path: Path, weights: Mapping[str, np.ndarray]) -> None:
    """Write to `path` itself. Raises OSError, and leaves what it wrote; `save` is the safe form."""
    arrays = {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in weights.items()}
    Path(path).write_bytes(safetensors.numpy.save(arrays, metadata={"format": "np"}))


def exchange(
    suffix: str, load_native: Callable[[Path], RawCheckpoint], save_native: Callable, arguments: list[str] | None
) -> int:
    """The command line of both `checkpoint.py`: a framework's file to .safetensors, or back, names unchanged.

    The torch-free toolkit starts it as a process. bfloat16 tensors come out as float32, and that is said on stderr.
    """
    prog = f"python -m {PACKAGES[suffix]}.checkpoint"
    parser = argparse.ArgumentParser(
        prog=prog, description=f"Rewrite {suffix} as .safetensors or back; every tensor, own names."
    )
    parser.add_argument("source", type=Path, metavar="IN")
    parser.add_argument("target", type=Path, metavar="OUT")
    options = parser.parse_args(arguments)
    found = (options.source.suffix, options.target.suffix)
    if found == (suffix, SUFFIX):
        raw, write_out = load_native(options.source), save
    elif found == (SUFFIX, suffix):
        raw, write_out = load(options.source), save_native
    else:
        raise UsageError(f"expected {suffix} to {SUFFIX} or the reverse, found {json.dumps(found)}.")
    widened = [name for name, dtype in raw.dtypes.items() if dtype == "bfloat16"]
    if widened:
        note(f"{len(widened)} bfloat16 tensors are written as float32, with the same values ({quote(widened[0])}, ...)")
    write_out(options.target, raw.tensors)
    return 0
