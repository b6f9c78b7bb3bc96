"""Another version of MindSpore in an environment of its own, made once and kept."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from port.errors import PortError, UsageError
from port.files import make_folder

FOLDER = Path(".cache") / "mindspore"  # in the current folder, as the demonstration's
NEEDED = ("numpy", "safetensors", "rich")  # by the port's column and the toolkit's lowest rooms


def python_of(version: str, folder: Path = FOLDER, note: Callable[[str], None] = lambda line: None) -> Path:
    """The interpreter of an environment with that version (2.9 or 2.9.0), which is made where it is not there.

    Raises PortError with pip's own words where it cannot be installed.
    """
    if not re.fullmatch(r"\d+\.\d+(\.\d+(\.post\d+)?)?", version):
        raise UsageError(f"--mindspore takes a version such as 2.9 or 2.9.0, found {version!r}.")
    home = folder / version
    python = home.resolve() / "bin" / "python"
    done = home / "installed"
    if not done.is_file():
        note(f"installing MindSpore {version} in {home} (about 1.5 GB)")
        shutil.rmtree(home, ignore_errors=True)
        make_folder(home.parent)
        run([sys.executable, "-m", "venv", str(home)], version)
        run([str(python), "-m", "pip", "install", "--disable-pip-version-check", "-q", *packages(version)], version)
        done.write_text("\n".join(packages(version)) + "\n", encoding="utf-8")
    return python


def packages(version: str) -> list[str]:
    """2.9 is the last 2.9.x; the others as requirements.txt pins them."""
    pins = Path(__file__).resolve().parents[2] / "requirements.txt"
    lines = [line.split("#")[0].strip() for line in pins.read_text(encoding="utf-8").splitlines()]
    pinned = [line for line in lines if line.partition("==")[0] in NEEDED]
    return [f"mindspore=={version}" if version.count(".") > 1 else f"mindspore=={version}.*", *pinned]


def run(command: list[str], version: str) -> None:
    """Raises PortError with the last words of the command where it fails."""
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode:
        said = [line for line in ended.stderr.splitlines() if line.strip() and "WARNING" not in line][-3:]
        raise PortError(f"MindSpore {version} cannot be installed: {' / '.join(said) or 'no message'}")
