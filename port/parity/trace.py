"""A trace: what one run of one network computed, as files that another machine can read.

    trace.json            the sites in execution order, with statistics and hashes; environment; weights; error, if any
    samples.safetensors   a few elements of every site, at places fixed by its shape
    whole-000.safetensors whole tensors of the sites asked for, in shards; equal tensors stored once
    output.npy            the frames that came out

A site is one value of one call: `bwd.05/resblocks.main.2.17.conv1:out`, `bwd.05/LTAM:in1`, `flows/flows_forward`; a name
met again within a step gets `#1`, `#2`, ...
"""

import json
import shutil
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import xxhash
from safetensors import safe_open
from safetensors.numpy import save_file

from port.errors import PortError
from port.files import make_folder, whole_file
from port.parity.shards import SHARD_BYTES, Shards

SCHEMA = 1
# Elements kept of every tensor. An error on one border row of a large one may be missed, so what a verdict rests on alone
# (modules fed with the reference's values, output frames) is kept whole.
SAMPLES = 1024
ROW = 1024  # numbers of a tensor summed in its own type at a time


@dataclass(frozen=True)
class Site:
    """One value of a run. `kind` is input, output, value or decision; `whole` says where the whole tensor lies."""

    name: str
    kind: str
    shape: list[int]
    dtype: str
    hash: str
    rms: float
    mean: float
    lowest: float
    highest: float
    nonfinite: int
    sampled: int  # row in samples.safetensors
    whole: str | None = None


@lru_cache(maxsize=256)
def sample_places(size: int) -> np.ndarray | slice:
    """Which elements of a flattened tensor are kept: all of a small one, else SAMPLES drawn by its size alone."""
    if size <= SAMPLES:
        return slice(None)
    return np.sort(np.random.default_rng(size).choice(size, SAMPLES, replace=False))


def digest(array: np.ndarray) -> str:
    """What identifies a value: equal bytes of another type are another value (8 zeros of float64, 16 of float32)."""
    return f"{xxhash.xxh3_128_hexdigest(np.ascontiguousarray(array).reshape(-1))}-{array.dtype}"


def total_of(numbers: np.ndarray) -> float:
    """The sum of a flat array: rows in its own type by einsum, three times as fast as numpy's sum, then all in float64."""
    rows = numbers.size // ROW
    whole = np.einsum("ij->i", numbers[: rows * ROW].reshape(rows, ROW))
    return float(whole.sum(dtype=np.float64) + numbers[rows * ROW :].sum(dtype=np.float64))


def measure(name: str, kind: str, array: np.ndarray, sampled: int, known_digest: str | None = None) -> Site:
    """Statistics and hash of one value; a digest that is known already is not computed again."""
    flat = np.ascontiguousarray(array).reshape(-1)
    wide = flat.dtype.kind == "f" and flat.itemsize > 2  # sums of halves overflow
    numbers = flat if wide else flat.astype(np.float64)
    nonfinite, total, squares = 0, total_of(numbers), float(np.dot(numbers, numbers))
    if not (np.isfinite(total) and np.isfinite(squares)):  # NaN, infinity, or squares beyond float32
        numbers = numbers[np.isfinite(numbers)].astype(np.float64)
        nonfinite, total, squares = flat.size - numbers.size, total_of(numbers), float(np.dot(numbers, numbers))
    size = max(numbers.size, 1)
    return Site(
        name=name,
        kind=kind,
        shape=list(array.shape),
        dtype=str(array.dtype),
        hash=known_digest or digest(flat),
        rms=float(np.sqrt(squares / size)),
        mean=total / size,
        lowest=float(numbers.min()) if numbers.size else 0.0,
        highest=float(numbers.max()) if numbers.size else 0.0,
        nonfinite=nonfinite,
        sampled=sampled,
    )


