"""`python -m torch_ref.infer` and `python -m ms_model.infer` as a user runs them: same input, same frames."""

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from ms_model import infer as ms_infer
from port.metrics.levels import to_uint8
from port.video.read import read_clip
from port.video.write import write_clip
from torch_ref import infer as torch_infer
from torch_ref.ttvsr import TTVSR

REPO = Path(__file__).resolve().parents[2]
SIDES = ("torch_ref", "ms_model")
FLAGS = ("--keyframe-stride", "2")  # of 4 frames, two keyframes compete at the last step of each direction

# Both sides compute in float32 and sum in different orders: outputs (rms 0.55) were measured to differ by 1.1e-6, and
# modules may by 2e-5 of their rms. One arg-max or location decided otherwise on this clip moves pixels by 2e-3 to 8e-3.
MAX_DIFFERENCE = 2e-5


def moving_texture(t, h, w):
    """A smooth random picture that moves by (1, 2) pixels per frame, with noise of its own in each."""
    rng = np.random.default_rng(7)
    picture = rng.integers(0, 256, (h // 4 + 8, w // 4 + 8, 3)).repeat(4, axis=0).repeat(4, axis=1)
    for axis in (0, 1):
        picture = (picture + np.roll(picture, 1, axis) + np.roll(picture, 2, axis) + np.roll(picture, 3, axis)) / 4
    frames = np.stack([picture[i : i + h, 2 * i : 2 * i + w] for i in range(t)])
    return np.clip(frames + rng.normal(0, 4, frames.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Weights of a network with two blocks, random but for a last layer eight times as strong; two clips."""
    folder = tmp_path_factory.mktemp("infer")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = TTVSR(num_blocks=2)
    weights = {name: tensor.numpy().copy() for name, tensor in net.state_dict().items()}
    weights["conv_last.weight"] *= 8
    save_file(weights, folder / "w.safetensors")
    write_clip(folder / "in", moving_texture(4, 66, 75), names=["a", "b", "c", "d"])  # no multiples of 4
    write_clip(folder / "small.mp4", moving_texture(2, 40, 50), Fraction(30000, 1001))
    return folder


def infer(side, folder, source, out, *flags):
    """Run one side as a process; -> its JSON."""
    command = [sys.executable, "-m", f"{side}.infer", "--weights", folder / "w.safetensors", "--json", *FLAGS]
    command += ["--input", folder / source, "--output", folder / side / out, *flags]
    (folder / side).mkdir(exist_ok=True)
    done = subprocess.run([str(x) for x in command], cwd=REPO, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def arrays(folder):
    """Unclamped outputs of both sides, MindSpore's eager."""
    for side in SIDES:
        infer(side, folder, "in", "x.npy", "--eager")
    return [np.load(folder / side / "x.npy") for side in SIDES]


@pytest.mark.slow
def test_arrays_agree(arrays):
    reference, port = arrays
    assert reference.shape == port.shape == (4, 3, 4 * 66, 4 * 75)
    assert reference.dtype == port.dtype == np.float32
    assert np.abs(reference - port).max() <= MAX_DIFFERENCE
    assert reference.min() < 0 and reference.max() > 1  # the network does something, and nothing clamps it
    assert reference.std() > 0.05


@pytest.mark.slow
def test_pictures_agree_compiled_too(folder, arrays):
    results = [infer(side, folder, "in", "out") for side in SIDES]
    reference, port = (read_clip(folder / side / "out") for side in SIDES)
    assert reference.names == port.names == ["a", "b", "c", "d"]
    assert np.abs(reference.frames.astype(int) - port.frames).max() <= 1
    assert (reference.frames == port.frames).mean() > 0.999
    rounded = to_uint8(arrays[0]).transpose(0, 2, 3, 1)
    assert np.abs(reference.frames.astype(int) - rounded).max() <= 1  # of another run, so not to the last bit
    for result, framework in zip(results, ("torch", "mindspore"), strict=True):
        assert (result["input_size"], result["output_size"], result["frames"]) == ([75, 66], [300, 264], 4)
        assert result["environment"]["framework"] == framework
    assert results[0]["weights_sha256"] == results[1]["weights_sha256"]


@pytest.mark.slow
def test_small_video_keeps_rate_and_is_cropped(folder):
    for side in SIDES:
        infer(side, folder, "small.mp4", "out.mp4", "--eager")
    reference, port = (read_clip(folder / side / "out.mp4") for side in SIDES)
    assert reference.fps == port.fps == Fraction(30000, 1001)
    assert reference.frames.shape == port.frames.shape == (2, 160, 200, 3)
    # One level of difference in a pixel may move a few more through the encoder's rounding, never far.
    assert np.abs(reference.frames.astype(int) - port.frames).mean() < 0.1


def run_here(side, folder, out, *flags, weights="w.safetensors", source="in"):
    paths = ["--weights", folder / weights, "--input", folder / source, "--output", folder / out, "--quiet"]
    return side.main([str(x) for x in (*paths, *flags)])


def test_keyframe_stride_reaches_the_network(folder, arrays):
    assert run_here(torch_infer, folder, "y.npy", "--keyframe-stride", "1") == 0
    assert np.abs(np.load(folder / "y.npy") - arrays[0]).max() > 1e-3


@pytest.mark.parametrize("side", [torch_infer, ms_infer])
def test_errors_end_in_3_and_leave_nothing(folder, capfd, side):
    (folder / "junk.safetensors").write_bytes(b"junk")
    cases = [
        ({"weights": "junk.safetensors"}, "junk.safetensors"),
        ({"weights": "none.safetensors"}, "there is no such file"),
        ({"source": "nowhere"}, "there is no such file or folder"),
    ]
    for keywords, message in cases:
        assert run_here(side, folder, "fresh", **keywords) == 3
        captured = capfd.readouterr()
        assert message in captured.err and "Traceback" not in captured.err
        assert captured.out == ""
    assert run_here(side, folder, "fresh", "--token-stride", "6") == 3
    assert "token_stride must be a multiple of 4, found 6" in capfd.readouterr().err
    assert run_here(side, folder, "fresh.gif") == 2
    assert not list(folder.glob("fresh*"))


@pytest.mark.parametrize(("side", "suffix"), [(torch_infer, ".ckpt"), (ms_infer, ".pth")])
def test_weights_of_the_other_side_point_to_the_converter(folder, capfd, side, suffix):
    (folder / f"w{suffix}").write_bytes(b"whatever")
    assert run_here(side, folder, "fresh", weights=f"w{suffix}") == 3
    message = capfd.readouterr().err.replace("\n", " ")
    assert "python convert_weights.py" in message and f"w{suffix}" in message
