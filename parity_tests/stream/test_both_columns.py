"""The networks themselves in windows, tiles and 16 bits; 16 channels, one block."""

import numpy as np
import pytest

from ms_model import infer as ms_infer
from parity_tests.ops.both import make_weights
from port.metrics.psnr import psnr_float
from port.models import ttvsr as facts
from port.weights import tensors_file
from port.weights.ttvsr import TTVSRConfig
from torch_ref import infer as torch_infer

pytestmark = pytest.mark.slow

SIDES = {"torch_ref": torch_infer, "ms_model": ms_infer}
# Outputs of rms 0.5; convolutions of an 8-bit (bfloat16) and an 11-bit (float16) mantissa, accumulated in float32
HALF = {"torch_ref": (["--dtype", "bfloat16"], 30, 60), "ms_model": (["--half"], 45, 80)}
REFUSED = {"torch_ref": ["--half"], "ms_model": ["--dtype", "bfloat16"]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("columns")
    tensors_file.write(folder / "w.safetensors", make_weights(TTVSRConfig(16, 1)))
    frames = np.random.default_rng(0).random((3, 3, 64, 64), dtype=np.float32)
    wide = np.random.default_rng(1).random((1, 3, 64, 100), dtype=np.float32)
    clips = {"in": frames, "a": frames[:2], "b": frames[1:]}
    clips["small"] = frames[:1, :, :16, :16]
    clips |= {"wide": wide, "left": wide[..., :68], "right": wide[..., 32:]}
    for name, clip in clips.items():
        np.save(folder / f"{name}.npy", clip)
    return folder


def infer(side, folder, source, *flags):
    """-> what one column makes of `source`, (t, 3, 4h, 4w) float32"""
    out = folder / "out.npy"
    words = [
        "--weights",
        folder / "w.safetensors",
        "--input",
        folder / source,
        "--output",
        out,
        "--overwrite",
        "--eager",
    ]
    assert SIDES[side].main([str(word) for word in (*words, "--quiet", *flags)]) == 0
    return np.load(out)


@pytest.mark.parametrize("side", SIDES)
def test_windows_are_the_network_on_each(folder, side):
    cut = infer(side, folder, "in.npy", "--window", 2, "--overlap", 1)
    first, second = infer(side, folder, "a.npy"), infer(side, folder, "b.npy")
    assert np.array_equal(cut, np.concatenate([first[:1], second]))
    assert np.abs(first[1] - second[0]).max() > 1e-4  # the network does look beyond a window


@pytest.mark.parametrize("side", SIDES)
def test_tiles_are_the_network_on_each(folder, side):
    tiled = infer(side, folder, "wide.npy", "--tile", 64, 68, "--tile-overlap", 32)
    left, right = infer(side, folder, "left.npy"), infer(side, folder, "right.npy")
    assert np.array_equal(tiled[..., : 4 * 40], left[..., : 4 * 40])
    assert np.array_equal(tiled[..., 4 * 60 :], right[..., 4 * 28 :])
    middle = (left[..., 4 * 32 :] + right[..., : 4 * 36]) / 2  # columns 32 to 67; the fade is centred at 50
    columns = slice(4 * 50 - 1, 4 * 50 + 1)
    assert np.abs(tiled[..., columns] - middle[..., 4 * 18 - 1 : 4 * 18 + 1]).max() < 0.1


@pytest.mark.parametrize("side", SIDES)
def test_half_is_near_and_not_the_same(folder, side, monkeypatch):
    """On 16x16 pixels: PyTorch's bfloat16 takes minutes on a CPU for the 64x64 that the network asks for otherwise."""
    monkeypatch.setattr(facts, "MIN_SIZE", 16)
    flags, least, most = HALF[side]
    assert least < psnr_float(infer(side, folder, "small.npy"), infer(side, folder, "small.npy", *flags)) < most


@pytest.mark.parametrize("side", SIDES)
def test_half_is_refused_where_it_does_not_help(folder, side, capfd):
    words = [
        "--weights",
        folder / "w.safetensors",
        "--input",
        folder / "a.npy",
        "--output",
        folder / "no.npy",
        *REFUSED[side],
    ]
    assert SIDES[side].main([str(word) for word in words]) == 3
    assert "is not for cpu in" in capfd.readouterr().err and not (folder / "no.npy").exists()
