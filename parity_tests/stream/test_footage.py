"""Real footage: times, sound and colour tags reach the other side; comparisons."""

import json
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from parity_tests.stream.standin import Calls, infer
from port.demo.assets import member
from port.errors import UsageError
from port.video.encode import Format, write_movie
from port.video.read import open_source, read_clip
from port.video.write import write_clip

NTSC = Fraction(30000, 1001)
MILLISECOND = Fraction(1, 1000)  # the clock of Matroska
UNEVEN = [0, 1, 2, 9, 10, 11, 20, 21]  # twenty-fifths of a second
COLOUR_ERROR = 4  # levels of 255, through 8-bit YUV twice


def smooth(count=8, h=48, w=64):
    y, x = np.mgrid[0:h, 0:w]
    frames = [np.stack([x * 3 + 8 * i, y * 4 + 5 * i, 200 - x - 10 * i], axis=-1) for i in range(count)]
    return np.clip(frames, 0, 255).astype(np.uint8)


def make_movie(path, times=range(8), clock=1 / NTSC, codec="aac", late=0, begin=0, tags=None, attach=False):
    """A video of 64x48 with sound of 24 kHz that begins after `begin` ticks and `late` before the picture."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=1 / clock)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.time_base = clock
        context = video.codec_context
        if tags:
            context.color_primaries, context.color_trc, context.colorspace, context.color_range = tags
        audio = container.add_stream(codec, rate=24000, layout="mono") if codec else None
        if attach:
            container.add_attachment("note.txt", "text/plain", b"hello")
        for pts, picture in zip(times, smooth(len(times)), strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if tags:
                frame = frame.reformat(format="yuv420p", dst_colorspace=5, dst_color_range=tags[3])
            frame.pts, frame.time_base = pts + late + begin, clock
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if audio:
            wave = (8000 * np.sin(np.arange(0, 9600) / 7)).astype(np.int16)[None]
            sound = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
            sound.sample_rate, sound.pts, sound.time_base = 24000, round(begin * clock * 24000), Fraction(1, 24000)
            for part in av.AudioResampler(audio.format, "mono", 24000, audio.frame_size or None).resample(sound):
                container.mux(audio.encode(part))
            container.mux(audio.encode())


def packets(path):
    """(seconds from the beginning of the file, bytes) of the sound."""
    with av.open(str(path)) as container:
        start = Fraction(container.start_time or 0, av.time_base)
        found = [(p.pts * p.time_base - start, bytes(p)) for p in container.demux(audio=0) if p.size]
    return [time for time, _ in found], [data for _, data in found]


def times_of(path):
    source = open_source(path)
    assert sum(1 for _ in source.frames) == len(source.times)
    return source.times


def near(found, expected, error):
    return len(found) == len(expected) and all(abs(a - b) <= error for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("target", ["out.mp4", "out.mkv", "out.mov"])
@pytest.mark.parametrize("late", [0, 3])
def test_sound_is_copied_in_step(tmp_path, target, late):
    """`late`: the picture begins a tenth of a second after the sound, and still does.

    AAC begins a packet early, at a negative time. Matroska has none of these: there, sound and picture move on alike.
    """
    make_movie(tmp_path / "in.mp4", late=late)
    assert infer(tmp_path / "in.mp4", tmp_path / target, "--window", 4, "--overlap", 1) == 0
    heard, sound = packets(tmp_path / "in.mp4")
    found, copied = packets(tmp_path / target)
    assert copied == sound and len(sound) > 5
    moved = found[0] - heard[0]
    assert near(found, [time + moved for time in heard], MILLISECOND)
    shown = [(i + late) / NTSC for i in range(8)]
    assert near(times_of(tmp_path / "in.mp4"), shown, MILLISECOND)
    assert near(times_of(tmp_path / target), [time + moved for time in shown], 2 * MILLISECOND)
    assert moved == 0 or (target == "out.mkv" and moved == pytest.approx(1024 / 24000, abs=1e-3))
    assert read_clip(tmp_path / target).fps == NTSC


def test_streams_that_begin_anywhere_are_moved_together(tmp_path):
    """MPEG transport streams need not begin at 0; what is written does, with the first of picture and sound."""
    make_movie(tmp_path / "in.ts", late=3, begin=60)
    with av.open(str(tmp_path / "in.ts")) as container:
        assert container.start_time > av.time_base
    infer(tmp_path / "in.ts", tmp_path / "out.mp4")
    (heard, _), (found, _) = packets(tmp_path / "in.ts"), packets(tmp_path / "out.mp4")
    shown = times_of(tmp_path / "in.ts")
    assert 3 / NTSC - MILLISECOND < shown[0] < 0.2  # AAC begins one packet of 43 ms early
    assert near(times_of(tmp_path / "out.mp4"), shown, MILLISECOND)
    assert near(found, heard, MILLISECOND)


def test_sound_of_a_real_film(tmp_path):
    """Five seconds of AAC at 48 kHz, as an encoder of the field wrote them; the picture made small, for time."""
    film = member("bigbuckbunny.mp4", tmp_path / "in.mp4")
    source = open_source(film)
    small = (frame[::16, ::16] for frame in source.frames)
    write_movie(tmp_path / "out.mp4", small, Format(source.fps, source.colour, sound=film))
    (heard, sound), (found, copied) = packets(film), packets(tmp_path / "out.mp4")
    assert copied == sound and len(sound) == 249
    assert found == heard
    assert times_of(tmp_path / "out.mp4") == [Fraction(i, 25) for i in range(132)]


def test_sound_ends_with_a_clip_cut_short(tmp_path):
    make_movie(tmp_path / "in.mkv", codec="flac")
    infer(tmp_path / "in.mkv", tmp_path / "out.mkv", "--max-frames", 4)
    found, _ = packets(tmp_path / "out.mkv")
    assert len(times_of(tmp_path / "out.mkv")) == 4
    assert 0 < max(found) < 4 / NTSC < max(packets(tmp_path / "in.mkv")[0])


def test_what_is_left_out_is_said(tmp_path, capfd):
    make_movie(tmp_path / "in.mkv", attach=True)
    infer(tmp_path / "in.mkv", tmp_path / "out.mkv")
    assert "attachment stream is left out" in capfd.readouterr().err.replace("\n", " ")
    assert len(packets(tmp_path / "out.mkv")[1]) > 5
    infer(tmp_path / "in.mkv", tmp_path / "fast.mkv", "--fps", 60)
    assert "the sound is left out: at 60.000 frames per second" in capfd.readouterr().err.replace("\n", " ")
    with av.open(str(tmp_path / "fast.mkv")) as container:
        assert not container.streams.audio
    make_movie(tmp_path / "wv.mkv", codec="wavpack")
    infer(tmp_path / "wv.mkv", tmp_path / "out.mp4")
    assert "the sound (wavpack) cannot be copied into mp4; it is left out" in capfd.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize(("target", "error"), [("out.mp4", 0), ("out.mkv", MILLISECOND / 2)])
def test_uneven_times_are_kept(tmp_path, target, error):
    make_movie(tmp_path / "in.mp4", UNEVEN, Fraction(1, 25), codec=None)
    infer(tmp_path / "in.mp4", tmp_path / target, "--window", 4, "--overlap", 1)
    expected = [Fraction(tick, 25) for tick in UNEVEN]
    assert times_of(tmp_path / "in.mp4") == expected
    assert near(times_of(tmp_path / target), expected, error)
    infer(tmp_path / "in.mp4", tmp_path / "even.mkv", "--fps", 25)
    assert near(times_of(tmp_path / "even.mkv"), [Fraction(i, 25) for i in range(8)], MILLISECOND / 2)


@pytest.mark.parametrize("tags", [(5, 6, 5, 1), (6, 6, 6, 1), (9, 16, 9, 1), (1, 13, 1, 2), (5, 6, 5, 2)])
@pytest.mark.parametrize("target", ["out.mp4", "out.mkv"])
def test_colour_tags_are_kept(tmp_path, tags, target):
    """BT.601 in two shapes, BT.2020 with PQ, and full range. The decoded pictures stay the same."""
    make_movie(tmp_path / "in.mkv", codec=None, tags=tags)
    infer(tmp_path / "in.mkv", tmp_path / target)
    with av.open(str(tmp_path / target)) as container:
        context = container.streams.video[0].codec_context
        found = (context.color_primaries, context.color_trc, context.colorspace, context.color_range)
    assert tuple(int(tag) for tag in found) == tags
    infer(tmp_path / "in.mkv", tmp_path / "pictures")
    error = np.abs(read_clip(tmp_path / target).frames.astype(int) - read_clip(tmp_path / "pictures").frames)
    assert error.mean() < COLOUR_ERROR


def test_untagged_video_is_taken_as_players_take_it(tmp_path):
    """BT.601 below 720 rows, BT.709 from there on; the same YUV is another colour then."""
    colours = {}
    for rows in (576, 720):
        with av.open(str(tmp_path / "x.mkv"), "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, rows, "yuv420p"
            frame = av.VideoFrame(64, rows, "yuv420p")
            for plane, value in zip(frame.planes, (120, 90, 200), strict=True):
                plane.update(bytes([value]) * plane.buffer_size)
            frame.pts = 0
            container.mux(stream.encode(frame))
            container.mux(stream.encode())
        colours[rows] = read_clip(tmp_path / "x.mkv").frames[0, 100, 30].astype(int)
    # R = 1.164 (Y - 16) + r (V - 128), with r = 1.596 in BT.601 and 1.793 in BT.709
    luma = 255 / 219 * (120 - 16)
    assert abs(colours[576][0] - (luma + 1.596 * 72)) <= 2
    assert abs(colours[720][0] - (luma + 1.793 * 72)) <= 2


def test_comparison_picture(tmp_path):
    frames = smooth()
    write_clip(tmp_path / "in", frames)
    infer(
        tmp_path / "in",
        tmp_path / "out",
        "--window",
        4,
        "--overlap",
        1,
        "--compare",
        tmp_path / "c.png",
        "--compare-frame",
        6,
    )
    picture = np.asarray(Image.open(tmp_path / "c.png"))
    assert picture.shape == (192, 2 * 256 + 4, 3)
    assert np.array_equal(picture[:, :256], Image.fromarray(frames[6]).resize((256, 192), Image.Resampling.BICUBIC))
    assert np.array_equal(picture[:, 260:], read_clip(tmp_path / "out").frames[6])
    assert (picture[:, 256:260] == 255).all()


def test_comparison_video(tmp_path):
    make_movie(tmp_path / "in.mp4", UNEVEN, Fraction(1, 25))
    infer(tmp_path / "in.mp4", tmp_path / "out.mp4", "--compare", tmp_path / "c.mp4")
    clip, result = read_clip(tmp_path / "c.mp4"), read_clip(tmp_path / "out.mp4")
    assert clip.frames.shape == (8, 192, 516, 3)
    assert np.abs(clip.frames[:, :, 264:].astype(int) - result.frames[:, :, 4:]).mean() < COLOUR_ERROR
    assert times_of(tmp_path / "c.mp4") == times_of(tmp_path / "out.mp4")


@pytest.mark.parametrize(
    ("flags", "out", "message"),
    [
        (["--compare", "c.gif"], "out", "give a picture"),
        (["--compare", "c.png"], "out.npy", "needs a video or a folder"),
        (["--compare", "nowhere/c.png"], "out", "does not exist"),
        (["--compare", "c.mp4"], "out", "no frame rate"),
        (["--compare", "c.png", "--compare-frame", "9"], "out", "the clip has 8 frames, the last is 7"),
    ],
)
def test_wrong_comparisons(tmp_path, monkeypatch, flags, out, message):
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "in", smooth())
    with pytest.raises(UsageError, match=message):
        infer("in", out, *flags)


def test_the_summary_tells_how_the_clip_was_cut(tmp_path, capfd):
    make_movie(tmp_path / "in.mp4")
    infer(tmp_path / "in.mp4", tmp_path / "out", "--window", 4, "--overlap", 2, "--json")
    result = json.loads(capfd.readouterr().out)
    assert (result["windows"], result["window"], result["overlap"], result["tile"]) == (3, 4, 2, None)
    assert (result["frames"], result["resumed"], result["dtype"]) == (8, 0, "float32")
    infer(tmp_path / "in.mp4", tmp_path / "out2", "--window", 4, "--overlap", 2)
    captured = capfd.readouterr()
    assert "3 windows of 4 frames, 2 shared" in captured.out
    assert "3 of 8 frames done" in captured.err and "left" in captured.err


def test_a_comparison_that_cannot_be_costs_nothing(tmp_path):
    write_clip(tmp_path / "in", smooth())
    wrong = ("--compare", tmp_path / "c.png", "--compare-frame", 8)
    with pytest.raises(UsageError, match=r"the last is 7\.\s+1 finished windows are kept"):
        infer(tmp_path / "in", tmp_path / "out", *wrong)
    calls = Calls()
    assert infer(tmp_path / "in", tmp_path / "out", "--compare", tmp_path / "c.png", load=calls.load) == 0
    assert calls == [] and (tmp_path / "c.png").is_file() and (tmp_path / "out").is_dir()
