"""Folders of pictures and arrays: what is read, in which order, and what is refused."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from port.errors import PortError, UsageError
from port.video import clip as limits
from port.video.read import read_clip


def frame(seed, h=12, w=17):
    return np.random.default_rng(seed).integers(0, 256, (h, w, 3), dtype=np.uint8)


def save(folder, name, pixels, **options):
    folder.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(folder / name, **options)


def test_folder_is_read_exactly_in_natural_order(tmp_path):
    names = ["frame10.png", "frame2.png", "frame1.png", "Frame3.BMP"]
    for seed, name in enumerate(names):
        save(tmp_path, name, frame(seed))
    (tmp_path / "clip.json").write_text("{}")
    (tmp_path / ".hidden.png").write_bytes(b"")
    clip = read_clip(tmp_path)
    assert clip.names == ["frame1", "frame2", "Frame3", "frame10"]
    assert clip.fps is None
    assert clip.frames.dtype == np.uint8
    assert np.array_equal(clip.frames, [frame(2), frame(1), frame(3), frame(0)])


def test_max_frames_takes_the_first(tmp_path):
    for seed in range(4):
        save(tmp_path, f"{seed}.png", frame(seed))
    assert read_clip(tmp_path, max_frames=2).names == ["0", "1"]
    assert read_clip(tmp_path, max_frames=9).frames.shape == (4, 12, 17, 3)
    with pytest.raises(UsageError, match="at least 1, found 0"):
        read_clip(tmp_path, max_frames=0)


def test_single_picture_is_a_clip_of_one(tmp_path):
    save(tmp_path, "one.png", frame(0))
    clip = read_clip(tmp_path / "one.png")
    assert clip.names == ["one"]
    assert np.array_equal(clip.frames[0], frame(0))


def test_grey_palette_and_alpha_become_rgb(tmp_path, capfd):
    grey, colour = frame(0)[..., 0], frame(1)
    alpha = np.dstack([colour, np.full((12, 17), 9, np.uint8)])
    save(tmp_path, "1.png", grey)
    save(tmp_path, "2.png", alpha)
    Image.fromarray(np.zeros((12, 17), np.uint8)).convert("P").save(tmp_path / "3.png")
    clip = read_clip(tmp_path)
    assert np.array_equal(clip.frames[0], np.repeat(grey[..., None], 3, axis=2))
    assert np.array_equal(clip.frames[1], colour)
    assert not clip.frames[2].any()
    assert "transparency is left out" in capfd.readouterr().err.replace("\n", " ")


def test_exif_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to show
    save(tmp_path, "a.png", frame(0), exif=exif)
    assert np.array_equal(read_clip(tmp_path).frames[0], np.rot90(frame(0), -1))


def png_16_bit(path, h=4, w=4):
    """A 16-bit RGB PNG, which Pillow cannot write."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes(6 * w) for _ in range(h))
    header = struct.pack(">IIBBBBB", w, h, 16, 2, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)


def test_sixteen_bits_are_refused(tmp_path):
    png_16_bit(tmp_path / "deep.png")
    with pytest.raises(PortError, match=r"deep\.png has samples of more than 8 bits"):
        read_clip(tmp_path)
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(PortError, match="Save it with 8, or give the clip as"):
        read_clip(tmp_path)


def test_sizes_must_agree(tmp_path):
    save(tmp_path, "1.png", frame(0))
    save(tmp_path, "2.png", frame(0, h=13))
    with pytest.raises(PortError, match=r"2\.png is 17x13, but 1\.png before it is 17x12"):
        read_clip(tmp_path)


def test_two_files_of_one_name_are_refused(tmp_path):
    save(tmp_path, "1.png", frame(0))
    save(tmp_path, "1.bmp", frame(0))
    with pytest.raises(PortError, match="Keep one of them"):
        read_clip(tmp_path)


