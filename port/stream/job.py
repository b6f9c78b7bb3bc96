"""A job that can be interrupted at any moment: a folder beside the target holds what is finished.

    out.mp4.work/job.json                                      what the job is made of, and the windows and tiles chosen
    out.mp4.work/00000000-00000016.of-00000000-00000018.mkv   frames 0 to 15, out of the window of frames 0 to 17

The folder goes once the target is complete. The pieces do not depend on how the target is encoded.
"""

import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from port.console import note
from port.errors import PortError, UsageError
from port.files import explain_os_error, make_folder, sha256_file, write_json
from port.stream.pieces import piece_name, write_piece
from port.stream.windows import Window
from port.video.pictures import list_pictures

FORMAT = 1  # of job.json and the pieces


def identify_input(path: Path) -> str:
    """sha256 of a file, or of the names and contents of a folder's pictures."""
    if path.is_file():
        return sha256_file(path)
    digest = hashlib.sha256()
    for picture in list_pictures(path):
        digest.update(f"{picture.name}\0{sha256_file(picture)}\n".encode())
    return digest.hexdigest()


def work_folder(target: Path) -> Path:
    """Where the pieces of `target` are."""
    return target.with_name(f"{target.name}.work")


class Job:
    """The folder of one job. `identity` is what the pieces depend on, name -> value."""

    def __init__(self, target: Path, kind: str, identity: dict, overwrite: bool = False):
        """Find what an earlier run left. Raises UsageError where that was another job, unless `overwrite` throws it away."""
        self.target, self.kind = target, kind
        self.folder = work_folder(target)
        self.identity = {"format": FORMAT, "kind": kind, **identity}
        self.choice: dict | None = None  # windows and tiles of the earlier run
        self.lock = None
        if self.folder.is_dir():
            self._lock()
            self._meet_earlier(overwrite)

    def _meet_earlier(self, overwrite: bool) -> None:
        stored = self._read()
        changed = self._changes(stored.get("identity", {}))
        if not changed:
            self.choice = stored["choice"]
        elif overwrite:
            self.remove()
        else:
            raise UsageError(
                f"{self.folder} holds {self.finished()} finished windows of another job: {'; '.join(changed)}. Give what "
                "was given then to go on with it, or --overwrite to throw it away and begin anew."
            )

    def _read(self) -> dict:
        path = self.folder / "job.json"
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            if not self.finished():
                return {}
            raise PortError(f"cannot read {path} ({error}). Delete {self.folder} to begin anew.") from error

    def _changes(self, stored: dict) -> list[str]:
        names = self.identity.keys() | stored.keys() if stored or self.finished() else ()
        return [
            f"{name} was {stored.get(name, 'not given')}, is {self.identity.get(name, 'not given')}"
            for name in sorted(names)
            if stored.get(name) != self.identity.get(name)
        ]

    def begin(self, choice: dict) -> None:
        """Make the folder. choice: windows and tiles, which a later run takes over."""
        if not self.folder.is_dir() or self.choice != choice:
            make_folder(self.folder)
            self._lock()
            write_json(self.folder / "job.json", {"identity": self.identity, "choice": choice})
            self.choice = choice

    def _lock(self) -> None:
        if self.lock is None:
            self.lock = open(make_folder(self.folder) / "lock", "w")  # noqa: SIM115  (held until the job ends)
            try:
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise PortError(f"another process is at work in {self.folder}. Wait for it or end it.") from error

    def path(self, window: Window) -> Path:
        """Where the piece of a window is or will be."""
        return self.folder / piece_name(window, self.kind)

    def has(self, window: Window) -> bool:
        """Whether a window is finished."""
        return self.path(window).is_file()

    def store(self, window: Window, frames: np.ndarray) -> None:
        """Keep the frames of a finished window."""
        write_piece(self.path(window), frames)

    def finished(self) -> int:
        """How many pieces there are."""
        return len(list(self.folder.glob("[0-9]*.of-*")))

    def release(self) -> None:
        """Let other processes work here."""
        if self.lock:
            self.lock.close()
            self.lock = None

    def remove(self) -> None:
        """Throw the folder away, finished or not."""
        self.release()
        try:
            shutil.rmtree(self.folder)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise PortError(explain_os_error(error, self.folder)) from error

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Say what is kept when the work inside breaks off; leave nothing where nothing is finished."""
        try:
            yield
        except BaseException as error:
            done = self.finished() if self.folder.is_dir() else 0
            self.release()
            if not done and self.folder.is_dir():
                self.remove()
            kept = f"{done} finished windows are kept in {self.folder}: the same command goes on from there."
            if done and isinstance(error, PortError):
                raise type(error)(f"{error}\n{kept}") from error
            if done and isinstance(error, KeyboardInterrupt):
                note(kept)
            raise
