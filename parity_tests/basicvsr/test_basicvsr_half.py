"""What 16 bits do to the score, with the official weights on a real clip: at most what the published figures may lose."""

import json
import os
import subprocess
import sys

import pytest
import torch

from parity_tests.basicvsr.conftest import REPO

LOSS = 0.02  # dB
FRAMES, SIDE = 3, 64  # of the demonstration's clip, rows and columns from its upper left corner

# In a process without MindSpore, for which oneDNN must not use AVX-512: emulated, this takes minutes.
SCORES = f"""
import json, sys
from pathlib import Path
import numpy as np, torch
from port.metrics.levels import to_uint8
from port.metrics.score import score_clip
from port.models import basicvsr
from port.video.pictures import read_picture
from torch_ref import speed
from torch_ref.networks import load_network

demo = Path(sys.argv[1])
read = lambda kind, side: [read_picture(demo / kind / f"{{k:08d}}.png")[:side, :side] for k in range({FRAMES})]
hr, lr = read("hr", {4 * SIDE}), np.stack(read("lr", {SIDE})).astype(np.float32) / 255

def score(ways, fewer=()):
    net = speed.apply(load_network("basicvsr", demo / "BasicVSR_Vimeo90K_BIx4.pth"), ways, "cpu")
    for name in fewer:
        for weight in getattr(net, name).parameters():
            weight.data = weight.data.to(torch.float8_e4m3fn).to(weight.dtype)
    frames = net.frames(torch.from_numpy(lr.transpose(0, 3, 1, 2)[None]))
    pictures = [to_uint8(frame[0].permute(1, 2, 0).numpy()) for frame in frames]
    return score_clip(pictures, hr, "y", with_ssim=False).mean_psnr

with torch.inference_mode():
    print(json.dumps([score(["none"]), score(["bfloat16"]), score(["bfloat16"], basicvsr.HALF_PARTS)]))
"""


@pytest.fixture(scope="module")
def scores(demo):
    """PSNR on Y: in float32; in 16 bits; and with fewer in the weights"""
    if not (torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()):
        pytest.skip("this CPU has no instructions for bfloat16, without which it takes minutes")
    env = {name: value for name, value in os.environ.items() if name != "ONEDNN_MAX_CPU_ISA"}
    done = subprocess.run([sys.executable, "-c", SCORES, str(demo)], cwd=REPO, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_bfloat16_loses_at_most_what_is_allowed(scores):
    exact, half, _ = scores
    assert exact > 30 and half != exact  # a picture, and not computed in the same way twice
    assert abs(half - exact) <= LOSS, f"{half - exact:+.4f} dB"


def test_fewer_bits_would_lose_more(scores):
    """The weights of the same layers with 3 bits behind the first instead of 7."""
    exact, _, fewer = scores
    assert exact - fewer > LOSS, f"{fewer - exact:+.4f} dB"