def test_damaged_pictures_name_the_file(tmp_path):
    save(tmp_path, "1.png", frame(0))
    whole = (tmp_path / "1.png").read_bytes()
    for damaged in (b"", b"not a picture", whole[: len(whole) // 2], whole[:60] + b"\xff" * 60 + whole[120:]):
        (tmp_path / "1.png").write_bytes(damaged)
        with pytest.raises(PortError, match=r"cannot read the picture .*1\.png: damaged or no picture"):
            read_clip(tmp_path)


def test_absurd_sizes_are_refused_before_they_are_decoded(tmp_path, monkeypatch):
    save(tmp_path, "1.png", frame(0))
    monkeypatch.setattr(limits, "MAX_PIXELS", 100)
    with pytest.raises(PortError, match="a frame of 17x12 pixels is refused, the limit is 100 pixels"):
        read_clip(tmp_path)


def test_decompression_bomb_is_refused(tmp_path):
    header = bytearray()
    png_16_bit(tmp_path / "bomb.png")
    header = bytearray((tmp_path / "bomb.png").read_bytes())
    header[16:24] = struct.pack(">II", 60000, 60000)
    header[29:33] = struct.pack(">I", zlib.crc32(bytes(header[12:29])))
    (tmp_path / "bomb.png").write_bytes(bytes(header))
    with pytest.raises(PortError, match=r"bomb\.png: the picture is too large"):
        read_clip(tmp_path)


def test_clips_that_would_fill_memory_are_refused(tmp_path, monkeypatch):
    for seed in range(3):
        save(tmp_path, f"{seed}.png", frame(seed))
    monkeypatch.setattr(limits, "MAX_BYTES", 2 * frame(0).nbytes)
    assert len(read_clip(tmp_path, max_frames=2).frames) == 2
    with pytest.raises(PortError, match=r"3 frames need more than .* Read fewer with --max-frames"):
        read_clip(tmp_path)


def test_missing_empty_and_unknown(tmp_path):
    with pytest.raises(PortError, match="there is no such file or folder"):
        read_clip(tmp_path / "nowhere")
    with pytest.raises(PortError, match="no picture in it"):
        read_clip(tmp_path)
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(UsageError, match=r"unknown extension '\.txt'"):
        read_clip(tmp_path / "a.txt")


def test_arrays_of_both_layouts(tmp_path):
    floats = np.random.default_rng(0).random((2, 3, 5, 6), dtype=np.float32)
    np.save(tmp_path / "f.npy", floats)
    np.save(tmp_path / "d.npy", floats.astype(np.float64))
    np.save(tmp_path / "u.npy", np.stack([frame(0), frame(1)]))
    clip = read_clip(tmp_path / "f.npy")
    assert clip.frames.dtype == np.float32
    assert np.array_equal(clip.frames, floats.transpose(0, 2, 3, 1))
    assert clip.names == ["00000000", "00000001"]
    assert np.array_equal(read_clip(tmp_path / "d.npy").frames, clip.frames)
    assert np.array_equal(read_clip(tmp_path / "u.npy", 1).frames, [frame(0)])


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 3, 8, 8), np.uint8), r"found \(2, 3, 8, 8\) uint8"),
        (np.zeros((2, 8, 8, 3), np.float32), r"found \(2, 8, 8, 3\) float32"),
        (np.zeros((3, 8, 8), np.float32), r"expected \(t, 3, h, w\)"),
        (np.zeros((0, 3, 8, 8), np.float32), "holds no frame"),
        (np.zeros((1, 3, 0, 8), np.float32), "holds nothing"),
        (np.array([{"a": 1}]), "not a plain numpy array"),
    ],
)
def test_unfit_arrays(tmp_path, array, message):
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(PortError, match=message):
        read_clip(tmp_path / "x.npy")


def test_damaged_arrays(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((2, 3, 8, 8), np.float32))
    whole = (tmp_path / "x.npy").read_bytes()
    for damaged in (b"", b"junk", whole[:-40], whole[:30]):
        (tmp_path / "x.npy").write_bytes(damaged)
        with pytest.raises(PortError, match=r"cannot read .*x\.npy"):
            read_clip(tmp_path / "x.npy")
