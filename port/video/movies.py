"""Video files, read with PyAV."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError

from port.console import warn
from port.errors import PortError
from port.video.clip import check_size
from port.video.colour import assumed_matrix, colour_of
from port.video.source import Source

MICROSECOND = Fraction(1, av.time_base)


def open_movie(path: Path, max_frames: int | None = None) -> Source:
    """The first video stream in display order, turned upright; only what its header says is read at once."""
    with movie_errors(path):
        container = av.open(str(path))
        if not container.streams.video:
            raise PortError(f"cannot read {path}: it holds no video stream.")
        stream = container.streams.video[0]
        stream.thread_type = "SLICE"  # by frame, the mark of a damaged frame is missed in 1 of 100 reads
        check_size(stream.width, stream.height, path)
        rate = stream.guessed_rate or stream.average_rate
    fps = Fraction(rate) if rate else None
    announced = _announced(container, stream, fps)
    count = announced if announced is None or max_frames is None else min(announced, max_frames)
    source = Source(path, iter(()), count, fps, colour=colour_of(stream.codec_context), time_base=stream.time_base)
    source.is_movie = True
    source.frames = _decode(source, container, stream, max_frames)
    return source


def _announced(container, stream, fps: Fraction | None) -> int | None:
    """How many frames there should be: Matroska tells only how long the file is."""
    if stream.frames:
        return stream.frames
    return round(container.duration * MICROSECOND * fps) if container.duration and fps else None


@contextmanager
def movie_errors(path: Path, read: list | tuple = ()) -> Iterator[None]:
    """Turn ffmpeg's errors into a message. read: grows by one with every frame that was read."""
    try:
        yield
    except (FFmpegError, MemoryError) as error:
        where = f" at frame {len(read)}. Read those before it with --max-frames {len(read)}." if read else "."
        raise PortError(f"cannot read {path}: damaged or not a video ({reason(error)}){where}") from error


def reason(error: Exception) -> str:
    """The words of an ffmpeg error without its number and the path."""
    return str(getattr(error, "strerror", None) or error or type(error).__name__)


def _decode(source: Source, container, stream, max_frames: int | None) -> Iterator[np.ndarray]:
    """Frames (h, w, 3) uint8; their times go into `source`."""
    path, read, first, times = source.path, [], None, source.times
    offset = (container.start_time or 0) * MICROSECOND  # MPEG streams begin anywhere
    with movie_errors(path, read), container:
        for frame in container.decode(stream):
            if frame.is_corrupt:
                raise PortError(
                    f"cannot read {path}: frame {len(read)} is damaged. Read those before it with "
                    f"--max-frames{f' {len(read)}' if read else ''}."
                )
            check_size(frame.width, frame.height, path)
            picture = _upright(frame)
            first = picture.shape if first is None else first
            if picture.shape != first:
                raise PortError(
                    f"cannot read {path}: frame {len(read)} is {picture.shape[1]}x{picture.shape[0]}, the first is "
                    f"{first[1]}x{first[0]}. All frames of a clip must have one size."
                )
            if frame.pts is not None:
                times.append(frame.pts * frame.time_base - offset)
            read.append(None)
            yield picture
            if len(read) == max_frames:
                return
    if not read:
        raise PortError(f"cannot read {path}: its video stream holds no frame.")
    if stream.frames and max_frames is None and len(read) < stream.frames:
        warn(f"{path} announces {stream.frames} frames, {len(read)} could be read")


def _upright(frame: av.VideoFrame) -> np.ndarray:
    """RGB by the colour matrix the stream names; turned by the quarter turns its header asks for."""
    picture = frame.to_ndarray(format="rgb24", src_colorspace=assumed_matrix(frame))
    turns = round(frame.rotation / 90) % 4  # anticlockwise, in degrees
    return np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture
