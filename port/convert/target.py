"""Safetensors written a piece at a time, in one file or in shards with an index; killed, the same command goes on.

All is written in a hidden folder beside the target. Its journal says after every tensor that it was written, and its
hash; a later run checks the job, cuts off what came after the last whole tensor, and goes on. At the end every tensor is read
back and compared by hash, and only then do the files get their names, the index last.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import xxhash

from port.convert.header import INDEX, SUFFIX, header_bytes
from port.convert.plan import Output, Plan
from port.convert.source import FileSource, MemorySource
from port.convert.stream import CHUNK, chunks
from port.errors import PortError
from port.files import explain_os_error, make_folder, write_json
from port.weights.rules import quote

JOURNAL = "journal.jsonl"
SCHEMA = 1
Advance = Callable[[int], object]


@dataclass
class Written:
    """What came of it. resumed: tensors that an earlier run had written"""

    files: list[Path]
    tensors: int
    nbytes: int
    resumed: int


def write_target(
    target: Path, plan: Plan, source: FileSource | MemorySource, job: object, shard_bytes: int, advance: Advance
) -> Written:
    """Write a file, or an index with its shards. Raises PortError, and leaves nothing; after a kill it goes on.

    job      whatever decides what is written, for JSON: only the same job is gone on with
    advance  called with the bytes done; each is done twice, written and read back
    """
    shards = cut(plan.outputs, shard_bytes) if target.name.endswith(INDEX) else [plan.outputs]
    names = _names(target, len(shards))
    described = [[o.name, o.dtype, list(o.shape), o.pieces, o.transposed, o.cast] for shard in shards for o in shard]
    text = json.dumps([SCHEMA, job, described, shard_bytes if len(shards) > 1 else 0], default=str)
    if not target.parent.is_dir():
        raise PortError(f"cannot write {target}: the folder {target.parent} does not exist. Create it first.")
    if target.is_dir():
        raise PortError(f"cannot write {target}: it is a folder. Name a file, or NAME{INDEX} for shards.")
    folder = make_folder(target.with_name(f".{target.name}.part"))
    try:
        with open(folder / JOURNAL, "a+", encoding="utf-8") as journal:
            lock(journal, folder)
            writer = _Writer(folder, journal, hashlib.sha256(text.encode()).hexdigest(), advance)
            for shard, name in zip(shards, names, strict=True):
                writer.write(shard, name, source)
            writer.read_back(shards, names)
        for name in names:
            os.replace(folder / name, target.with_name(name))
        if target.name.endswith(INDEX):
            table = {output.name: name for shard, name in zip(shards, names, strict=True) for output in shard}
            total = sum(output.nbytes for output in plan.outputs)
            write_json(target, {"metadata": {"total_size": total}, "weight_map": table})
    except Locked:
        raise
    except (PortError, OSError) as error:  # only what was killed is gone on with
        shutil.rmtree(folder, ignore_errors=True)
        raise error if isinstance(error, PortError) else PortError(explain_os_error(error, target)) from error
    shutil.rmtree(folder, ignore_errors=True)
    files = [target.with_name(name) for name in names]
    return Written(files, len(plan.outputs), sum(output.nbytes for output in plan.outputs), writer.resumed)


class Locked(PortError):
    """Somebody else is at work on the same target."""


def lock(journal, folder: Path) -> None:
    """Hold the journal until it is closed, also by a kill."""
    try:
        fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise Locked(f"another conversion is writing in {folder}. Let it end, or end it.") from error


def cut(outputs: Sequence[Output], most: int) -> list[list[Output]]:
    """Shards of at most so many bytes; a tensor is never cut."""
    shards: list[list[Output]] = [[]]
    room = most
    for output in outputs:
        if shards[-1] and output.nbytes > room:
            shards.append([])
            room = most
        shards[-1].append(output)
        room -= output.nbytes
    return shards


def _names(target: Path, count: int) -> list[str]:
    if not target.name.endswith(INDEX):
        return [target.name]
    stem = target.name.removesuffix(INDEX)
    return [f"{stem}-{i + 1:05}-of-{count:05}{SUFFIX}" for i in range(count)]


class _Writer:
    """One job: the journal of what is done, and the files."""

    def __init__(self, folder: Path, journal, job: str, advance: Advance):
        self.folder, self.journal, self.advance = folder, journal, advance
        self.done = self._read(job)
        self.resumed = len(self.done)
        if not self.done:
            for old in folder.iterdir():
                if old.name != JOURNAL:
                    old.unlink()
            journal.truncate(0)
            self._say({"job": job})

    def _read(self, job: str) -> dict[tuple[str, str], str]:
        """(file, tensor) -> hash of what an earlier run of the same job has written; a broken last line counts for nothing."""
        self.journal.seek(0)
        lines = []
        for line in self.journal.read().splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                break
        if not lines or lines[0] != {"job": job}:
            return {}
        self.journal.truncate(0)
        self._say(lines[0])
        found = {(line["file"], line["tensor"]): line["hash"] for line in lines[1:]}
        for (file, tensor), value in found.items():
            self._say({"file": file, "tensor": tensor, "hash": value})
        return found

    def _say(self, line: dict) -> None:
        self.journal.write(json.dumps(line) + "\n")
        self.journal.flush()

    def write(self, shard: Sequence[Output], name: str, source: FileSource | MemorySource) -> None:
        """One file, from where it was left."""
        head = header_bytes({output.name: (output.dtype, output.shape) for output in shard})
        there = [output for output in shard if (name, output.name) in self.done]
        start = len(head) + sum(output.nbytes for output in there)
        path = self.folder / name
        if there and (not path.is_file() or path.stat().st_size < start):  # the file was lost, the journal was not
            there, start = [], len(head)
            self.done = {key: value for key, value in self.done.items() if key[0] != name}
        self.advance(sum(output.nbytes for output in there))
        with open(path, "r+b" if there else "wb", buffering=0) as out:
            out.truncate(start if there else 0)
            if not there:
                _write_all(out, memoryview(head))
            out.seek(start)
            for output in shard[len(there) :]:
                digest = xxhash.xxh3_128()
                for part in chunks(output, source):
                    digest.update(part)
                    _write_all(out, part)
                    self.advance(len(part))
                self.done[name, output.name] = digest.hexdigest()
                self._say({"file": name, "tensor": output.name, "hash": digest.hexdigest()})
            os.fsync(out.fileno())

    def read_back(self, shards: Sequence[Sequence[Output]], names: Sequence[str]) -> None:
        """Every tensor of every file, compared with what was meant to be written. Raises PortError at the first difference."""
        buffer = memoryview(bytearray(CHUNK))
        for shard, name in zip(shards, names, strict=True):
            head = header_bytes({output.name: (output.dtype, output.shape) for output in shard})
            with open(self.folder / name, "rb", buffering=0) as written:
                right = written.read(len(head)) == head
                for output in shard:
                    if not right or self._hash(written, output.nbytes, buffer) != self.done[name, output.name]:
                        (self.folder / JOURNAL).unlink()  # begun anew next time
                        raise PortError(
                            f"{name} was not written: read back, tensor {quote(output.name)} differs. Check disk and memory of "
                            "this machine; the source is unharmed."
                        )

    def _hash(self, written, left: int, buffer: memoryview) -> str:
        digest = xxhash.xxh3_128()
        while left and (got := written.readinto(buffer[: min(left, CHUNK)])):
            digest.update(buffer[:got])
            self.advance(got)
            left -= got
        return digest.hexdigest() if not left else ""


def _write_all(out, part: memoryview) -> None:
    while part:
        part = part[out.write(part) :]
