"""Files written whole or not at all, and the hashes that identify them."""

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from port.errors import PortError

CHUNK = 1 << 20  # bytes read at a time when hashing


@contextmanager
def whole_file(target: Path | str, lasting: bool = True) -> Iterator[Path]:
    """Give a path beside `target` to write to; rename it over `target` if the block ends well, remove it if not.

    lasting  wait until the disk has it, so that it outlives a power cut; not worth the wait for what can be made again

    The temporary name keeps the suffix of `target`, since some writers choose their format by it.
    Raises PortError for a missing folder, a folder that cannot be written or a full disk.
    """
    target = Path(target)
    draft = target.with_name(f".{target.stem}.{os.getpid()}.part{target.suffix}")
    _check_place(target)
    try:
        yield draft
        if lasting:
            with open(draft, "rb") as written:
                os.fsync(written.fileno())
        os.replace(draft, target)
    except OSError as error:
        raise PortError(explain_os_error(error, target)) from error
    finally:
        with suppress(OSError):  # gone already, or the disk has become read-only: the error above says so
            draft.unlink()


def check_target(target: Path | str) -> None:
    """Whether a file can be written there, before work is spent on what goes into it. Raises PortError as `whole_file` does."""
    target = Path(target)
    _check_place(target)
    try:
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        raise PortError(explain_os_error(error, target)) from error


def _check_place(target: Path) -> None:
    if not target.parent.is_dir():
        raise PortError(f"cannot write {target}: the folder {target.parent} does not exist. Create it first.")
    if target.is_dir():
        raise PortError(f"cannot write {target}: it is a folder. Name a file.")


@contextmanager
def whole_folder(target: Path | str) -> Iterator[Path]:
    """Give a new folder beside `target` to fill; rename it to `target` if the block ends well, remove it if not.

    Raises PortError where `target` is there already (an empty folder is taken), or cannot be made.
    """
    target = Path(target)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise PortError(f"cannot write {target}: it exists. Name a new folder, or remove it first.")
    make_folder(target.parent)
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        draft.mkdir()
        yield draft
        if target.is_dir():
            target.rmdir()
        os.replace(draft, target)
    except OSError as error:
        raise PortError(explain_os_error(error, target)) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def explain_os_error(error: OSError, path: Path) -> str:
    """What an operating-system error on `path` means and what to do about it."""
    if error.errno == errno.ENOSPC:
        free = shutil.disk_usage(path.parent).free
        return (
            f"cannot write {path}: no space left on its disk ({free / 1e6:.1f} MB free). Free some or choose another."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"cannot write {path}: permission denied. Choose a place you may write to."
    return f"cannot use {path}: {error.strerror or error}."


def write_text(target: Path | str, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with whole_file(target) as draft:
        draft.write_text(text, encoding="utf-8")


def write_json(target: Path | str, data: object) -> None:
    """Write `data` as indented JSON; NaN and infinity are refused, since JSON has none."""
    write_text(target, json.dumps(data, indent=1, allow_nan=False) + "\n")


def make_folder(path: Path | str) -> Path:
    """Create a folder and its parents if need be. Raises PortError where that is impossible."""
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PortError(explain_os_error(error, path)) from error
    return path


def sha256_file(path: Path | str) -> str:
    """sha256 of a file's bytes, in hex."""
    return _digest_file(path, hashlib.sha256())


def git_blob_sha1(path: Path | str) -> str:
    """The id git gives a file: sha1 of `blob <size>\\0` and the bytes, in hex."""
    return _digest_file(path, hashlib.sha1(f"blob {os.path.getsize(path)}\0".encode()))


def _digest_file(path: Path | str, digest) -> str:
    with open(path, "rb") as source:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
