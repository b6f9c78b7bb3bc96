"""TF32 played through on a CPU: the rounding is that of the format, every convolution takes it, and no score is mixed up."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from parity_tests.bench import tf32_score
from parity_tests.data.made_sets import make_reds
from port.train.initial import initial_weights
from port.weights import tensors_file
from port.weights.ttvsr import TTVSRConfig
from torch_ref import evaluate

NORMAL = float(np.finfo(np.float32).tiny)


@given(st.floats(NORMAL, 2.0**100, width=32), st.sampled_from((-1, 1)))
def test_a_number_keeps_ten_bits(number, sign):
    mantissa, exponent = np.frexp(np.float64(number))  # 0.5 <= mantissa < 1: the first bit is the one that is not stored
    expected = sign * np.ldexp(np.floor(mantissa * 2**11 + 0.5) / 2**11, exponent)
    assert tf32_score.rounded(torch.tensor([sign * number], dtype=torch.float32)).item() == expected


def test_numbers_stay_in_their_layout():
    x = torch.randn(1, 8, 5, 5).to(memory_format=torch.channels_last)
    assert tf32_score.rounded(x).stride() == x.stride()


def test_scores_are_near_the_exact_ones_and_apart_from_them(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    root = make_reds(tmp_path / "REDS", ("000",), frames=2, size=(256, 256))
    weights = tmp_path / "weights.safetensors"
    tensors_file.save(weights, initial_weights(TTVSRConfig(64, 1), 0))
    words = ["--weights", str(weights), "--dataset", "reds4", "--root", str(root), "--clips", "000", "--max-frames", "2"]
    words += ["--json", "--quiet"]

    def score(module):
        assert module.main(words) == 0
        return json.loads(capsys.readouterr().out)

    calls = []
    monkeypatch.setattr(tf32_score, "rounded", lambda x, own=tf32_score.rounded: calls.append(1) or own(x))
    exact, coarse = score(evaluate), score(tf32_score)
    assert len(calls) == 2 * 95  # input and weight of each of the convolutions that test_operators.py counts
    assert coarse["resumed"] == 0  # though the exact score of that clip lies there
    assert functional.conv2d is tf32_score.exact
    # One layer of ten bits changes pictures by some 5e-4 of their rms at most, and by no less than a thousandth of that
    assert 1e-7 < abs(coarse["mean"]["psnr"] - exact["mean"]["psnr"]) < 0.1
    assert score(evaluate)["mean"]["psnr"] == pytest.approx(exact["mean"]["psnr"], abs=1e-9)


def test_other_convolutions_than_pytorchs_are_refused(capsys):
    words = ["--weights", "w", "--dataset", "vid4", "--root", "r", "--fast", "channels_last,winograd"]
    assert tf32_score.main(words) == 2
    assert "--fast winograd does not go with TF32" in capsys.readouterr().err
