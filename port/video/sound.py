"""The sound of one file copied into another, packet by packet, without decoding it."""

from fractions import Fraction
from pathlib import Path

import av
from av.error import FFmpegError

from port.console import warn
from port.video.movies import MICROSECOND, movie_errors, reason


class Sound:
    """Copies the audio streams of `source` into an open container, as far as its kind can hold them."""

    def __init__(self, container, source: Path | None, length: Fraction | None = None):
        """source: None for silence; length: seconds after which nothing is copied any more, None for all."""
        self.container, self.length = container, length
        self.waiting, self.packets = None, iter(())
        if source is not None:
            with movie_errors(source):
                self._open(source)

    def _open(self, source: Path) -> None:
        self.source, self.input = source, av.open(str(source))
        self.offset = (self.input.start_time or 0) * MICROSECOND
        self.copies = {}
        for stream in self.input.streams:
            if stream.type == "video" and stream.index == self.input.streams.video[0].index:
                continue
            if stream.type == "audio" and self._fits(stream):
                self._add(stream)
            elif stream.type != "audio":
                warn(f"{source}: a {stream.type} stream is left out, only picture and sound are kept")
        if self.copies:
            self.packets = self.input.demux(*(self.input.streams[index] for index in self.copies))

    def _fits(self, stream) -> bool:
        codec = stream.codec_context and stream.codec_context.codec.canonical_name
        if codec in self.container.supported_codecs:
            return True
        name = self.container.format.name.split(",")[0]
        warn(f"{self.source}: the sound ({codec}) cannot be copied into {name}; it is left out. Write .mkv to keep it.")
        return False

    def _add(self, stream) -> None:
        copy = self.container.add_stream_from_template(stream)
        copy.metadata.update({key: value for key, value in stream.metadata.items() if key in ("language", "title")})
        self.copies[stream.index] = copy

    def copy_until(self, seconds: Fraction | None) -> None:
        """Copy what is heard before `seconds`, so that sound and picture lie side by side in the file; None: all."""
        while (packet := self._next()) and (seconds is None or packet.pts * packet.time_base < seconds):
            self.waiting = None
            if self.length is None or packet.pts * packet.time_base < self.length:
                self.container.mux(packet)

    def _next(self):
        """The packet that is up next, on the clock of the pictures."""
        while self.waiting is None:
            try:
                packet = next(self.packets, None)
            except FFmpegError as error:
                warn(f"{self.source}: the sound is damaged ({reason(error)}); what follows is left out")
                packet, self.packets = None, iter(())
            if packet is None:
                return None
            if packet.pts is None or packet.dts is None or not packet.size:
                continue
            shift = round(self.offset / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = self.copies[packet.stream.index]
            self.waiting = packet
        return self.waiting
