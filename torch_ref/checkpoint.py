"""PyTorch's .pth files, in and out, as numpy arrays by name. `ms_model/checkpoint.py` does the same for .ckpt.

`python -m torch_ref.checkpoint IN OUT` rewrites a .pth as .safetensors or back, for programs without torch.
"""

import io
import pickle
import struct
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from port.errors import PortError, run_command
from port.files import whole_file
from port.weights.halves import BF16
from port.weights.pth_check import check_pth, explain_refusal
from port.weights.raw import MAX_BYTES, RawCheckpoint, check_readable, collect
from port.weights.rules import quote
from port.weights.tensors_file import exchange

SUFFIX = ".pth"
BASICSR = "params."  # the level at which BasicSR keeps its weights
# Bytes that torch.load cannot make sense of: a crafted pickle can end in almost any of Python's own errors
READ_ERRORS = (pickle.UnpicklingError, RuntimeError, ValueError, TypeError, LookupError, AttributeError, AssertionError)
READ_ERRORS += (ArithmeticError, EOFError, OSError, ImportError, MemoryError, struct.error)


def load(path: Path) -> RawCheckpoint:
    """Every tensor of the file under its own name, nested dicts joined by dots.

    Executes nothing that the file asks for. Raises PortError for a file that asks, is damaged or holds no tensors.
    """
    path = Path(path)
    check_readable(path, SUFFIX)
    check_pth(path)
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = torch.load(path, map_location="cpu", weights_only=True)
    except READ_ERRORS as error:
        raise explain_refusal(path, str(error) or type(error).__name__) from error
    return collect(path, tree, lambda name, leaf: _to_array(path, name, leaf))


def save(path: Path, weights: Mapping[str, np.ndarray]) -> None:
    """Write the arrays under the names given, whole or not at all. Raises PortError where that is impossible."""
    with whole_file(path) as draft:
        write(draft, weights)


def write(path: Path, weights: Mapping[str, np.ndarray]) -> None:
    """Write to `path` itself, as {"meta": {}, "state_dict": {name: tensor}}, which mmcv loads.

    Where all names begin with `params.`, as {"params": {name: tensor}}, which BasicSR loads.
    Raises OSError, and leaves what it wrote; `save` is the safe form.
    """
    state = {name: _to_tensor(array) for name, array in weights.items()}
    inside = all(name.startswith(BASICSR) for name in state)
    tree = {"params": {name.removeprefix(BASICSR): tensor for name, tensor in state.items()}}
    content = io.BytesIO()  # torch.save to a file reports a full disk as an internal error
    torch.save(tree if inside and state else {"meta": {}, "state_dict": state}, content)
    Path(path).write_bytes(content.getbuffer())


def _to_array(path: Path, name: str, leaf: object) -> tuple[np.ndarray, str] | None:
    """(array, element type in the file), or None for what is no tensor; numpy lacks bfloat16, so float32 is given."""
    if not isinstance(leaf, torch.Tensor):
        return None
    dtype = str(leaf.dtype).removeprefix("torch.")
    if leaf.numel() * leaf.element_size() > MAX_BYTES:  # a view can claim more than its storage holds
        raise PortError(f"refused {path}: tensor {quote(name)} claims the size {tuple(leaf.shape)}.")
    try:
        dense = leaf.detach().contiguous()
        return (dense.float() if leaf.dtype == torch.bfloat16 else dense).numpy(), dtype
    except (TypeError, RuntimeError, NotImplementedError) as error:  # sparse, quantised, without data
        kind = f"{dtype}, {leaf.layout}, on {leaf.device}"
        raise PortError(f"cannot read {path}: tensor {quote(name)} ({kind}) is no plain array of numbers.") from error


def _to_tensor(array: np.ndarray) -> torch.Tensor:
    if array.dtype == BF16:
        return torch.from_numpy(array.reshape(-1).view("<i2").copy()).view(torch.bfloat16).reshape(array.shape)
    return torch.from_numpy(np.array(array, order="C"))  # a copy of its own: torch stores whole buffers, not views


def main(arguments: list[str] | None = None) -> int:
    return exchange(SUFFIX, load, save, arguments)


if __name__ == "__main__":
    sys.exit(run_command(main))
