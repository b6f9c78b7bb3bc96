"""Read a clip from a folder of pictures, a video file or a numpy array: as a whole, or frame by frame."""

from pathlib import Path

import numpy as np

from port.console import warn
from port.errors import PortError, UsageError
from port.video.clip import ARRAYS, PICTURES, VIDEOS_IN, Clip, check_bytes, check_size
from port.video.movies import open_movie
from port.video.pictures import open_folder, read_picture
from port.video.source import Source


def read_clip(path: Path | str, max_frames: int | None = None) -> Clip:
    """Read `path` into memory; of longer clips the first `max_frames` frames. Kinds and errors as of `open_source`."""
    source = open_source(path, max_frames)
    frames = []
    for frame in source.frames:
        check_bytes(max(len(frames) + 1, 0 if source.is_movie else source.count), frame.nbytes, source.path)
        frames.append(frame)
    if source.has_gaps():  # nothing here keeps the times
        warn(
            f"{source.path} has a variable frame rate; it is treated as {float(source.fps):.3f} frames per second throughout"
        )
    return Clip(np.stack(frames), source.fps, [source.name(index) for index in range(len(frames))])


def open_source(path: Path | str, max_frames: int | None = None) -> Source:
    """Open `path` to be read frame by frame; of longer clips the first `max_frames` frames.

    folder      all pictures in it in natural order (2 before 10), the same size each; fps is None
    video file  display order, turned upright, exact frame rate
    .npy        (t, 3, h, w) floating RGB in [0, 1], or (t, h, w, 3) uint8
    picture     a clip of one frame
    Raises PortError naming the file where something is missing, damaged or uneven, UsageError for unknown kinds.
    """
    path = Path(path)
    if max_frames is not None and max_frames < 1:
        raise UsageError(f"the number of frames to read must be at least 1, found {max_frames}.")
    if not path.exists():
        raise PortError(f"cannot read {path}: there is no such file or folder.")
    if path.is_dir():
        return open_folder(path, max_frames)
    kind = path.suffix.lower()
    if kind in PICTURES:
        return Source(path, iter([read_picture(path)]), 1, names=[path.stem])
    if kind in ARRAYS:
        return _open_array(path, max_frames)
    if kind in VIDEOS_IN:
        return open_movie(path, max_frames)
    raise UsageError(
        f"cannot read {path}: unknown extension {kind or '(none)'!r}. Give a folder of pictures, .npy or a video "
        f"({' '.join(VIDEOS_IN)})."
    )


def _open_array(path: Path, max_frames: int | None) -> Source:
    try:
        stored = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise PortError(f"cannot read {path}: not a plain numpy array ({error}). Write it with numpy.save.") from error
    if not isinstance(stored, np.ndarray):
        raise PortError(f"cannot read {path}: it is an archive of arrays. Write one array with numpy.save.")
    frames = _frames_last_axis(path, stored)[:max_frames]
    t, h, w, _ = frames.shape
    if not t:
        raise PortError(f"cannot read {path}: it holds no frame, shape {stored.shape}.")
    check_size(w, h, path)
    wanted = np.uint8 if frames.dtype == np.uint8 else np.float32
    return Source(path, (np.ascontiguousarray(frame, dtype=wanted) for frame in frames), t)


def _frames_last_axis(path: Path, stored: np.ndarray) -> np.ndarray:
    """(t, 3, h, w) floating or (t, h, w, 3) uint8 -> (t, h, w, 3)"""
    floating = np.issubdtype(stored.dtype, np.floating)
    if stored.ndim == 4 and floating and stored.shape[1] == 3:
        return stored.transpose(0, 2, 3, 1)
    if stored.ndim == 4 and stored.dtype == np.uint8 and stored.shape[3] == 3:
        return stored
    raise PortError(
        f"cannot read {path}: expected (t, 3, h, w) floating point in [0, 1] or (t, h, w, 3) uint8, "
        f"found {stored.shape} {stored.dtype}."
    )
