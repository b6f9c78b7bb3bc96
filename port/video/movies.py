"""Video files, read and written with PyAV."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import ColorRange, Colorspace

from port.console import warn
from port.errors import PortError
from port.files import whole_file
from port.video.clip import NUMBERED, Clip, check_bytes, check_size

CRF = "10"  # of 0 (lossless) to 51: no difference to be seen
BT709 = 1  # as colour primaries, transfer and matrix in the stream's header
LIMITED_RANGE = 1


def read_movie(path: Path, max_frames: int | None = None) -> Clip:
    """The first video stream in display order, turned upright. Sound is left out."""
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise PortError(f"cannot read {path}: it holds no video stream.")
            stream = container.streams.video[0]
            stream.thread_type = "SLICE"  # by frame, the mark of a damaged frame is missed in 1 of 100 reads
            check_size(stream.width, stream.height, path)
            frames, times = _decode(path, container, stream, max_frames)
            fps = stream.guessed_rate or stream.average_rate
            announced = stream.frames
    except (FFmpegError, MemoryError) as error:
        raise PortError(f"cannot read {path}: damaged or not a video ({_reason(error)}).") from error
    if not frames:
        raise PortError(f"cannot read {path}: its video stream holds no frame.")
    if max_frames is None and len(frames) < announced:
        warn(f"{path} announces {announced} frames, {len(frames)} could be read")
    fps = Fraction(fps) if fps else None
    _warn_of_uneven_times(path, times, fps)
    return Clip(np.stack(frames), fps, [NUMBERED.format(i) for i in range(len(frames))])


def _reason(error: Exception) -> str:
    """The words of an ffmpeg error without its number and the path."""
    return str(getattr(error, "strerror", None) or error or type(error).__name__)


def _decode(path: Path, container, stream, max_frames: int | None) -> tuple[list[np.ndarray], list[float]]:
    """Frames (h, w, 3) uint8 and the seconds at which they are shown."""
    frames, times = [], []
    for frame in container.decode(stream):
        if frame.is_corrupt:
            raise PortError(
                f"cannot read {path}: frame {len(frames)} is damaged. Read those before it with --max-frames."
            )
        check_size(frame.width, frame.height, path)
        picture = _upright(frame)
        if frames and picture.shape != frames[0].shape:
            raise PortError(
                f"cannot read {path}: frame {len(frames)} is {picture.shape[1]}x{picture.shape[0]}, the first is "
                f"{frames[0].shape[1]}x{frames[0].shape[0]}. All frames of a clip must have one size."
            )
        check_bytes(len(frames) + 1, picture.nbytes, path)
        frames.append(picture)
        if frame.time is not None:
            times.append(frame.time)
        if len(frames) == max_frames:
            break
    return frames, times


def _upright(frame: av.VideoFrame) -> np.ndarray:
    """RGB by the colour matrix the stream names; turned by the quarter turns its header asks for."""
    picture = frame.to_ndarray(format="rgb24")
    turns = round(frame.rotation / 90) % 4  # anticlockwise, in degrees
    return np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture


def _warn_of_uneven_times(path: Path, times: list[float], fps: Fraction | None) -> None:
    """Say so where frames are not evenly spaced: a written video will be, and drift from the sound."""
    if fps and any(abs((b - a) * float(fps) - 1) > 0.5 for a, b in pairwise(times)):
        warn(f"{path} has a variable frame rate; it is treated as {float(fps):.3f} frames per second throughout")


def write_movie(path: Path, frames: np.ndarray, fps: Fraction) -> None:
    """Write `frames` (t, h, w, 3) uint8 RGB as H.264, nearly lossless, whole or not at all.

    4:2:0 colour as players expect it; odd widths or heights need 4:4:4, since 4:2:0 halves both. Marked as BT.709.
    """
    size = (frames.shape[2], frames.shape[1])
    with whole_file(path) as draft:
        try:
            with av.open(str(draft), "w") as container:
                stream = _add_stream(container, *size, fps)
                for index, picture in enumerate(frames):
                    container.mux(stream.encode(_to_yuv(picture, _pixel_format(*size), index, fps)))
                container.mux(stream.encode())
        except FFmpegError as error:
            if isinstance(error, OSError):  # disk full, no permission: whole_file explains those
                raise OSError(error.errno, error.strerror) from error
            raise PortError(f"cannot write {path}: the encoder failed ({_reason(error)}).") from error


def _add_stream(container, width: int, height: int, fps: Fraction):
    stream = container.add_stream("libx264", rate=fps, options={"crf": CRF, "preset": "medium"})
    stream.width, stream.height = width, height
    stream.pix_fmt = _pixel_format(width, height)
    codec = stream.codec_context
    codec.time_base = 1 / fps
    codec.color_primaries = codec.color_trc = codec.colorspace = BT709
    codec.color_range = LIMITED_RANGE
    return stream


def _pixel_format(width: int, height: int) -> str:
    return "yuv444p" if width % 2 or height % 2 else "yuv420p"


def _to_yuv(picture: np.ndarray, pix_fmt: str, index: int, fps: Fraction) -> av.VideoFrame:
    rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    frame = rgb.reformat(format=pix_fmt, dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG)
    frame.pts, frame.time_base = index, 1 / fps
    return frame
