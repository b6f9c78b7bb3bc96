"""Finished windows on disk: lossless, frame by frame in and out, whole or not there at all."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from port.errors import PortError
from port.files import whole_file
from port.stream.windows import Window
from port.video.encode import encoder_errors
from port.video.movies import movie_errors

SUFFIXES = {"array": ".npy", "folder": ".mkv", "video": ".mkv"}
OPTIONS = {"qp": "0", "preset": "ultrafast"}  # of libx264rgb: lossless, as fast as it gets


def piece_name(window: Window, kind: str) -> str:
    """Names say which frames are in it and out of which window: with other windows they are other pieces."""
    return f"{window.keep_from:08d}-{window.keep_to:08d}.of-{window.start:08d}-{window.end:08d}{SUFFIXES[kind]}"


def write_piece(path: Path, frames: np.ndarray) -> None:
    """Write (t, h, w, 3) uint8 as lossless RGB H.264, anything else as .npy."""
    with whole_file(path) as draft:
        if path.suffix == ".npy":
            return np.save(draft, frames, allow_pickle=False)
        with encoder_errors(path), av.open(str(draft), "w") as container:
            stream = container.add_stream("libx264rgb", rate=25, options=OPTIONS)
            stream.height, stream.width = frames.shape[1:3]
            stream.pix_fmt = "rgb24"
            for picture in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())


def read_piece(path: Path, count: int) -> Iterator[np.ndarray]:
    """The frames of a piece, one at a time. Raises PortError unless there are `count` of them."""
    found = 0
    for frame in _frames(path):
        found += 1
        yield frame
    if found != count:
        raise PortError(f"{path} holds {found} frames, expected {count}. Delete it and run again: it is made anew.")


def _frames(path: Path) -> Iterator[np.ndarray]:
    if path.suffix == ".npy":
        yield from np.load(path, mmap_mode="r", allow_pickle=False)
        return
    with movie_errors(path), av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")
