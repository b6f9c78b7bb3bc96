"""Video files: pixels, order, rate, rotation, damage."""

import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from parity_tests.stream.standin import enlarge
from port.errors import PortError
from port.metrics.psnr import psnr
from port.video.encode import write_movie
from port.video.read import read_clip
from port.video.write import write_clip

# libx264 at crf 10 keeps smooth pictures above this; what is lost there is mostly colour at half resolution.
NEARLY_LOSSLESS = 40.0  # dB
COLOUR_ERROR = 3  # levels of 255: 8-bit limited-range YUV holds 219 steps of luma, 224 of chroma


def gradient(t=6, h=48, w=64):
    """Smooth moving frames, each clearly different from the others."""
    y, x = np.mgrid[0:h, 0:w]
    frames = [np.stack([x * 3 + 8 * i, y * 4 + 5 * i, 200 - x - 10 * i], axis=-1) for i in range(t)]
    return np.clip(frames, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30000, 1001), Fraction(24000, 1001), Fraction(50, 3)])
def test_rate_order_and_pixels_survive(tmp_path, suffix, fps):
    path = tmp_path / f"x{suffix}"
    write_clip(path, gradient(), fps)
    clip = read_clip(path)
    assert clip.fps == fps
    assert clip.names == [f"{i:08d}" for i in range(6)]
    for i, (written, read) in enumerate(zip(gradient(), clip.frames, strict=True)):
        assert psnr(written, read) > NEARLY_LOSSLESS, i
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(("h", "w"), [(47, 64), (48, 63), (47, 63), (1, 1)])
def test_odd_sizes_are_kept(tmp_path, h, w):
    write_movie(tmp_path / "x.mp4", gradient(h=h, w=w), Fraction(25))
    clip = read_clip(tmp_path / "x.mp4")
    assert clip.frames.shape == (6, h, w, 3)
    assert psnr(clip.frames[3], gradient(h=h, w=w)[3]) > NEARLY_LOSSLESS


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 30, 60), (255, 255, 255), (0, 0, 0)])
def test_colours_come_back_by_the_same_matrix(tmp_path, colour):
    frames = np.zeros((2, 32, 32, 3), np.uint8) + np.array(colour, np.uint8)
    write_movie(tmp_path / "x.mp4", frames, Fraction(25))
    with av.open(str(tmp_path / "x.mp4")) as container:
        first = next(container.decode(video=0))
        assert (first.colorspace, first.color_range, first.format.name) == (1, 1, "yuv420p")  # BT.709, limited
    error = np.abs(read_clip(tmp_path / "x.mp4").frames.astype(int) - frames)
    assert error.max() <= COLOUR_ERROR


def test_the_same_pictures_give_the_same_file(tmp_path):
    """Soft pictures that change, so that the encoder weighs what later frames need."""
    frames = enlarge(np.random.default_rng(0).random((1, 20, 3, 64, 66), np.float32))[0]
    frames = np.rint(255 * frames).astype(np.uint8).transpose(0, 2, 3, 1)
    files = [tmp_path / f"{i}.mp4" for i in range(6)]
    for path in files:
        write_movie(path, frames, Fraction(25))
    assert len({path.read_bytes() for path in files}) == 1


def test_max_frames(tmp_path):
    write_movie(tmp_path / "x.mp4", gradient(), Fraction(25))
    assert len(read_clip(tmp_path / "x.mp4", max_frames=2).frames) == 2


QUARTER_TURNS = {(0, 1, -1, 0): -1, (-1, 0, 0, -1): 2, (0, -1, 1, 0): 1}  # display matrix -> np.rot90


@pytest.mark.parametrize("matrix", QUARTER_TURNS)
def test_rotation_of_phones_is_undone(tmp_path, matrix):
    """The matrix stands in the track header (tkhd) of an MP4, 40 bytes after its name, as 16.16 fixed point."""
    write_movie(tmp_path / "x.mp4", gradient(), Fraction(25))
    data = bytearray((tmp_path / "x.mp4").read_bytes())
    at = data.index(b"tkhd") + 44
    upright = read_clip(tmp_path / "x.mp4").frames
    a, b, c, d = (value << 16 for value in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    (tmp_path / "turned.mp4").write_bytes(data)
    turned = read_clip(tmp_path / "turned.mp4").frames
    assert np.array_equal(turned, np.rot90(upright, QUARTER_TURNS[matrix], axes=(1, 2)))


def test_damaged_videos_are_refused(tmp_path):
    write_movie(tmp_path / "x.mp4", np.random.default_rng(0).integers(0, 256, (6, 64, 64, 3), np.uint8), Fraction(25))
    data = bytearray((tmp_path / "x.mp4").read_bytes())
    for damaged in (b"", b"hello", data[: len(data) // 2]):
        (tmp_path / "bad.mp4").write_bytes(damaged)
        with pytest.raises(PortError, match=r"cannot read .*bad\.mp4: damaged or not a video"):
            read_clip(tmp_path / "bad.mp4")
    middle = data.index(b"mdat") + len(data) // 3
    data[middle : middle + 3000] = bytes(3000)  # breaks the structure
    (tmp_path / "bad.mp4").write_bytes(data)
    with pytest.raises(PortError, match=r"cannot read .*bad\.mp4: damaged or not a video"):
        read_clip(tmp_path / "bad.mp4")


def test_frames_that_the_decoder_had_to_guess_are_refused(tmp_path):
    """Damage inside a picture: ffmpeg fills the hole from the neighbourhood, goes on, and only marks the frame."""
    write_movie(tmp_path / "x.mp4", np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8), Fraction(25))
    data = bytearray((tmp_path / "x.mp4").read_bytes())
    inside = data.index(b"mdat") + 3000  # past the headers, in the first frame
    data[inside : inside + 40] = bytes(value ^ 0x5A for value in data[inside : inside + 40])
    (tmp_path / "bad.mp4").write_bytes(data)
    with pytest.raises(PortError, match=r"bad\.mp4: frame 0 is damaged"):
        read_clip(tmp_path / "bad.mp4")


def test_sound_alone_is_no_video(tmp_path):
    with av.open(str(tmp_path / "x.mkv"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    with pytest.raises(PortError, match="holds no video stream"):
        read_clip(tmp_path / "x.mkv")


def test_uneven_times_are_mentioned(tmp_path, capfd):
    with av.open(str(tmp_path / "x.mkv"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for pts, picture in zip([0, 1, 2, 9, 10, 11], gradient(), strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = pts, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert len(read_clip(tmp_path / "x.mkv").frames) == 6
    assert "variable frame rate" in capfd.readouterr().err.replace("\n", " ")


def test_failure_while_encoding_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("port.video.encode._to_yuv", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_movie(tmp_path / "x.mp4", gradient(), Fraction(25))
    assert not list(tmp_path.iterdir())
