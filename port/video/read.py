"""Read a clip from a folder of pictures, a video file or a numpy array."""

from pathlib import Path

import numpy as np

from port.errors import PortError, UsageError
from port.video.clip import ARRAYS, NUMBERED, PICTURES, VIDEOS_IN, Clip, check_bytes, check_size
from port.video.movies import read_movie
from port.video.pictures import read_folder, read_picture


def read_clip(path: Path | str, max_frames: int | None = None) -> Clip:
    """Read `path`; of longer clips the first `max_frames` frames.

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
        return read_folder(path, max_frames)
    kind = path.suffix.lower()
    if kind in PICTURES:
        return Clip(read_picture(path)[None], None, [path.stem])
    if kind in ARRAYS:
        return _read_array(path, max_frames)
    if kind in VIDEOS_IN:
        return read_movie(path, max_frames)
    raise UsageError(
        f"cannot read {path}: unknown extension {kind or '(none)'!r}. Give a folder of pictures, .npy or a video "
        f"({' '.join(VIDEOS_IN)})."
    )


def _read_array(path: Path, max_frames: int | None) -> Clip:
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
    check_bytes(t, h * w * 3 * (1 if frames.dtype == np.uint8 else 4), path)
    wanted = np.uint8 if frames.dtype == np.uint8 else np.float32
    return Clip(np.ascontiguousarray(frames, dtype=wanted), None, [NUMBERED.format(i) for i in range(t)])


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
