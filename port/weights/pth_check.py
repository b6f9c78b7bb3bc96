"""What must hold of a .pth file before PyTorch reads it. Standard library only; nothing is unpickled here."""

import contextlib
import io
import pickletools
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from port.errors import PortError
from port.weights.raw import damaged
from port.weights.rules import quote

ZIP_START, PICKLE_START = b"PK\x03\x04", b"\x80"
HARMLESS = {"torch", "collections", "_codecs"}  # modules that checkpoints of plain tensors name
LEGACY_PICKLES = 5  # a file of the old kind is five pickles in a row, then the numbers
READ_ERRORS = (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, OSError, RuntimeError, OverflowError)


def check_pth(path: Path) -> None:
    """Check the container: a zip archive (PyTorch 1.6 and later) or a bare pickle (earlier).

    Every zip member must be stored uncompressed, lie inside the file and match its checksum, and no two may share a
    name or bytes. PyTorch itself checks neither the checksums nor compression, so a flipped byte in a weight would
    pass unnoticed and a compressed member could unfold to any size. Raises PortError.
    """
    with open(path, "rb") as source:
        start = source.read(4)
    if start == ZIP_START:
        try:
            with zipfile.ZipFile(path) as archive:
                _check_members(path, archive)
        except READ_ERRORS as error:
            raise damaged(path, f"no valid zip archive ({error})") from error
    elif not start.startswith(PICKLE_START):
        raise damaged(path, f"no PyTorch checkpoint (starts with {start!r}, expected a zip archive or a pickle)")


def _check_members(path: Path, archive: zipfile.ZipFile) -> None:
    members, size = archive.infolist(), path.stat().st_size
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
            raise PortError(
                f"refused {path}: its member {quote(member.filename)} is compressed ({member.compress_size} bytes "
                f"declared to unfold to {member.file_size}), which PyTorch never does. "
                "Take the checkpoint from its authors."
            )
    names = [member.filename for member in members]
    if len(set(names)) < len(names):
        raise damaged(path, "two members of its archive share a name")
    if sum(member.file_size for member in members) > size:
        raise damaged(path, "its archive declares more bytes than the file has")
    if not any(name.endswith("/data.pkl") for name in names):
        raise damaged(path, f"no PyTorch checkpoint (a zip archive of {names[:3]} ..., without data.pkl)")
    broken = archive.testzip()
    if broken:
        raise damaged(path, f"the bytes of member {quote(broken)} do not match their checksum")


def explain_refusal(path: Path, text: str) -> PortError:
    """Turn what PyTorch says about a file it would not read into one plain message.

    text  of the exception `torch.load(weights_only=True)` raised
    """
    named = re.search(r"(?:GLOBAL|[Ff]unction|class) <?([\w.]+)", text)
    asked = [named[1]] if named else _foreign_names(path)
    if asked:
        return PortError(
            f"refused {path}: reading it would run code; it asks for {quote(asked[0])}. Nothing was run. "
            "Take a file with plain tensors only: torch.save(net.state_dict(), ...), not torch.save(net, ...)."
        )
    # The first paragraph of a weights_only error is advice to switch the protection off; the reason follows.
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]
    reason = next((part for part in paragraphs if not part.startswith("Weights only load failed")), "no reason given")
    return damaged(path, f"PyTorch cannot read it: {reason[:200].rstrip('.')}")


def _foreign_names(path: Path) -> list[str]:
    """What a refused file's pickles would import from outside PyTorch, read off their opcodes without running them.

    PyTorch's own message names it only for the old pickle protocols.
    """
    found = []
    with contextlib.suppress(*READ_ERRORS, MemoryError), open(path, "rb") as source:
        if source.read(4) == ZIP_START:
            with zipfile.ZipFile(path) as archive:
                pickles = [io.BytesIO(archive.read(n)) for n in archive.namelist() if n.endswith("/data.pkl")]
        else:
            source.seek(0)
            pickles = [source] * LEGACY_PICKLES
        for stream in pickles:
            for name in _imports(stream):
                if name.partition(".")[0] not in HARMLESS:
                    found.append(name)
    return found


def _imports(stream: BinaryIO) -> Iterator[str]:
    """`module.name` of every import in one pickle."""
    texts = ["", ""]
    for opcode, argument, _ in pickletools.genops(stream):
        if opcode.name in ("GLOBAL", "INST"):
            yield str(argument).replace(" ", ".", 1)
        elif opcode.name == "STACK_GLOBAL":  # takes the two texts pushed before it
            yield ".".join(texts[-2:])
        elif isinstance(argument, str):
            texts = [texts[-1], argument]
