"""`port results basicvsr`: the figures, the verdict on them, the data it prepares, and that it goes on where it was killed."""

import hashlib
import json
import shutil
from types import SimpleNamespace

import av
import numpy as np
import pytest

from port import cli
from port.data.films import unpack_films
from port.errors import PortError
from port.evaluate import reproduce
from port.evaluate.both import compare
from port.evaluate.published import judge, load_tables
from port.metrics.score import ClipScore, mean_of_clips
from port.parity import tolerance
from port.report.published_report import markdown
from port.video.pictures import read_picture

BI = load_tables("basicvsr")[0]


def evaluated(framework, shift=(0.0, 0.0), clips=BI.clips):
    """What `evaluate` of a column prints, with scores off the measured ones by `shift`."""
    records = []
    for name, figures in clips.items():
        psnr, ssim = (value + off for value, off in zip(figures.measured, shift, strict=True))
        score = ClipScore([psnr] * figures.frames, [ssim] * figures.frames, "y")
        records.append({"clip": name, **score.as_data(), "output_size": [8, 8], "seconds": 1.0})
    conditions = {"degradation": "BI", "channel": "y", "crop": 0, "rounding": "r", "scored": "all", "max_frames": None,
                  "clips": None, "keyframe_stride": None, "token_stride": None, "dtype": "float32"}  # fmt: skip
    return {"dataset": "vid4", "conditions": conditions, "clips": records, "weights_sha256": "", "model": "basicvsr",
            "mean": mean_of_clips([ClipScore.from_data(each) for each in records]),
            "environment": {"framework": framework}}  # fmt: skip


def judged(reference=(0.0, 0.0), port=None, clips=BI.clips):
    sides = evaluated("torch", reference, clips), evaluated("mindspore", reference if port is None else port, clips)
    limits = tolerance.load()
    return judge(BI, compare(*sides, limits.psnr_delta_db), limits)


def test_figures_agree_with_each_other():
    """The mean of the clips is the mean that is stored, and what is printed is what was measured, rounded."""
    for table in load_tables("basicvsr"):
        means = np.mean([figures.measured for figures in table.clips.values()], axis=0)
        assert np.abs(means - table.mean.measured).max() < 1e-4, table.degradation
        for figures in (table.mean, *table.clips.values()):
            if figures.printed:
                off = np.abs(np.subtract(figures.measured, figures.printed))
                assert off[0] <= 0.005 and off[1] <= 0.00006
    assert sum(figures.frames for figures in BI.clips.values()) == 171


@pytest.mark.parametrize(
    ("reference", "port", "verdict"),
    [
        ((0, 0), (0, 0), "pass"),
        ((0.0048, -0.00015), (0.0048, -0.00015), "pass"),
        ((0.0052, 0), (0.0052, 0), "fail"),
        ((-0.0052, 0), (-0.0052, 0), "fail"),
        ((0, 0.00025), (0, 0.00025), "fail"),
        ((0, 0), (0.00009, 0), "pass"),
        ((0, 0), (-0.00012, 0), "fail"),
    ],
)
def test_verdict(reference, port, verdict):
    """Both limits, from either side; the port is held against PyTorch, not against the publication."""
    assert judged(reference, port)["verdict"] == verdict


def test_the_mean_is_judged_of_all_clips_only():
    one = {"walk": BI.clips["walk"]}
    assert [row["clip"] for row in judged(clips=one)["rows"]] == ["walk"]
    assert [row["clip"] for row in judged()["rows"]] == ["calendar", "city", "foliage", "walk", "mean"]
    with pytest.raises(PortError, match="clip walk has 46 frames; the published table has 47"):
        judged(clips={"walk": SimpleNamespace(frames=46, measured=(30.0, 0.9))})


# ------------------------------------------------------------------------------------------------------------ the data


@pytest.fixture
def films(tmp_path):
    """Two clips of two small frames as lossless films with their index."""
    folder, index = tmp_path / "films", {}
    folder.mkdir()
    rng = np.random.default_rng(4)
    for name, size in (("GT_walk", (64, 96)), ("LQ_walk", (16, 24)), ("GT_city", (64, 96)), ("LQ_city", (16, 24))):
        frames = rng.integers(0, 256, (2, *size, 3)).astype(np.uint8)
        with av.open(str(folder / f"{name}.mkv"), "w") as film:
            stream = film.add_stream("libx264rgb", rate=25, options={"qp": "0"})
            stream.height, stream.width, stream.pix_fmt = *size, "rgb24"
            for frame in frames:
                film.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            film.mux(stream.encode())
        index[name] = {"names": ["0.png", "1.png"], "sha256_rgb": hashlib.sha256(frames.tobytes()).hexdigest()}
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder


