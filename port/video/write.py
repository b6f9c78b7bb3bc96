"""Write a clip as a folder of PNGs, a video file or a numpy array, chosen by the name."""

import errno
from fractions import Fraction
from pathlib import Path

import numpy as np

from port.console import warn
from port.errors import PortError, UsageError
from port.files import make_folder, whole_file
from port.video.clip import ARRAYS, NUMBERED, VIDEOS_OUT
from port.video.encode import write_movie
from port.video.pictures import list_pictures, write_picture


def output_kind(path: Path | str) -> str:
    """'folder' (no extension, or an existing folder), 'video' or 'array'. Raises UsageError for other extensions."""
    path = Path(path)
    suffix = path.suffix.lower()
    if path.is_dir() or not suffix:
        return "folder"
    if suffix in VIDEOS_OUT:
        return "video"
    if suffix in ARRAYS:
        return "array"
    raise UsageError(
        f"cannot write {path}: unknown extension {suffix!r}. Name a folder (no extension) for PNGs, a video "
        f"({' '.join(VIDEOS_OUT)}) or an array (.npy)."
    )


def check_target(path: Path | str, source: Path | str | None = None) -> str:
    """Refuse, before hours of work, a target that cannot be written or that is the source. -> its kind"""
    path = Path(path)
    kind = output_kind(path)
    if source is not None and path.resolve() == Path(source).resolve():
        raise UsageError(f"{path} is input and output at once. Name another output.")
    if kind == "folder" and path.exists() and not path.is_dir():
        raise PortError(f"cannot write {path}: a folder is needed there, but it is a file. Move it or name another.")
    if kind != "folder" and path.is_dir():
        raise PortError(f"cannot write {path}: it is a folder.")
    if kind != "folder" and not path.parent.is_dir():
        raise PortError(f"cannot write {path}: the folder {path.parent} does not exist. Create it first.")
    return kind


def write_clip(
    path: Path | str, frames: np.ndarray, fps: Fraction | None = None, names: list[str] | None = None
) -> None:
    """Write `frames` to `path`; nothing half-written is left under its name if that fails.

    folder (no extension)  (t, h, w, 3) uint8 RGB as NAME.png, names numbered from 0 if not given
    .mp4 .mov .mkv         (t, h, w, 3) uint8 RGB as H.264 with exactly `fps` frames per second
    .npy                   any array as it is; infer stores (t, 3, h, w) float32, neither clamped nor rounded
    Raises PortError for a target that cannot be written, UsageError for an unknown extension or a missing rate.
    """
    path = Path(path)
    kind = check_target(path)
    if not len(frames):
        raise PortError(f"cannot write {path}: there is no frame to write.")
    if kind == "array":
        return _write_array(path, frames)
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3:
        raise PortError(f"cannot write {path}: expected (t, h, w, 3) uint8, found {frames.shape} {frames.dtype}.")
    if kind == "video":
        return write_movie(path, frames, check_rate(path, fps))
    names = names or [NUMBERED.format(i) for i in range(len(frames))]
    _write_pictures(path, frames, names)


def check_rate(path: Path | str, fps: Fraction | None) -> Fraction:
    """The rate of a video to be written. Raises UsageError where there is none: it is never guessed."""
    if fps is None or fps <= 0:
        raise UsageError(
            f"cannot write {path}: the input has no frame rate. Give one with --fps, for example --fps 25."
        )
    return fps


def _write_array(path: Path, frames: np.ndarray) -> None:
    with whole_file(path) as draft:
        try:
            np.save(draft, frames, allow_pickle=False)
        except OSError as error:
            if error.errno is None:  # numpy's own "N requested and M written": the disk is full
                raise OSError(errno.ENOSPC, str(error)) from error
            raise


def _write_pictures(folder: Path, frames: np.ndarray, names: list[str]) -> None:
    if len(names) != len(frames) or len(set(names)) != len(names):
        raise PortError(f"cannot write {folder}: {len(frames)} frames need as many different names, found {names}.")
    make_folder(folder)
    warn_of_strangers(folder, names)
    for frame, name in zip(frames, names, strict=True):
        write_picture(folder / f"{name}.png", frame)


def warn_of_strangers(folder: Path, names: list[str]) -> None:
    """Say so where a folder holds pictures that are none of `names`."""
    strangers = [p.name for p in list_pictures(folder) if p.stem not in names]
    if strangers:
        warn(f"{folder} already holds {len(strangers)} other pictures (such as {strangers[0]}); they stay")
