"""Video files, written with PyAV: H.264, frame by frame, with the sound and the times of another file."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError

from port.errors import PortError
from port.files import whole_file
from port.processor import flags
from port.video.colour import BT709_COLOUR, Colour
from port.video.movies import reason
from port.video.sound import Sound

CRF = "10"  # of 0 (lossless) to 51: no difference to be seen
# With its code for AVX-512 x264 decides otherwise from run to run (macroblock trees, PyAV 18.1): a resumed job would not end
# in the file of an undisturbed one.
AVX2_ONLY = {"x264-params": "asm=avx2"}
CLOCK = Fraction(1, 90000)  # of times where no finer one is known


@dataclass(frozen=True)
class Format:
    """How a video is written.

    fps     frames per second, exact
    times   seconds at which each frame is shown, with `clock` as their unit; None for evenly spaced frames from 0 on
    sound   a file whose sound is copied, packet by packet
    length  seconds after which no sound is copied any more; None to copy all
    """

    fps: Fraction
    colour: Colour = BT709_COLOUR
    times: Sequence[Fraction] | None = None
    clock: Fraction | None = None
    sound: Path | None = None
    length: Fraction | None = None

    @property
    def time_base(self) -> Fraction:
        """The unit of time of the stream."""
        return 1 / self.fps if self.times is None else self.clock or CLOCK

    def ticks(self, index: int) -> int:
        """When frame `index` is shown, in units of `time_base`."""
        return index if self.times is None else round(self.times[index] / self.time_base)


def write_movie(path: Path, frames: Iterable[np.ndarray], shape: Format | Fraction) -> None:
    """Write `frames`, each (h, w, 3) uint8 RGB, as H.264, nearly lossless, whole or not at all.

    shape  a Format, or only its frame rate
    4:2:0 colour as players expect it; odd widths or heights need 4:4:4, since 4:2:0 halves both.
    """
    shape = shape if isinstance(shape, Format) else Format(shape)
    pictures = iter(frames)
    first = next(pictures)
    size = (first.shape[1], first.shape[0])
    with whole_file(path) as draft, encoder_errors(path), av.open(str(draft), "w") as container:
        stream = _add_stream(container, *size, shape)
        sound = Sound(container, shape.sound, shape.length)
        for index, picture in enumerate(_chain(first, pictures)):
            frame = _to_yuv(picture, _pixel_format(*size), index, shape)
            sound.copy_until(Fraction(frame.pts) * frame.time_base)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        sound.copy_until(None)


def _chain(first: np.ndarray, others: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    yield first
    yield from others


@contextmanager
def encoder_errors(path: Path) -> Iterator[None]:
    """Turn what ffmpeg raises into a message; a full disk or a missing permission is explained by whole_file."""
    try:
        yield
    except FFmpegError as error:
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror) from error
        raise PortError(f"cannot write {path}: the encoder failed ({reason(error)}).") from error


def _add_stream(container, width: int, height: int, shape: Format):
    options = {"crf": CRF, "preset": "medium"} | (AVX2_ONLY if "avx512f" in flags() else {})
    stream = container.add_stream("libx264", rate=shape.fps, options=options)
    stream.width, stream.height = width, height
    stream.pix_fmt = _pixel_format(width, height)
    codec = stream.codec_context
    codec.time_base = shape.time_base
    colour = shape.colour
    codec.color_primaries, codec.color_trc, codec.colorspace = colour.primaries, colour.transfer, colour.matrix
    codec.color_range = int(colour.range)
    return stream


def _pixel_format(width: int, height: int) -> str:
    return "yuv444p" if width % 2 or height % 2 else "yuv420p"


def _to_yuv(picture: np.ndarray, pix_fmt: str, index: int, shape: Format) -> av.VideoFrame:
    rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    colour = shape.colour
    frame = rgb.reformat(format=pix_fmt, dst_colorspace=colour.colorspace, dst_color_range=colour.range)
    frame.pts, frame.time_base = shape.ticks(index), shape.time_base
    return frame
