"""From finished pieces to the target, one frame at a time."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

import numpy as np

from port.errors import PortError
from port.files import make_folder, whole_file
from port.stream.job import Job
from port.stream.pieces import read_piece
from port.stream.windows import Window
from port.video.encode import Format, write_movie
from port.video.pictures import write_picture
from port.video.write import warn_of_strangers


def frames_of(job: Job, windows: Sequence[Window]) -> Iterator[np.ndarray]:
    """All frames of the result: (4h, 4w, 3) uint8, or (3, 4h, 4w) float32 for arrays."""
    return chain.from_iterable(read_piece(job.path(window), window.keep_to - window.keep_from) for window in windows)


def assemble(job: Job, windows: Sequence[Window], names: Sequence[str], shape: Format | None) -> None:
    """Write the target out of all pieces; it appears when it is complete.

    names  of the frames, for a folder
    shape  how a video is written
    """
    frames = frames_of(job, windows)
    if job.kind == "video":
        write_movie(job.target, frames, shape)
    elif job.kind == "array":
        _write_array(job.target, frames, len(names))
    else:
        _write_folder(job.target, frames, names, job.folder / "pictures")


def _write_array(target: Path, frames: Iterable[np.ndarray], count: int) -> None:
    """An .npy of (count, 3, 4h, 4w) float32, written as its frames come."""
    frames = iter(frames)
    first = next(frames)
    header = {"descr": first.dtype.str, "fortran_order": False, "shape": (count, *first.shape)}
    with whole_file(target) as draft, open(draft, "wb") as out:
        np.lib.format.write_array_header_1_0(out, header)
        for frame in chain([first], frames):
            out.write(np.ascontiguousarray(frame).data)


def _write_folder(target: Path, frames: Iterable[np.ndarray], names: Sequence[str], staging: Path) -> None:
    """Pictures are written aside and then moved: a new folder appears at once, into an old one they are moved singly."""
    make_folder(staging)
    for frame, name in zip(frames, names, strict=True):
        write_picture(staging / f"{name}.png", frame)
    try:
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            staging.rename(target)
            return
        warn_of_strangers(target, names)
        for name in names:
            (staging / f"{name}.png").replace(target / f"{name}.png")
    except OSError as error:
        raise PortError(f"cannot write {target}: {error.strerror}. The pictures are in {staging}.") from error


def frame_at(job: Job, windows: Sequence[Window], index: int) -> np.ndarray:
    """One frame of the result."""
    window = next(window for window in windows if window.keep_from <= index < window.keep_to)
    frames = read_piece(job.path(window), window.keep_to - window.keep_from)
    return next(islice(frames, index - window.keep_from, None))
