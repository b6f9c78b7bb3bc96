"""`port shrink`: a small folder that shows one root cause alone, tried out before it is handed over."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from port import console
from port.errors import PortError, UsageError
from port.files import explain_os_error, make_folder
from port.parity.modes import COMPILED
from port.shrink.alone import make_alone
from port.shrink.keep import CODE, FOLDER
from port.shrink.network import make_with_network
from port.shrink.readme import write_readme

MARK = "about.json"  # every folder that shrink made has one


@dataclass(frozen=True)
class Made:
    """A finished folder."""

    folder: Path
    says: str


@dataclass(frozen=True)
class Kept:
    """What a report keeps of one root cause: the record, its arrays, and those of the whole network."""

    number: int
    folder: Path
    about: Mapping
    arrays: Mapping[str, np.ndarray]

    @property
    def network(self) -> dict[str, np.ndarray]:
        """weight/NAME and input/I; empty where they were not kept."""
        path = self.folder / "network.safetensors"
        return load_file(path) if path.is_file() else {}


def shrink(report: Path, number: int, out: Path, quiet: bool = False) -> Made:
    """Write the folder `out` for one root cause of a report. Raises PortError where it cannot be reproduced.

    number  of the root cause as report.md counts them, from 1
    """
    kept = read_cause(report, number)
    check_place(out)
    make_folder(out.parent)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".shrink-") as temporary:
        folder = make_folder(Path(temporary) / "folder")
        say = (lambda text: None) if quiet else console.note
        made = make_alone(folder, kept, say)
        if made is None:
            shutil.rmtree(folder)
            made = make_with_network(make_folder(folder), kept, say)
        says = write_readme(folder, kept, made)
        shutil.rmtree(out, ignore_errors=True)
        try:
            folder.rename(out)
        except OSError as error:
            raise PortError(explain_os_error(error, out)) from error
    return Made(out, says)


def read_cause(report: Path, number: int) -> Kept:
    """Raises PortError where a report has no evidence, UsageError for a number that it does not have."""
    try:
        causes = json.loads((report / "report.json").read_text(encoding="utf-8"))["root_causes"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PortError(
            f"no report in {report}: {error}. Name a folder that `port verify --pair --report` wrote."
        ) from error
    if not causes:
        raise PortError(f"the report in {report} names no root cause, so there is nothing to reproduce.")
    if not 1 <= number <= len(causes):
        raise UsageError(f"--cause {number}: the report names {len(causes)} root causes, counted from 1.")
    if causes[number - 1].get("stage") == COMPILED:
        raise PortError(
            f"root cause {number} shows in compiled code only, and what shrink writes runs operation by operation. Compile "
            f"{causes[number - 1].get('module') or 'the network'} alone with mindspore.jit."
        )
    folder = report / FOLDER
    try:
        about = json.loads((folder / f"{number}.json").read_text(encoding="utf-8"))
        arrays = load_file(folder / f"{number}.safetensors")
    except (OSError, ValueError) as error:
        raise PortError(
            f"no evidence of root cause {number} in {folder}: {error}. Run the verification again."
        ) from error
    if not (folder / CODE / "pair.py").is_file():
        raise PortError(
            f"the pair's file was not at hand when {report} was written. Run `port compare` where the file is, or "
            "`port verify --pair`."
        )
    return Kept(number, folder, about, arrays)


def check_place(out: Path) -> None:
    """Only a folder that shrink made itself is written over."""
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not (out / MARK).is_file()):
        raise PortError(f"{out} exists and was not made by `port shrink`. Name another place by --out.")