class TraceWriter:
    """Collects one run. Whole tensors go to disk as the run goes on (shards.py); `finish` writes the rest.

    limit_bytes bounds what the folder may take; beyond it, or when the disk is nearly full, add() raises PortError.
    """

    def __init__(self, folder: Path, limit_bytes: int):
        self.folder = make_folder(folder)
        self.limit_bytes = limit_bytes
        self._start()

    def _start(self) -> None:
        self.sites: list[Site] = []
        self.samples: list[np.ndarray] = []
        self.measured: dict[tuple[str, tuple[int, ...]], Site] = {}  # hash and shape -> the first site of that value
        self.stored: dict[str, str] = {}  # hash -> shard/key
        self.shards = Shards(self.folder)
        self.total_bytes = 0
        self.seen: defaultdict[str, int] = defaultdict(int)

    def start_again(self) -> None:
        """Forget everything recorded, whole tensors on disk included."""
        self.shards.close()
        for path in self.folder.glob("whole-*.safetensors"):
            path.unlink()
        self._start()

    def name(self, name: str) -> str:
        """The name for the next site called `name`: with `#k` from its second occurrence on."""
        count = self.seen[name]
        self.seen[name] += 1
        return f"{name}#{count}" if count else name

    def add(
        self, name: str, kind: str, array: np.ndarray, whole: bool, known: str | None = None, dtype: str | None = None
    ) -> Site:
        """Record one value; `array` is copied where it must outlive the call.

        known  hash of a tensor that another trace holds whole: an equal one is not stored a second time
        dtype  the type that the value had, if not the array's
        """
        site = self._measured(name, kind, array)
        site = replace(site, dtype=dtype) if dtype else site
        if whole and site.hash != known:
            site = replace(site, whole=self._store(site.hash, array))
        self.sites.append(site)
        return site

    def _measured(self, name: str, kind: str, array: np.ndarray) -> Site:
        """Statistics and samples of a value; equal ones are measured and sampled once.

        What a module returns is mostly what the next one is given. That it is the same object says little, since it may
        have been written to in between and not every framework counts that; that it has the same bytes says all.
        """
        key = digest(array)
        if first := self.measured.get((key, array.shape)):
            return replace(first, name=name, kind=kind)
        site = measure(name, kind, array, len(self.samples), key)
        self.samples.append(array.reshape(-1)[sample_places(array.size)].copy())
        self.measured[key, array.shape] = site
        return site

    def _store(self, key: str, array: np.ndarray) -> str:
        if key not in self.stored:
            self._check_room(array.nbytes)
            self.stored[key] = self.shards.add(key, array)
            self.total_bytes += array.nbytes
        return self.stored[key]

    def _check_room(self, more: int) -> None:
        wanted, free = self.total_bytes + more, shutil.disk_usage(self.folder).free
        if wanted <= self.limit_bytes and self.shards.in_memory + more + SHARD_BYTES <= free:
            return
        what = "its limit" if wanted > self.limit_bytes else f"the free space on its disk ({free / 1e9:.1f} GB)"
        raise PortError(
            f"the trace in {self.folder} would outgrow {what}: {wanted / 1e9:.2f} GB of whole tensors so far, limit "
            f"{self.limit_bytes / 1e9:.2f} GB. Use fewer or smaller frames (--max-frames), fewer whole steps (--whole), "
            "or a larger --trace-limit."
        )

    def finish(self, output: np.ndarray | None, **about: object) -> None:
        """Write everything. `about` lands in trace.json (framework, weights, seconds, error, ...)."""
        self.shards.close()
        with whole_file(self.folder / "samples.safetensors", lasting=False) as draft:
            save_file({str(i): np.ascontiguousarray(row) for i, row in enumerate(self.samples)}, str(draft))
        if output is not None:
            with whole_file(self.folder / "output.npy", lasting=False) as draft:
                np.save(draft, output)
        sites = [vars(site) for site in self.sites]
        held = {"schema": SCHEMA, **about, "whole_bytes": self.total_bytes, "sites": sites}
        with whole_file(self.folder / "trace.json", lasting=False) as draft:
            draft.write_text(json.dumps(held, allow_nan=False), encoding="utf-8")


class Trace:
    """A trace read back; tensors are fetched when asked for.

    held  the reference's trace: what equals a tensor there was not stored a second time
    """

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self.held: Trace | None = None
        try:
            self.about = json.loads((self.folder / "trace.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise PortError(f"no readable trace in {self.folder}: {error}. Run the capture again.") from error
        if self.about.get("schema") != SCHEMA:
            raise PortError(
                f"the trace in {self.folder} has schema {self.about.get('schema')!r}, this version reads {SCHEMA}. "
                "Run the capture again."
            )
        self.sites = {entry["name"]: Site(**entry) for entry in self.about.pop("sites")}
        self._files: dict[str, object] = {}

    def _open(self, name: str):
        if name not in self._files:
            self._files[name] = safe_open(str(self.folder / name), framework="numpy")
        return self._files[name]

    def samples(self, name: str) -> np.ndarray:
        """The kept elements of a site, flat, in the order of `sample_places`."""
        return self._open("samples.safetensors").get_tensor(str(self.sites[name].sampled))

    def whole(self, name: str) -> np.ndarray | None:
        """The whole tensor of a site, or None where the trace holds samples only."""
        site = self.sites.get(name)
        if site is None:
            return None
        if site.whole is None:
            other = self.held.sites.get(name) if self.held else None
            same = self.held.whole(name) if other and other.hash == site.hash else None
            return None if same is None else same.reshape(site.shape)  # equal elements may lie in another shape
        shard, key = site.whole.rsplit("/", 1)
        return self._open(shard).get_tensor(key).reshape(site.shape)

    def output(self) -> np.ndarray | None:
        """The frames that came out, (t, 3, 4h, 4w) float32, or None after an error."""
        path = self.folder / "output.npy"
        return np.load(path, allow_pickle=False) if path.exists() else None
