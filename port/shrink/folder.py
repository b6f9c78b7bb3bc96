"""What every folder holds: the scripts, a copy of the pair with what it imports from beside it, and how they are run."""

import ast
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from port.files import write_json, write_text
from port.parity import tolerance
from port.parity.pair_verify import surroundings

TEMPLATES = Path(__file__).with_name("templates")


def write_scripts(folder: Path, names: Mapping[str, str]) -> None:
    """names: file of the folder -> template"""
    for name, template in names.items():
        write_text(folder / name, (TEMPLATES / f"{template}.py.txt").read_text(encoding="utf-8"))


def copy_pair(folder: Path, kept, added: str = "") -> dict[str, list[str]]:
    """The pair as it was verified, with lines added behind it. -> {"copied": files, "referenced": packages}, "paths"

    A module that lies beside the pair is copied, and what that imports from there. A package stays where it is.
    """
    original = Path(kept.about["pair"])
    text = (kept.folder / "pair.py").read_text(encoding="utf-8")
    write_text(folder / "pair.py", text + added)
    copied, referenced, waiting = [], [], [text]
    while waiting:
        for name in imported(waiting.pop()):
            beside, package = original.with_name(f"{name}.py"), original.with_name(name)
            if beside.is_file() and beside.name not in (*copied, original.name):
                shutil.copyfile(beside, folder / beside.name)
                copied.append(beside.name)
                waiting.append(beside.read_text(encoding="utf-8"))
            elif package.is_dir() and name not in referenced and not beside.is_file():
                referenced.append(name)
    paths = [*kept.about["paths"], *([str(original.parent)] if referenced else [])]
    return {"copied": copied, "referenced": referenced, "paths": paths}


def imported(text: str) -> list[str]:
    """Top-level names that a file imports, inside functions, too."""
    found = []
    for statement in ast.walk(ast.parse(text)):
        if isinstance(statement, ast.Import):
            found += [alias.name.partition(".")[0] for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
            found.append(statement.module.partition(".")[0])
    return found


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
