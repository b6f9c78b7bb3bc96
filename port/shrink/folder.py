"""What every folder holds: the scripts, a copy of the pair with what it imports from beside it, and how they are run."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from port.files import write_json, write_text
from port.parity import tolerance
from port.parity.pair_start import surroundings
from port.shrink.keep import CODE

TEMPLATES = Path(__file__).with_name("templates")


def write_scripts(folder: Path, names: Mapping[str, str]) -> None:
    """names: file of the folder -> template"""
    for name, template in names.items():
        write_text(folder / name, (TEMPLATES / f"{template}.py.txt").read_text(encoding="utf-8"))


def copy_pair(folder: Path, kept, added: str = "") -> None:
    """The pair as it was verified, with lines added behind it, and the files that it imports from beside it."""
    shutil.copytree(kept.folder / CODE, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    write_text(folder / "pair.py", (folder / "pair.py").read_text(encoding="utf-8") + added)


def write_about(folder: Path, **about: object) -> None:
    """about.json: what the scripts need to know."""
    limits = tolerance.load()
    limits = {"rms": limits.ratio_rms, "largest": limits.ratio_largest, "floor_eps": limits.ratio_floor_eps}
    write_json(folder / "about.json", {"made_by": "port shrink", "limits": limits, **about})


def start(folder: Path, *words: object) -> subprocess.Popen:
    """Start a script of the folder; what it prints is kept for `communicate`."""
    command = [sys.executable, *(str(word) for word in words)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=folder, env=surroundings(), **pipes)


def size(arrays: Mapping[str, np.ndarray]) -> int:
    """Bytes."""
    return sum(array.nbytes for array in arrays.values())
