"""The neutral half of `infer` with a network that repeats every pixel four times."""

import hashlib
import json
from fractions import Fraction

import numpy as np
import pytest

from port.errors import PortError, UsageError, run_command
from port.infer import infer_arguments, run_inference
from port.video.read import read_clip
from port.video.write import write_clip

DEVICES = ("cpu", "gpu")


def nearest(args):
    """A network for tests: it steps like TTVSR and repeats pixels."""

    def upscale(lrs, probe):
        t = lrs.shape[1]
        nearest.steps = ["flows", "features", *(f"{name}.{i:02d}" for name in ("bwd", "fwd", "up") for i in range(t))]
        for label in nearest.steps:
            probe.step(label)
        nearest.given = lrs.shape
        return lrs.repeat(4, axis=3).repeat(4, axis=4)

    return upscale


@pytest.fixture
def folder(tmp_path):
    """Three frames of 40x50 and a weights file that is never read."""
    frames = np.random.default_rng(0).integers(0, 256, (3, 40, 50, 3), dtype=np.uint8)
    write_clip(tmp_path / "in", frames, names=["a", "b", "c"])
    (tmp_path / "w.bin").write_bytes(b"weights")
    return tmp_path


def infer(folder, *flags, source="in", out="out", load=nearest):
    paths = ["--weights", folder / "w.bin", "--input", folder / source, "--output", folder / out]
    args = infer_arguments("infer", DEVICES, [str(x) for x in (*paths, *flags)])
    return run_command(lambda: run_inference(args, load, lambda: {"framework": "none"}), debug=True)


def enlarged(frames):
    return frames.repeat(4, axis=1).repeat(4, axis=2)


def test_folder_to_folder_keeps_names_and_crops(folder):
    assert infer(folder) == 0
    assert nearest.given == (1, 3, 3, 64, 64)
    result = read_clip(folder / "out")
    assert result.names == ["a", "b", "c"]
    assert np.array_equal(result.frames, enlarged(read_clip(folder / "in").frames))


def test_folder_to_array_is_float_and_not_rounded(folder):
    assert infer(folder, out="x.npy") == 0
    stored = np.load(folder / "x.npy")
    assert (stored.shape, stored.dtype) == ((3, 3, 160, 200), np.float32)
    frames = read_clip(folder / "in").frames.astype(np.float32) / np.float32(255)
    assert np.array_equal(stored, enlarged(frames).transpose(0, 3, 1, 2))


def test_video_to_video_keeps_the_rate(folder):
    write_clip(folder / "in.mp4", np.zeros((4, 64, 72, 3), np.uint8), Fraction(30000, 1001))
    assert infer(folder, "--max-frames", "3", source="in.mp4", out="out.mkv") == 0
    result = read_clip(folder / "out.mkv")
    assert result.fps == Fraction(30000, 1001)
    assert result.frames.shape == (3, 256, 288, 3)
    assert infer(folder, source="in.mp4", out="pngs") == 0
    assert read_clip(folder / "pngs").names == [f"{i:08d}" for i in range(4)]


def test_video_from_pictures_needs_a_rate(folder):
    with pytest.raises(UsageError, match=r"no frame rate\. Give one with --fps"):
        infer(folder, out="out.mp4")
    assert infer(folder, "--fps", "24000/1001", out="out.mp4") == 0
    assert read_clip(folder / "out.mp4").fps == Fraction(24000, 1001)


def test_json_is_all_of_stdout(folder, capfd):
    assert infer(folder, "--json", "--max-frames", "2") == 0
    result = json.loads(capfd.readouterr().out)
    assert (result["frames"], result["input_size"], result["output_size"]) == (2, [50, 40], [200, 160])
    assert set(result["seconds"]) == {"read", "load", "network", "write"}
    assert result["seconds_per_frame"] == pytest.approx(result["seconds"]["network"] / 2, abs=1e-3)
    assert (result["device"], result["environment"]) == ("cpu", {"framework": "none"})
    assert result["weights_sha256"] == hashlib.sha256(b"weights").hexdigest()


def test_summary_on_stdout_progress_on_stderr(folder, capfd):
    assert infer(folder) == 0
    captured = capfd.readouterr()
    assert "3, 50x40 -> 200x160" in captured.out
    assert "network ..." in captured.err and "network ..." not in captured.out
    assert infer(folder, "--quiet", "--overwrite") == 0  # an output that exists is replaced on request only
    captured = capfd.readouterr()
    assert "200x160" in captured.out
    assert captured.err == ""


def test_progress_counts_every_step(folder, monkeypatch):
    from rich.progress import Progress

    updates, totals = [], []
    monkeypatch.setattr(Progress, "update", lambda self, task, **fields: updates.append(fields["description"]))
    monkeypatch.setattr(Progress, "add_task", lambda self, name, total: totals.append(total))
    infer(folder)
    assert updates == [f"network {label}" for label in nearest.steps]
    assert totals == [len(updates)]


def test_refused_before_any_work(folder):
    def never(args):
        raise AssertionError("the network must not be loaded")

    (folder / "file").write_text("x")
    for error, message, keywords in (
        (UsageError, "input and output at once", {"out": "in"}),
        (UsageError, r"unknown extension '\.gif'", {"out": "x.gif"}),
        (PortError, "it is a file", {"out": "file"}),
        (PortError, "no such file or folder", {"source": "nowhere"}),
    ):
        with pytest.raises(error, match=message):
            infer(folder, load=never, **keywords)
    (folder / "w.bin").unlink()
    with pytest.raises(PortError, match=r"cannot read the weights .*w\.bin: there is no such file"):
        infer(folder, load=never)


def test_running_out_of_memory_says_what_to_do(folder):
    for error in (MemoryError(), RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes")):

        def full(lrs, probe, error=error):
            raise error

        with pytest.raises(
            PortError, match=r"not enough memory for 3 frames of 50x40\. Take fewer at once with --window"
        ):
            infer(folder, load=lambda args, full=full: full)

    def broken(lrs, probe):
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        infer(folder, load=lambda args: broken)


def test_nan_output_is_not_written_as_pictures(folder):
    def spoilt(args):
        return lambda lrs, probe: nearest(args)(lrs, probe) * np.float32("nan")

    with pytest.raises(PortError, match="holds NaN"):
        infer(folder, load=spoilt)
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--max-frames", "0"], "whole number of at least 1, found '0'"),
        (["--keyframe-stride", "x"], "whole number of at least 1, found 'x'"),
        (["--fps", "0"], "frames per second such as 25"),
        (["--fps", "1/0"], "frames per second such as 25"),
        (["--device", "abacus"], "invalid choice: 'abacus'"),
        (["--model", "abacus"], "invalid choice: 'abacus'"),
    ],
)
def test_wrong_flags_exit_with_2(folder, capsys, flags, message):
    with pytest.raises(SystemExit) as stop:
        infer(folder, *flags)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
