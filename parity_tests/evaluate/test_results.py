"""`port results` on a REDS4-shaped set of real frames: both columns, converted weights, the tables; and its verdict."""

import copy
import importlib
import json
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from parity_tests.data.made_sets import made_clip
from parity_tests.ops.both import make_weights
from port import cli, results_cli
from port.degrade.imresize import imresize
from port.demo.assets import REPO
from port.errors import PortError
from port.evaluate import both
from port.evaluate.both import compare, weights_for
from port.video.pictures import list_pictures, read_picture, write_picture
from port.weights.ttvsr import TTVSRConfig
from torch_ref.checkpoint import save
from torch_ref.networks import load_network

CLIPS, FRAMES, SIDE = ("000", "011", "015", "020"), 2, 256
LIMIT = 1e-4  # dB, as port/parity/tolerances.toml has it
# dB, 8-bit pictures of the same network in another process: what lies within rounding of a half may go the other way
SAME_NETWORK = 1e-5
REAL = REPO / ".cache/demo/hr"  # 640x272, of `make demo`


def real_frames():
    """CLIP -> frames (2, 256, 256, 3): four parts of a film, or textures that move where it is not there."""
    if not REAL.is_dir():
        return {clip: made_clip(int(clip), FRAMES, (SIDE, SIDE)) for clip in CLIPS}
    film = np.stack([read_picture(path)[:SIDE] for path in list_pictures(REAL)[:FRAMES]])
    return {clip: film[:, :, 128 * place : 128 * place + SIDE] for place, clip in enumerate(CLIPS)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """REDS4 in the layout of the model page, and weights of a small network in the official format."""
    folder = tmp_path_factory.mktemp("results")
    for clip, frames in real_frames().items():
        for side, shrink in (("trainval_sharp", np.asarray), ("trainval_sharp_bicubic/X4", imresize)):
            (folder / "REDS" / side / clip).mkdir(parents=True)
            for index, frame in enumerate(frames):
                write_picture(folder / "REDS" / side / clip / f"{index:08d}.png", shrink(frame), lasting=False)
    weights = make_weights(TTVSRConfig(mid_channels=16, num_blocks=1))
    save(folder / "net.pth", {f"generator.{name}": array for name, array in weights.items()})
    return folder


@pytest.fixture(scope="module")
def result(folder):
    """The one run of both columns. -> results.json"""
    words = ["results", "--weights", folder / "net.pth", "--dataset", "reds4", "--root", folder / "REDS", "--eager"]
    words += ["--max-frames", FRAMES, "--report", folder / "report", "--save", folder / "out", "--quiet"]
    assert cli.main([str(word) for word in words]) == 0
    return json.loads((folder / "report/results.json").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_the_columns_agree(result):
    assert result["verdict"] == "pass" and result["limit_db"] == LIMIT
    assert 0 <= result["largest_difference_db"] <= LIMIT
    assert [row["clip"] for row in result["clips"]] == list(CLIPS)
    for row in result["clips"]:
        assert row["psnr_difference"] == pytest.approx(row["psnr_port"] - row["psnr_reference"], abs=1e-12)
        assert abs(row["ssim_difference"]) < 1e-5
    assert [result[side]["environment"]["framework"] for side in ("reference", "port")] == ["torch", "mindspore"]
    assert result["reference"]["mean"]["frames"] == result["port"]["mean"]["frames"] == 8


@pytest.mark.slow
def test_the_reference_is_scored_as_computed_here(result, folder):
    """The network called without anything of `evaluate`, scored by scikit-image."""
    net = load_network("ttvsr", folder / "net.pth")
    low, truth = (
        [read_picture(path) for path in list_pictures(folder / "REDS" / side / "015")]
        for side in ("trainval_sharp_bicubic/X4", "trainval_sharp")
    )
    with torch.no_grad():
        output = net(torch.from_numpy(np.stack(low)).permute(0, 3, 1, 2)[None].float() / 255)[0]
    pictures = output.clamp(0, 1).mul(255).round().byte().permute(0, 2, 3, 1).numpy()
    expected = [peak_signal_noise_ratio(a, b, data_range=255) for a, b in zip(truth, pictures, strict=True)]
    clip = next(clip for clip in result["reference"]["clips"] if clip["clip"] == "015")
    assert clip["psnr_of_frames"] == pytest.approx(expected, abs=SAME_NETWORK)
    saved = [read_picture(path) for path in list_pictures(folder / "out/reference/015")]
    assert np.abs(np.stack(saved).astype(int) - pictures).max() <= 1
    assert len(list((folder / "out/port").rglob("*.png"))) == 8


@pytest.mark.slow
def test_the_page_has_the_tables(result, folder):
    page = (folder / "report/results.md").read_text(encoding="utf-8")
    mean = result["mean"]
    assert "| data set | `reds4` |" in page and "| input pixels (WxH) | 64x64 |" in page
    assert "| output pixels (WxH) | 256x256 |" in page and "| sequence length (frames) | 2 |" in page
    for name, side in (("TTVSR-PyTorch", "reference"), ("TTVSR-MS", "port")):
        (row,) = [line for line in page.splitlines() if line.startswith(f"| {name} |")]
        cells = [cell.strip() for cell in row.split("|")]
        assert cells[4:7] == [f"{mean[f'psnr_{side}']:.4f}", f"{mean[f'ssim_{side}']:.4f}",
                              f"{result[side]['seconds']['per_sequence']:.2f}"]  # fmt: skip
    assert "**PASS**" in page and "crop: 0" in page and "only the first 2 of each clip" in page
    assert "`python -m torch_ref.evaluate --weights " in page and "`python -m ms_model.evaluate --weights " in page
    assert page.count("| 2.13.0+cpu") == 0 and "`2.10.0`" in page


@pytest.mark.slow
def test_the_port_ran_on_converted_weights(result, folder):
    (converted,) = (folder / "report/work/weights").iterdir()
    assert result["port"]["weights"] == str(converted) and converted.suffix == ".ckpt"
    assert result["reference"]["weights"] == str(folder / "net.pth")


@pytest.mark.parametrize("column", ["torch_ref", "ms_model"])
def test_errors_of_a_column_end_in_3_and_2(column, folder, capfd):
    main = importlib.import_module(f"{column}.evaluate").main
    words = ["--weights", str(folder / "net.pth"), "--dataset", "reds4", "--root"]
    assert main([*words, str(folder / "nowhere")]) == 3
    assert "there is no such folder" in capfd.readouterr().err
    assert main([*words, str(folder / "REDS")]) == 3
    shown = capfd.readouterr()
    assert "2 of 100 frames" in shown.err and "Traceback" not in shown.err and shown.out == ""
    assert main([*words, str(folder / "REDS"), "--devices", "0"]) == 2


# ------------------------------------------------------------------------------------------- the verdict, without networks


def side_result(*psnr, frames=1):
    """A result of `evaluate` with clips of these PSNR."""
    clips = [{"clip": str(i), "frames": frames, "psnr": value, "ssim": 0.9, "psnr_of_frames": [value] * frames,
              "ssim_of_frames": [0.9] * frames, "channel": "rgb", "crop": 0, "seconds": 1.0, "input_frames": frames,
              "input_size": [64, 64], "output_size": [256, 256], "first": True} for i, value in enumerate(psnr)]  # fmt: skip
    conditions = {"dataset": "reds4", "degradation": "BI", "channel": "rgb", "crop": 0, "scored": "all", "max_frames": None,
                  "clips": None, "keyframe_stride": 3, "token_stride": 4, "dtype": "float32", "rounding": "r"}  # fmt: skip
    mean = None if None in psnr else sum(psnr) / len(psnr)
    return {"dataset": "reds4", "conditions": conditions, "clips": clips, "device": "cpu", "devices": 1,
            "mean": {"psnr": mean, "ssim": 0.9, "frames": frames * len(psnr)}, "weights_sha256": "0" * 64,
            "seconds": {"per_sequence": 1.0, "per_sequence_warm": None},
            "environment": {"processor": "p", "cores": 2, "command": "c.py", "device": "cpu"}}  # fmt: skip


def test_one_clip_beyond_the_limit_fails_though_the_mean_agrees():
    opposite = compare(side_result(30.0, 31.0), side_result(30.00015, 30.99985), LIMIT)
    assert abs(opposite["mean"]["psnr_difference"]) < 1e-9
    assert (opposite["verdict"], opposite["largest_difference_db"]) == ("fail", pytest.approx(1.5e-4, rel=1e-6))
    assert compare(side_result(30.0, 31.0), side_result(30.00009, 30.99991), LIMIT)["verdict"] == "pass"
    assert compare(side_result(None, 31.0), side_result(None, 31.0), LIMIT)["largest_difference_db"] == 0


def test_results_of_other_frames_are_not_compared():
    reference = side_result(30.0, 31.0)
    for change in (
        lambda port: port["clips"].pop(),
        lambda port: port["clips"][0].update(frames=2),
        lambda port: port["conditions"].update(crop=4),
        lambda port: port.update(dataset="vid4"),
    ):
        port = copy.deepcopy(reference)
        change(port)
        with pytest.raises(PortError, match="the two results"):
            compare(reference, port, LIMIT)


def test_weights_are_converted_once_for_every_content(tmp_path, monkeypatch):
    conversions = []

    def converter(command, **rest):
        conversions.append(command[2])
        Path(command[command.index("-o") + 1]).write_bytes(b"converted")
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(both.subprocess, "run", converter)
    net, other = tmp_path / "net.pth", tmp_path / "other" / "net.pth"
    other.parent.mkdir()
    net.write_bytes(b"weights")
    other.write_bytes(b"other weights of the same name")
    converted = [weights_for("ms_model", path, tmp_path / "work") for path in (net, net, other)]
    assert conversions == [str(net), str(other)]
    assert converted[0] == converted[1] != converted[2] and {path.suffix for path in converted} == {".ckpt"}
    assert weights_for("torch_ref", net, tmp_path / "work") == net
    both_read = tmp_path / "net.safetensors"
    assert [weights_for(column, both_read, tmp_path) for column in ("torch_ref", "ms_model")] == [both_read] * 2


@pytest.fixture
def staged(tmp_path, monkeypatch):
    """results(psnr of torch, psnr of MindSpore, flags) -> exit code, both columns played by numbers."""
    (tmp_path / "w.safetensors").write_bytes(b"w")

    def results(reference, port, *flags):
        played = {"reference": side_result(reference), "port": side_result(port)}
        monkeypatch.setattr(results_cli, "evaluate_side", lambda side, *rest: played[side])
        words = ["results", "--weights", str(tmp_path / "w.safetensors"), "--dataset", "reds4", "--root", str(tmp_path)]
        return cli.main([*words, "--report", str(tmp_path / "report"), *flags])

    return results


def test_exit_codes_and_files(staged, tmp_path, capfd):
    assert staged(30.0, 30.00005) == 0
    assert "PASS" in capfd.readouterr().out
    assert staged(30.0, 30.001, "--json") == 1
    shown = json.loads(capfd.readouterr().out)
    assert shown == json.loads((tmp_path / "report/results.json").read_text())
    assert "**FAIL**" in (tmp_path / "report/results.md").read_text()
    assert "beyond the limit of 0.0001 dB" in (tmp_path / "report/results.md").read_text()
    assert staged(30.0, 30.0, "--crop", "-1") == 2
    assert staged(30.0, 30.0, "--weights", str(tmp_path / "none.pth")) == 3
    assert staged(30.0, 30.0, "--weights", str(tmp_path / "none.onnx")) == 2


def test_a_column_that_fails_is_told(tmp_path, monkeypatch):
    unset = dict.fromkeys(("save", "gt", "degradation", "channel", "crop", "clips", "max_frames"))
    flags = {"dataset": "reds4", "root": tmp_path, "keyframe_stride": 3, "token_stride": 4, "devices": 1}
    args = SimpleNamespace(**unset, **flags, eager=False, fresh=True, quiet=True, debug=False)
    started = []

    def failing(command, **rest):
        started.append(command)
        return subprocess.CompletedProcess(command, 3, stdout="")

    monkeypatch.setattr(both.subprocess, "run", failing)
    with pytest.raises(PortError, match=r"ms_model\.evaluate ended with exit code 3; its message stands above"):
        both.evaluate_side("port", args, tmp_path / "w.ckpt", tmp_path, "ascend")
    (words,) = started
    assert words[words.index("--device") + 1] == "ascend" and "--fresh" in words and "--json" in words
