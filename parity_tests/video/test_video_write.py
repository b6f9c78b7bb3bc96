"""Folders, arrays and refusals on the way out; nothing half-written stays."""

import numpy as np
import pytest

from port.errors import PortError, UsageError
from port.video.read import read_clip
from port.video.write import check_target, output_kind, write_clip


@pytest.fixture
def frames():
    return np.random.default_rng(0).integers(0, 256, (3, 10, 14, 3), dtype=np.uint8)


def test_folder_there_and_back_is_exact(tmp_path, frames):
    write_clip(tmp_path / "out", frames, names=["b", "a", "c10"])
    clip = read_clip(tmp_path / "out")
    assert clip.names == ["a", "b", "c10"]
    assert np.array_equal(clip.frames, frames[[1, 0, 2]])
    write_clip(tmp_path / "numbered", frames)
    assert sorted(p.name for p in (tmp_path / "numbered").iterdir()) == [f"{i:08d}.png" for i in range(3)]
    assert np.array_equal(read_clip(tmp_path / "numbered").frames, frames)


def test_array_there_and_back_is_exact_and_unclamped(tmp_path):
    values = np.random.default_rng(1).normal(0.5, 1, (2, 3, 8, 12)).astype(np.float32)
    write_clip(tmp_path / "x.npy", values)
    stored = np.load(tmp_path / "x.npy")
    assert stored.dtype == np.float32
    assert np.array_equal(stored, values)
    assert stored.min() < 0 and stored.max() > 1
    assert [p.name for p in tmp_path.iterdir()] == ["x.npy"]


def test_kind_by_extension(tmp_path):
    (tmp_path / "v1.2").mkdir()
    assert output_kind(tmp_path / "v1.2") == "folder"  # an existing folder whatever its name
    assert output_kind("out") == "folder"
    assert output_kind("a.MP4") == "video"
    assert output_kind("a.npy") == "array"
    with pytest.raises(UsageError, match=r"unknown extension '\.avi'"):
        output_kind("a.avi")


def test_pictures_already_there_are_mentioned(tmp_path, frames, capfd):
    write_clip(tmp_path / "out", frames)
    write_clip(tmp_path / "out", frames[:1])
    assert "already holds 2 other pictures" in capfd.readouterr().err.replace("\n", " ")


def test_refusals(tmp_path, frames):
    (tmp_path / "file").write_text("x")
    with pytest.raises(PortError, match="a folder is needed there, but it is a file"):
        write_clip(tmp_path / "file", frames)
    with pytest.raises(PortError, match=r"the folder .*nowhere does not exist"):
        write_clip(tmp_path / "nowhere" / "x.npy", frames)
    with pytest.raises(PortError, match="no frame to write"):
        write_clip(tmp_path / "out", frames[:0])
    with pytest.raises(PortError, match=r"expected \(t, h, w, 3\) uint8, found \(3, 10, 14, 3\) float64"):
        write_clip(tmp_path / "out", frames / 255)
    with pytest.raises(PortError, match="as many different names"):
        write_clip(tmp_path / "out", frames, names=["a", "a", "b"])
    with pytest.raises(UsageError, match=r"no frame rate\. Give one with --fps"):
        write_clip(tmp_path / "x.mp4", frames)
    with pytest.raises(UsageError, match="input and output at once"):
        check_target(tmp_path / "a" / ".." / "b", tmp_path / "b")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_failing_halfway_leaves_the_old_file(tmp_path, frames, monkeypatch):
    target = tmp_path / "x.npy"
    write_clip(target, frames)
    before = target.read_bytes()

    def interrupted(draft, values, **options):
        draft.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_clip(target, frames * 0)
    assert target.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["x.npy"]


def test_a_full_disk_is_named(tmp_path, frames, monkeypatch):
    def short(draft, values, **options):
        raise OSError("4177920 requested and 204672 written")  # as numpy says it, without an error number

    monkeypatch.setattr(np, "save", short)
    with pytest.raises(PortError, match=r"cannot write .*x\.npy: no space left on its disk"):
        write_clip(tmp_path / "x.npy", frames)
    assert not list(tmp_path.iterdir())