def test_films_are_unpacked_to_the_pixel_and_once(films, tmp_path):
    unpack_films(films, tmp_path / "out", {"LQ": "BIx4"}, ["walk"])
    names = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.png"))
    assert names == ["BIx4/walk/0.png", "BIx4/walk/1.png"]
    pixels = b"".join(read_picture(tmp_path / "out" / name).tobytes() for name in names)
    index = json.loads((films / "index.json").read_text(encoding="utf-8"))
    assert hashlib.sha256(pixels).hexdigest() == index["LQ_walk"]["sha256_rgb"]
    (films / "LQ_walk.mkv").unlink()
    unpack_films(films, tmp_path / "out", {"LQ": "BIx4"}, ["walk"])  # is there already


@pytest.mark.parametrize("wrong", ["other pixels", "a name less", "a path", "no film"])
def test_films_that_are_not_what_they_say(films, tmp_path, wrong):
    index = json.loads((films / "index.json").read_text(encoding="utf-8"))
    if wrong == "other pixels":
        shutil.copy(films / "GT_city.mkv", films / "GT_walk.mkv")
    elif wrong == "no film":
        (films / "GT_walk.mkv").unlink()
    else:
        index["GT_walk"]["names"] = ["0.png"] if wrong == "a name less" else ["0.png", "../../1.png"]
    (films / "index.json").write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(PortError, match=r"index.json"):
        unpack_films(films, tmp_path / "out", {"GT": "GT"})
    assert not (tmp_path / "out" / "GT" / "walk").exists() and not list(tmp_path.glob("*.png"))


def test_low_resolution_of_bd_is_the_projects_own(films, tmp_path):
    from port.degrade.blur import blur_down

    root = reproduce.prepare(films, tmp_path / "vid4", None, "BD", True)
    for clip in ("walk", "city"):
        for name in ("0.png", "1.png"):
            made, truth = (read_picture(root / kind / clip / name) for kind in ("BDx4", "GT"))
            assert np.array_equal(made, blur_down(truth))
    frames = reproduce.prepare(root, tmp_path / "again", ["walk"], "BI", True)  # a folder of frames does as well
    assert (frames / "BIx4" / "walk" / "0.png").is_file() and (frames / "GT").is_symlink()


# ---------------------------------------------------------------------------------------------------------- the command


@pytest.fixture
def columns(films, tmp_path, monkeypatch):
    """The command with columns that only print scores. -> (run(*flags) -> exit code, what was started)"""
    started = []

    def evaluate_side(side, what, weights, work, device):
        started.append((side, what.degradation, weights.name))
        if (tmp_path / "die").exists() and side == "port":
            raise PortError("killed")
        table = next(each for each in load_tables("basicvsr") if each.degradation == what.degradation)
        clips = {name: table.clips[name] for name in what.clips or table.clips}
        return evaluated(side, (0.006, 0.0) if (tmp_path / "off").exists() else (0.0, 0.0), clips)

    monkeypatch.setattr(reproduce, "evaluate_side", evaluate_side)
    monkeypatch.setattr(reproduce, "weights_for", lambda column, source, work: source)
    (tmp_path / "w").mkdir()
    for table in load_tables("basicvsr"):
        (tmp_path / "w" / table.weights).touch()
    words = ["results", "basicvsr", "--root", films, "--weights", tmp_path / "w", "--report", tmp_path / "r" / "page"]
    words += ["--work", tmp_path / "work", "--quiet"]
    return lambda *flags: cli.main([str(word) for word in (*words, *flags)]), started


def test_page_data_and_exit_code(columns, tmp_path, capsys):
    run, started = columns
    assert run() == 0
    assert [each[:2] for each in started] == [(side, kind) for kind in ("BI", "BD") for side in ("reference", "port")]
    assert all(weights == f"BasicVSR_Vimeo90K_{kind}x4.pth" for _, kind, weights in started)
    page, data = ((tmp_path / "r" / f"page.{suffix}").read_text(encoding="utf-8") for suffix in ("md", "json"))
    assert page == markdown(json.loads(data)) and json.loads(data)["verdict"] == "pass"
    assert "| `mean` | 171 | 27.24 | 27.2383 | 27.2384 |" in page and "**PASS**" in page
    assert "27.96" in page and "PASS" in capsys.readouterr().out
    (tmp_path / "off").touch()
    assert run("--degradation", "BI") == 1
    assert "Beyond a limit: BI calendar" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "code", "says"),
    [
        (["--dataset", "vid4"], 2, "--dataset does not go with published scores"),
        (["--max-frames", "3"], 2, "the publication chose the conditions"),
        (["--weights", "nowhere"], 3, "name the folder that holds the official files"),
    ],
)
def test_what_does_not_go_together(columns, flags, code, says, capsys):
    run, started = columns
    assert run(*flags) == code and says in capsys.readouterr().err and not started


def test_a_failed_column_leaves_no_page(columns, tmp_path):
    run, _ = columns
    (tmp_path / "die").touch()
    assert run() == 3 and not list((tmp_path / "r").iterdir())
