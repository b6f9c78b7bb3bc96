"""What a checkpoint file holds before anyone interprets it, and the checks that need only its size."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from port.errors import PortError
from port.weights.rules import quote

MAX_BYTES = 2 << 30  # protobuf's own limit; a full-size TTVSR with its optimiser state takes 0.1 GB
MAX_ENTRIES = 200_000  # 338 tensors with optimiser state and settings make about 5 000
MAX_NAME = 500  # characters of one dict key; longer ones are cut
MAX_DEPTH = 32  # nested dicts and lists; real checkpoints stay below 8


@dataclass
class RawCheckpoint:
    """The contents of one file under the file's own names.

    tensors  name -> array, nested dicts joined by dots (`state_dict.generator.conv_hr.weight`)
    dtypes   name -> element type in the file; differs from the array's only for bfloat16, which numpy lacks: such
             tensors are given as float32, which holds every bfloat16 value exactly
    others   top-level name -> number of entries below it that are not tensors
    """

    tensors: dict[str, np.ndarray] = field(default_factory=dict)
    dtypes: dict[str, str] = field(default_factory=dict)
    others: dict[str, int] = field(default_factory=dict)


def check_readable(path: Path, suffix: str) -> None:
    """Refuse what cannot be a checkpoint of format `suffix`, before it is opened. Raises PortError."""
    if path.suffix != suffix:
        raise PortError(
            f"cannot read {path} here: expected a {suffix} or .safetensors file. "
            f"`python convert_weights.py {path} -o NAME{suffix}` makes one."
        )
    if path.is_dir():
        raise PortError(f"cannot read {path}: it is a folder. Name the checkpoint file inside it.")
    if path.exists() and not path.is_file():
        raise PortError(f"cannot read {path}: it is no regular file. Name a checkpoint file.")
    try:
        with open(path, "rb"):
            size = path.stat().st_size
    except OSError as error:
        raise PortError(f"cannot read {path}: {(error.strerror or str(error)).lower()}. Check the path.") from error
    if size == 0:
        raise PortError(f"cannot read {path}: the file is empty. Copy or download it again.")
    if size > MAX_BYTES:
        raise PortError(
            f"cannot read {path}: {size / 1e9:.1f} GB, but checkpoints over {MAX_BYTES / 1e9:.1f} GB are refused."
        )


def damaged(path: Path, what: str) -> PortError:
    """The error for a file that is not what its name promises; `what` says what was found."""
    what = "".join(letter if letter.isprintable() else "?" for letter in what)[:400]  # may quote the file's own bytes
    return PortError(f"cannot read {path}: {what}. The file is truncated or damaged; copy or download it again.")


def collect(
    path: Path, tree: object, to_array: Callable[[str, object], tuple[np.ndarray, str] | None]
) -> RawCheckpoint:
    """Flatten nested dicts and lists of tensors.

    to_array(name, leaf)  gives (array, element type in the file), or None where the leaf is no tensor
    Raises PortError for names that collide when joined, for nesting over MAX_DEPTH and for more than MAX_BYTES in all
    (many names may share one storage, so a small file can unfold to any size).
    """
    raw, total = RawCheckpoint(), 0
    for name, leaf in _leaves(path, tree):
        converted = to_array(name, leaf)
        if converted is None:
            top = name.partition(".")[0]
            raw.others[top] = raw.others.get(top, 0) + 1
            continue
        if name in raw.tensors:
            raise PortError(
                f"cannot read {path}: two tensors are called {quote(name)} once nested names are joined by dots."
            )
        raw.tensors[name], raw.dtypes[name] = converted
        total += raw.tensors[name].nbytes
        if total > MAX_BYTES:
            raise PortError(f"cannot read {path}: its tensors unfold to over {MAX_BYTES / 1e9:.1f} GB.")
    if not raw.tensors:
        raise PortError(f"cannot read {path}: it holds no tensors. Expected a dict from parameter names to tensors.")
    return raw


def _leaves(path: Path, tree: object) -> Iterator[tuple[str, object]]:
    """Names and leaves in order. The limits stop pickles whose dicts contain themselves or each other many times."""
    stack = [((), tree)]
    for _ in range(MAX_ENTRIES):
        if not stack:
            return
        names, node = stack.pop()
        if isinstance(node, dict):
            items = list(node.items())
        elif isinstance(node, list | tuple):
            items = list(enumerate(node))
        else:
            yield ".".join(names), node
            continue
        if len(names) >= MAX_DEPTH:
            raise PortError(f"refused {path}: nested more than {MAX_DEPTH} deep at '{'.'.join(names[:4])[:80]}...'.")
        stack += [((*names, str(key)[:MAX_NAME]), branch) for key, branch in reversed(items)]
    raise PortError(f"refused {path}: it has more than {MAX_ENTRIES} entries.")
