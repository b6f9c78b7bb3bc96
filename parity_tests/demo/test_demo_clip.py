"""The demonstration clip: what it holds, what is reused, what is refused."""

import json

import numpy as np
import pytest
from PIL import Image

from port.demo import clip as demo
from port.demo.assets import cache_folder, member
from port.errors import PortError
from port.files import make_folder
from port.video.read import read_clip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "clip"
    return out, demo.make_demo_clip(out)


def test_sizes_and_source(made):
    out, about = made
    high, low = read_clip(out / "hr"), read_clip(out / "lr")
    assert high.frames.shape == (7, 272, 640, 3)
    assert low.frames.shape == (7, 68, 160, 3)
    assert high.names == low.names == [f"{i:08d}" for i in range(7)]
    assert json.loads((out / "clip.json").read_text()) == about
    assert about["licence"] == "BSD" and about["first_frame"] == demo.START and len(about["sha256"]) == 14


def test_frames_are_those_of_the_video(made):
    video = read_clip(member(demo.VIDEO, make_folder(cache_folder()) / demo.VIDEO), demo.START + demo.FRAMES)
    assert np.array_equal(read_clip(made[0] / "hr").frames, video.frames[demo.START :])


def test_real_motion_and_no_cut(made):
    """Mean difference of neighbours in levels: about 5 in this scene, under 2 in still ones, over 50 across a cut."""
    frames = read_clip(made[0] / "hr").frames.astype(int)
    change = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))
    assert change.min() > 3 and change.max() < 15


def test_second_run_reuses_and_damage_is_repaired(made, monkeypatch):
    out, about = made
    with monkeypatch.context() as patch:
        patch.setattr(demo, "read_clip", lambda *args, **options: pytest.fail("read the video again"))
        assert demo.make_demo_clip(out) == about
    victim = out / "lr" / "00000003.png"
    before = victim.read_bytes()
    victim.write_bytes(b"damaged")
    demo.make_demo_clip(out)
    assert victim.read_bytes() == before
    (out / "clip.json").write_text("[]")
    assert demo.make_demo_clip(out) == about


def test_pictures_of_another_clip_are_refused(tmp_path):
    (tmp_path / "lr").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "lr" / "other.png")
    with pytest.raises(PortError, match=r"holds pictures of another clip \(other\.png"):
        demo.make_demo_clip(tmp_path, frames=2)


def test_more_frames_than_there_are(tmp_path):
    with pytest.raises(PortError, match="it ends after 250"):
        demo.make_demo_clip(tmp_path / "x", frames=9, start=245)


def test_downscaling_averages_instead_of_picking():
    """Antialiasing: a pattern of single pixels becomes its mean; a filter of fixed width would keep stripes."""
    stripes = np.zeros((1, 64, 64, 3), np.uint8)
    stripes[:, :, ::2] = 200
    inner = demo.downscale(stripes)[0, 4:-4, 4:-4].astype(int)
    assert np.abs(inner - 100).max() <= 3
    flat = np.full((2, 16, 24, 3), 77, np.uint8)
    assert np.array_equal(demo.downscale(flat), np.full((2, 4, 6, 3), 77))
    with pytest.raises(PortError, match="frames of 26x16 cannot be divided by 4 evenly"):
        demo.downscale(np.zeros((1, 16, 26, 3), np.uint8))
