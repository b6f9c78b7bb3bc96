"""Checkpoint in, checked weights out; and from one format to another, proved bit-equal."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from port.errors import PortError, UsageError
from port.files import git_blob_sha1, sha256_file, whole_file
from port.weights import tensors_file
from port.weights.canonical import Canonical, Dropped, canonicalise
from port.weights.check import check_arrays, check_names
from port.weights.detect import AUTO, MODELS, detect
from port.weights.model import Model
from port.weights.raw import RawCheckpoint
from port.weights.rules import nearest, quote
from port.weights.summary import Summary

Load = Callable[[Path], RawCheckpoint]
MS_SUFFIX, TORCH_SUFFIX = ".ckpt", ".pth"


class Format(Protocol):
    """One of the three modules that read and write a format: the two `checkpoint.py` and `tensors_file`."""

    def load(self, path: Path) -> RawCheckpoint: ...
    def write(self, path: Path, weights: Mapping[str, np.ndarray]) -> None: ...


@dataclass(frozen=True)
class Loaded:
    """The checked weights of a file.

    config   sizes of the network, such as a TTVSRConfig
    weights  torch name -> float32 array, in the network's order
    dtypes   element types in the file
    """

    model: Model
    config: Any
    weights: dict[str, np.ndarray]
    dtypes: tuple[str, ...]
    dropped: list[Dropped]
    notes: list[str]


def load_weights(
    path: Path | str, load: Load, model: str = AUTO, params: str | None = None
) -> tuple[Any, dict[str, np.ndarray]]:
    """(sizes of the network, torch name -> float32 array) of a checkpoint, checked like a conversion.

    load  reader of the column's own format; .safetensors files are read without it
    Raises PortError for everything that makes the file unfit.
    """
    found = load_checkpoint(path, load, model, params)
    return found.config, found.weights


def load_checkpoint(path: Path | str, load: Load, model: str = AUTO, params: str | None = None) -> Loaded:
    """`load_weights`, with what was dropped and noted on the way."""
    path = Path(path)
    raw = (tensors_file.load if path.suffix == tensors_file.SUFFIX else load)(path)
    dropped = {name: reason for known in MODELS.values() for name, reason in known.dropped.items()}
    found = canonicalise(path, raw, dropped, params)
    network = detect(path, found.weights, model)
    _respell(path, network, found)
    if path.suffix == MS_SUFFIX:
        _rename_back(network, found)
    config = _read_config(path, network, found)
    expected = network.expected_shapes(config)
    check_names(path, network, found.weights, expected)
    dtypes = tuple(sorted(set(found.dtypes.values())))
    weights = check_arrays(path, network, found, expected)
    return Loaded(network, config, weights, dtypes, found.dropped, found.notes)


def _respell(path: Path, model: Model, found: Canonical) -> None:
    """Names of other frameworks to those of this project, and a note of it; names without a rule stay, for the check of names.

    Raises PortError where a tensor is there under two spellings.
    """
    for framework, spelling in model.spellings.items():
        rules = spelling.rules
        if rules is None:
            continue
        new = {name: rules.inverse(name) for name in found.weights if rules.matches_inverse(name)}
        new = {name: own for name, own in new.items() if own != name}
        if twice := [name for name, own in new.items() if own in found.weights]:
            raise PortError(f"{path}: {quote(twice[0])} and {quote(new[twice[0]])} are two names of the same tensor.")
        found.weights = {new.get(name, name): array for name, array in found.weights.items()}
        found.dtypes = {new.get(name, name): dtype for name, dtype in found.dtypes.items()}
        if new:
            found.notes.append(f"The file spells {len(new)} names as {framework} does.")


def _read_config(path: Path, model: Model, found: Canonical) -> Any:
    try:
        return model.read_config(found.weights)
    except PortError as error:
        odd = next((name for name in found.weights if not model.rules.matches(name)), None)
        stranger = f" No rule for {quote(odd)} (nearest rule '{nearest(odd, model.rules.rules)}')." if odd else ""
        raise PortError(f"{path} does not hold the weights of {model.name}. {error}{stranger}") from error


def _rename_back(model: Model, found: Canonical) -> None:
    """MindSpore names to torch names; those without a rule stay, for the check of names to report."""
    torch_name = {name: model.rules.inverse(name) for name in found.weights if model.rules.matches_inverse(name)}
    found.weights = {torch_name.get(name, name): array for name, array in found.weights.items()}
    found.dtypes = {torch_name.get(name, name): dtype for name, dtype in found.dtypes.items()}


def convert(
    source: Path,
    target: Path,
    reader: Format,
    writer: Format,
    model: str = AUTO,
    params: str | None = None,
    names: str | None = None,
) -> Summary:
    """Convert a checkpoint and prove the result before it takes its name.

    reader, writer  the modules of the two formats; names follow the suffix of `target`
    names           the framework whose spelling a .pth gets; None: that of the official files
    Raises PortError; then `target` is as it was before.
    """
    found = load_checkpoint(source, reader.load, model, params)
    named = name_for_file(found.model, found.weights, target.suffix, names)
    with whole_file(target) as draft:
        writer.write(draft, named)
        prove_equal(target, found.weights, load_checkpoint(draft, writer.load, found.model.name).weights)
        digest = sha256_file(draft)
    return _summarise(source, target, found, digest)


def name_for_file(
    model: Model, weights: Mapping[str, np.ndarray], suffix: str, names: str | None = None
) -> dict[str, np.ndarray]:
    """The weights under the names that a file of that format uses. names: as in `convert`

    Raises UsageError for a spelling that the network does not have, or that the format has no use for.
    """
    if names is not None and (suffix != TORCH_SUFFIX or names not in model.spellings):
        known = f"{model.name} has: {', '.join(model.spellings)}" if suffix == TORCH_SUFFIX else "it is for .pth files"
        raise UsageError(f"--names {names} does not go with a {suffix} file of {model.name}; {known}.")
    if suffix == MS_SUFFIX:
        return {model.rules.forward(name): array for name, array in weights.items()}
    if suffix != TORCH_SUFFIX:
        return dict(weights)
    spelling = model.spellings[names or next(iter(model.spellings))]
    respelt = spelling.rules.forward if spelling.rules else lambda name: name
    return {spelling.prefix + respelt(name): array for name, array in weights.items()}


def prove_equal(target: Path, written: Mapping[str, np.ndarray], read: Mapping[str, np.ndarray]) -> None:
    """Compare name by name, byte by byte (so that -0.0 differs from 0.0). Raises PortError at the first difference."""
    if written.keys() != read.keys():
        odd = sorted(written.keys() ^ read.keys())
        raise PortError(f"{target} was not written: read back, {len(odd)} names differ, the first {quote(odd[0])}.")
    for name, array in written.items():
        before, after = array.tobytes(), read[name].tobytes()
        if before != after or array.dtype != read[name].dtype or array.shape != read[name].shape:
            count = (
                int((np.frombuffer(before, "u1") != np.frombuffer(after, "u1")).sum())
                if len(before) == len(after)
                else "all"
            )
            raise PortError(
                f"{target} was not written: read back, tensor {quote(name)} differs in {count} of {len(before)} bytes. "
                "Check disk and memory of this machine; the source file is unharmed."
            )


def content_sha256(weights: Mapping[str, np.ndarray]) -> str:
    """sha256 over the little-endian float32 bytes of all arrays in order of their names; the same for every format."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(np.ascontiguousarray(weights[name], dtype="<f4").tobytes())
    return digest.hexdigest()


def _summarise(source: Path, target: Path, found: Loaded, target_sha256: str) -> Summary:
    weights, buffers = found.weights, found.model.buffers
    return Summary(
        model=found.model.name,
        config=vars(found.config),
        source=str(source),
        source_sha256=sha256_file(source),
        official_file=found.model.official.get(git_blob_sha1(source)),
        target=str(target),
        target_sha256=target_sha256,
        content_sha256=content_sha256(weights),
        tensors=len(weights),
        parameters=sum(array.size for name, array in weights.items() if name not in buffers),
        buffers=sum(array.size for name, array in weights.items() if name in buffers),
        dtype="float32",
        source_dtypes=found.dtypes,
        dropped=found.dropped,
        notes=found.notes,
    )
