"""MindSpore's .ckpt files, in and out, as numpy arrays by name. `torch_ref/checkpoint.py` does the same for .pth.

`python -m ms_model.checkpoint IN OUT` rewrites a .ckpt as .safetensors or back, for programs without mindspore.
"""

import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import mindspore as ms
import numpy as np

from port.errors import PortError, run_command
from port.files import whole_file
from port.weights.ckpt_check import check_ckpt
from port.weights.halves import BF16, widen
from port.weights.raw import RawCheckpoint, check_readable, collect, damaged
from port.weights.rules import quote
from port.weights.tensors_file import exchange

SUFFIX = ".ckpt"
READ_ERRORS = (ValueError, TypeError, RuntimeError, LookupError, MemoryError)


def load(path: Path) -> RawCheckpoint:
    """Every tensor of the file under its own name.

    Nothing in such a file can execute. Raises PortError for a file that is damaged or holds no tensors.
    """
    path = Path(path)
    check_readable(path, SUFFIX)
    check_ckpt(path)
    try:
        with _quiet():
            tree = ms.load_checkpoint(str(path))
    except READ_ERRORS as error:
        raise damaged(path, f"MindSpore cannot read it: {(str(error) or type(error).__name__)[:200]}") from error
    return collect(path, tree, lambda name, leaf: _to_array(path, name, leaf))


def save(path: Path, weights: Mapping[str, np.ndarray]) -> None:
    """Write the arrays under the names given, whole or not at all. Raises PortError where that is impossible."""
    with whole_file(path) as draft:
        write(draft, weights)


def write(path: Path, weights: Mapping[str, np.ndarray]) -> None:
    """Write to `path` itself, which must end in .ckpt, or MindSpore would add it.

    Raises OSError, and leaves what it wrote; `save` is the safe form.
    """
    path = Path(path)
    state = [{"name": name, "data": _to_tensor(name, array)} for name, array in weights.items()]
    try:
        with _quiet():
            ms.save_checkpoint(state, str(path))
        path.chmod(0o666 & ~_umask())  # MindSpore leaves it readable by its owner alone, and read-only
    finally:
        with suppress(OSError):  # what MindSpore writes to first, and leaves if it fails
            path.with_suffix(".tmp").unlink()


def _to_array(path: Path, name: str, leaf: object) -> tuple[np.ndarray, str] | None:
    """(array, element type in the file), or None for what is no tensor; numpy lacks bfloat16, so float32 is given."""
    if not isinstance(leaf, ms.Tensor):
        return None
    dtype = str(leaf.dtype).lower()
    try:
        plain = leaf.astype(ms.float32) if leaf.dtype == ms.bfloat16 else leaf
        return plain.asnumpy().copy(), dtype  # asnumpy shows the tensor's own memory
    except READ_ERRORS as error:
        raise PortError(f"cannot read {path}: tensor {quote(name)} ({dtype}) is no plain array of numbers.") from error


def _to_tensor(name: str, array: np.ndarray) -> ms.Tensor:
    if array.dtype == BF16 and array.size:
        return ms.Tensor(widen(array)).astype(ms.bfloat16)
    if array.size == 0 or array.dtype.kind not in "fiub":
        raise PortError(f"cannot write tensor {quote(name)}: a .ckpt cannot hold {array.dtype} of shape {array.shape}.")
    return ms.Tensor(np.array(array, order="C"))


def _umask() -> int:
    mask = os.umask(0)  # the only way to read it
    os.umask(mask)
    return mask


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep MindSpore's log of an error it also raises off stderr, where our own message follows."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def main(arguments: list[str] | None = None) -> int:
    return exchange(SUFFIX, load, save, arguments)


if __name__ == "__main__":
    sys.exit(run_command(main))
