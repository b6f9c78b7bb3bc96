"""Folders of pictures, read and written with Pillow."""

import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

from port.console import note
from port.errors import PortError
from port.files import whole_file
from port.video.clip import MAX_PIXELS, PICTURES, check_size
from port.video.source import Source

EIGHT_BIT_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
TRANSPARENT_MODES = ("LA", "PA", "RGBA")
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_DEPTH = 24  # where a PNG file tells the bits of a sample


def open_folder(folder: Path, max_frames: int | None = None) -> Source:
    """All pictures of a folder in natural order; other files and hidden ones are passed over."""
    paths = list_pictures(folder)
    if not paths:
        raise PortError(f"cannot read {folder}: no picture in it ({' '.join(PICTURES)}).")
    _check_names(folder, paths)
    paths = paths[:max_frames]
    return Source(folder, read_pictures(paths), len(paths), names=[path.stem for path in paths])


def read_pictures(paths: Sequence[Path]) -> Iterator[np.ndarray]:
    """`read_picture` of each, one after the other. Raises PortError where one has another size than the first."""
    first = None
    for path in paths:
        frame = read_picture(path)
        first = frame.shape if first is None else first
        if frame.shape != first:
            raise PortError(
                f"{path} is {frame.shape[1]}x{frame.shape[0]}, but {paths[0].name} before it is "
                f"{first[1]}x{first[0]}. All frames of a clip must have one size."
            )
        yield frame


def list_pictures(folder: Path) -> list[Path]:
    """The pictures of a folder, `2.png` before `10.png`."""
    try:
        found = [p for p in folder.iterdir() if p.suffix.lower() in PICTURES and not p.name.startswith(".")]
    except OSError as error:
        raise PortError(f"cannot read the folder {folder}: {error.strerror}.") from error
    return sorted((p for p in found if p.is_file()), key=lambda p: (_natural(p.name), p.name))


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """Sort key in which runs of ASCII digits count as numbers."""
    parts = re.split(r"([0-9]+)", name.lower())
    return [
        (part.isascii() and part.isdigit(), int(part) if re.fullmatch("[0-9]+", part) else 0, part) for part in parts
    ]


def _check_names(folder: Path, paths: list[Path]) -> None:
    name, count = Counter(path.stem for path in paths).most_common(1)[0]
    if count > 1:
        twice = ", ".join(path.name for path in paths if path.stem == name)
        raise PortError(f"{folder} holds {twice}: frames are known by name without extension. Keep one of them.")


def read_picture(path: Path) -> np.ndarray:
    """(h, w, 3) uint8 RGB, upright. Grey, palette and CMYK are converted, transparency is left out and said so.

    Samples of more than 8 bits are refused rather than rounded unasked.
    """
    with _picture_errors(path), Image.open(path) as image:
        check_size(*image.size, path)
        if image.mode not in EIGHT_BIT_MODES or _png_depth(path) > 8:
            raise PortError(
                f"{path} has samples of more than 8 bits (mode {image.mode}). Save it with 8, or give the clip as .npy."
            )
        if image.mode in TRANSPARENT_MODES or "transparency" in image.info:
            note(f"{path}: transparency is left out")
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def picture_size(path: Path) -> tuple[int, int]:
    """(height, width) of a picture, upright, read from its head only. Raises PortError as `read_picture` does."""
    with _picture_errors(path), Image.open(path) as image:
        check_size(*image.size, path)
        w, h = image.size
        noted = image.format != "PNG" or "exif" in image.info  # of a PNG without, Pillow would read all to make sure
        return (w, h) if noted and image.getexif().get(ExifTags.Base.Orientation, 1) >= 5 else (h, w)


@contextmanager
def _picture_errors(path: Path):
    """Turn what Pillow raises on damaged files into one message; it has no single class for them."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its warning about large pictures: check_size refuses earlier
            yield
    except PortError:
        raise
    except Image.DecompressionBombError as error:
        raise PortError(f"{path}: the picture is too large, the limit is {MAX_PIXELS} pixels.") from error
    except MemoryError as error:
        raise PortError(f"{path}: not enough memory to read this picture.") from error
    except Exception as error:
        reason = str(error).replace(f" {str(path)!r}", "")
        raise PortError(f"cannot read the picture {path}: damaged or no picture ({reason}).") from error


def _png_depth(path: Path) -> int:
    """Bits of a sample if this is a PNG, else 8. Pillow cuts 16-bit colour to 8 without a word."""
    with open(path, "rb") as source:
        head = source.read(PNG_DEPTH + 1)
    return head[PNG_DEPTH] if head.startswith(PNG_SIGNATURE) else 8


def write_picture(path: Path, frame: np.ndarray, lasting: bool = True) -> None:
    """Write one frame (h, w, 3) uint8 as PNG, whole or not at all; the folder must exist. `lasting` as in `whole_file`."""
    with whole_file(path, lasting) as draft:
        Image.fromarray(frame).save(draft, compress_level=3)  # a third larger than level 6, three times as fast
