"""Finished clips, in a file for each network, data set and way of scoring: an interrupted run goes on there."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from port.data.clips import ClipPair
from port.errors import PortError
from port.files import explain_os_error, make_folder, write_text

SCHEMA = 1
NEEDED = {
    "clip",
    "frames",
    "psnr_of_frames",
    "ssim_of_frames",
    "channel",
    "crop",
    "seconds",
    "stamp",
    "saved",
    "environment",
}


class State:
    """Records of clips, by name. The file has a line for each; one that was cut off while it was written is not counted."""

    def __init__(self, folder: Path, identity: Mapping[str, object], fresh: bool = False):
        """identity: everything a record depends on but the frames, which each record has a stamp of."""
        digest = hashlib.sha256(json.dumps({"schema": SCHEMA, **identity}, sort_keys=True).encode()).hexdigest()
        self.path = make_folder(folder) / f"{digest[:24]}.jsonl"
        self.records = {} if fresh else _read(self.path)
        write_text(self.path, "".join(map(_line, self.records.values())))  # without the line that was cut off

    def finished(self, clip: ClipPair, pictures: Sequence[Path] = ()) -> bool:
        """Whether the clip was scored with the same frames, and left its pictures where they are wanted."""
        record = self.records.get(clip.name)
        if record is None or record["stamp"] != stamp(clip):
            return False
        return all(str(path.resolve()) in record["saved"] and path.is_file() for path in pictures)

    def add(self, record: Mapping[str, object]) -> None:
        """Keep a finished clip; what was kept before it outlives whatever happens now."""
        try:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(_line(record))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise PortError(explain_os_error(error, self.path)) from error
        self.records[record["clip"]] = json.loads(_line(record))


def _line(record: Mapping[str, object]) -> str:
    return json.dumps(record, allow_nan=False) + "\n"


def _read(path: Path) -> dict[str, dict]:
    records = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else ():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and record.keys() >= NEEDED:
            records[record["clip"]] = record
    return records


def stamp(clip: ClipPair) -> str:
    """Changes when a frame is replaced: names, sizes and times of all files. Raises PortError for one that is not there."""
    digest = hashlib.sha256()
    for path in (*clip.lq, *clip.gt):
        try:
            facts = path.stat()
        except OSError as error:
            raise PortError(f"clip {clip.name}: {explain_os_error(error, path)}") from error
        digest.update(f"{path.absolute()}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()
