"""`python -m port verify`: exit codes, files, and messages that say what to do."""

import json
import sys

import numpy as np
import pytest

from parity_tests.verify.conftest import BROKEN_PORT
from port import cli
from port.parity import verify


@pytest.fixture
def clip_file(frames, tmp_path):
    np.save(tmp_path / "clip.npy", frames)
    return tmp_path / "clip.npy"


@pytest.fixture
def healthy_reference(verified, monkeypatch):
    """Let the command line reuse the reference's traces and traces of the healthy port, or run a broken one."""
    original = verify.verify

    def use(fault=None):
        def run(job):
            job.work, job.reuse_reference = verified[0].work, True
            if fault:
                job.port_command = [sys.executable, str(BROKEN_PORT), fault]
            return original(job)

        monkeypatch.setattr(verify, "verify", run)

    return use


def command(weights, clip, report, *more):
    flags = [
        "verify",
        "ttvsr",
        "--weights",
        str(weights),
        "--input",
        str(clip),
        "--report",
        str(report),
        "--whole",
        "all",
    ]
    return [*flags, "--keyframe-stride", "1", "--quiet", *more]


@pytest.mark.slow
def test_pass_is_0_and_leaves_a_report(weights, clip_file, truth, healthy_reference, tmp_path, capsys):
    np.save(tmp_path / "truth.npy", truth)
    healthy_reference()
    more = ["--truth", str(tmp_path / "truth.npy"), "--junit", str(tmp_path / "sites.xml")]
    code = cli.main(command(weights, clip_file, tmp_path / "report", *more))
    assert code == 0
    shown = capsys.readouterr().out
    assert "PASS" in shown.upper() and "report.html" in shown
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["schema"] == 2 and report["verdict"] == "pass" and report["first_divergence"] is None
    assert report["root_causes"] == [] and (tmp_path / "sites.xml").exists()
    assert {"weights", "modules", "accumulated", "end_to_end"} <= set(report["stages"])
    end = {"psnr_between", "psnr_reference", "psnr_port", "psnr_delta_db", "ssim_delta", "max_abs"}
    assert end <= set(report["stages"]["end_to_end"])
    assert {"sites_total", "sites_compared", "skipped"} <= set(report["coverage"])
    assert len(report["weights"]["sha256"]) == 64 and report["environment"]["port"]["framework"] == "mindspore"
    assert (tmp_path / "report" / "report.html").stat().st_size > 10_000
    assert (tmp_path / "report" / "report.md").exists()


@pytest.mark.slow
def test_failed_parity_is_1_and_json_is_alone_on_stdout(weights, clip_file, healthy_reference, tmp_path, capsys):
    healthy_reference("fold_by_reshape")
    assert cli.main(command(weights, clip_file, tmp_path / "report", "--json")) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["verdict"] == "fail" and report["first_divergence"]["module"] == "LTAM (tokens_to_pixels)"
    assert "tokens_to_pixels" in (tmp_path / "report" / "report.html").read_text()


def test_wrong_usage_is_2(weights, clip_file, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["verify", "resnet", "--weights", "w", "--input", "i", "--report", "r"])
    assert stopped.value.code == 2
    ckpt = weights.rename(weights.with_suffix(".ckpt"))
    assert cli.main(command(ckpt, clip_file, tmp_path / "r")) == 2
    ckpt.rename(weights)
    assert cli.main(command(weights, clip_file, tmp_path / "r", "--max-frames", "0")) == 2
    assert "--max-frames must be at least 1" in capsys.readouterr().err
    assert cli.main(command(weights, clip_file, tmp_path / "r", "--stages", "sideways")) == 2
    assert "there is no stage 'sideways'" in capsys.readouterr().err
    assert cli.main(command(weights, clip_file, tmp_path / "r", "--token-stride", "6")) == 3
    assert "token_stride must be a multiple of 4, found 6" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


def expect_3(capsys, words, *args):
    assert cli.main(command(*args)) == 3
    message = capsys.readouterr().err
    assert words in message and "Traceback" not in message


def test_what_cannot_run_is_3(weights, clip_file, frames, tmp_path, capsys):
    report = tmp_path / "r"
    expect_3(capsys, "no weights file", tmp_path / "absent.pth", clip_file, report)
    expect_3(capsys, "absent", weights, tmp_path / "absent", report)
    np.save(tmp_path / "small.npy", frames[:, :, :40])
    expect_3(capsys, "at least 64x64 pixels, found 64x40", weights, tmp_path / "small.npy", report)
    np.save(tmp_path / "nan.npy", np.where(frames > 0.5, np.nan, frames).astype(np.float32))
    expect_3(capsys, "NaN", weights, tmp_path / "nan.npy", report)
    np.save(tmp_path / "truth.npy", np.zeros((3, 64, 64, 3), np.uint8))
    expect_3(capsys, "expected 3 frames of 256x256", weights, clip_file, report, "--truth", str(tmp_path / "truth.npy"))


def test_weights_that_do_not_fit_are_3(clip_file, tmp_path, capfd):
    broken = tmp_path / "broken.pth"
    broken.write_bytes(b"PK\x03\x04 not a checkpoint")
    assert cli.main(command(broken, clip_file, tmp_path / "r")) == 3
    message = capfd.readouterr().err
    assert "broken.pth" in message and "conversion ended with exit code 3" in message and "Traceback" not in message


def test_a_trace_beyond_the_limit_is_3(weights, clip_file, tmp_path, capfd):
    assert cli.main(command(weights, clip_file, tmp_path / "r", "--trace-limit", "0.01")) == 3
    message = capfd.readouterr().err
    assert "would outgrow its limit" in message and "--trace-limit" in message and "Traceback" not in message
