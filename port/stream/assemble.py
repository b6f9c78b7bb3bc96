"""From finished pieces to the target, one frame at a time."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

import numpy as np

from port.errors import PortError
from port.files import explain_os_error, make_folder, whole_file
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
    """Write the target out of all pieces: inside the job's folder first, so that a killed run leaves no half of it elsewhere.

    names  of the frames, for a folder
    shape  how a video is written
    """
    frames, draft = frames_of(job, windows), job.folder / job.target.name
    if job.kind == "video":
        write_movie(draft, frames, shape)
    elif job.kind == "array":
        _write_array(draft, frames, len(names))
    else:
        draft = job.folder / "pictures"
        _write_folder(draft, frames, names)
    try:
        _move(draft, job.target, names)
    except OSError as error:
        raise PortError(explain_os_error(error, job.target)) from error


def _write_array(target: Path, frames: Iterable[np.ndarray], count: int) -> None:
    """An .npy of (count, 3, 4h, 4w) float32, written as its frames come."""
    frames = iter(frames)
    first = next(frames)
    header = {"descr": first.dtype.str, "fortran_order": False, "shape": (count, *first.shape)}
    with whole_file(target) as draft, open(draft, "wb") as out:
        np.lib.format.write_array_header_1_0(out, header)
        for frame in chain([first], frames):
            out.write(np.ascontiguousarray(frame).data)


def _write_folder(target: Path, frames: Iterable[np.ndarray], names: Sequence[str]) -> None:
    make_folder(target)
    for frame, name in zip(frames, names, strict=True):
        write_picture(target / f"{name}.png", frame)


def _move(draft: Path, target: Path, names: Sequence[str]) -> None:
    """Rename what is complete; into a folder that exists, picture by picture."""
    if draft.is_file():
        draft.replace(target)
    elif not target.exists():
        make_folder(target.parent)
        draft.rename(target)
    else:
        warn_of_strangers(target, names)
        for name in names:
            (draft / f"{name}.png").replace(target / f"{name}.png")


def frame_at(job: Job, windows: Sequence[Window], index: int) -> np.ndarray:
    """One frame of the result."""
    window = next(window for window in windows if window.keep_from <= index < window.keep_to)
    frames = read_piece(job.path(window), window.keep_to - window.keep_from)
    return next(islice(frames, index - window.keep_from, None))
