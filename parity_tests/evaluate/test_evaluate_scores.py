"""`evaluate` with a network that repeats pixels: the numbers are those that other libraries find in the same files."""

import hashlib

import numpy as np
import pytest
from PIL import Image
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from parity_tests.data.made_sets import make_benchmark, make_vimeo90k
from parity_tests.evaluate import stand_in
from parity_tests.evaluate.conftest import CLIPS
from port.data.benchmarks import UDM10
from port.errors import PortError
from port.evaluate.centre import centre_frame, mirrored_twice

LQ, GT = "trainval_sharp_bicubic/X4", "trainval_sharp"
SSIM = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
ROUNDING = 1e-9  # both sides in float64
LUMA_DIGITS = 1e-4  # dB: scikit-image's luma constants have six digits


def picture(path):
    return np.asarray(Image.open(path))


def repeated(path):
    return picture(path).repeat(4, axis=0).repeat(4, axis=1)


def test_every_clip_is_scored_on_all_frames(reds4, evaluate):
    result = evaluate("--max-frames", "3")
    assert [clip["clip"] for clip in result["clips"]] == list(CLIPS)  # and not 001, which is there, too
    for clip in result["clips"]:
        pairs = [
            (repeated(path), picture(reds4 / GT / clip["clip"] / path.name))
            for path in sorted((reds4 / LQ / clip["clip"]).iterdir())
        ]
        psnr = [peak_signal_noise_ratio(b, a, data_range=255) for a, b in pairs]
        ssim = [structural_similarity(a, b, channel_axis=2, **SSIM) for a, b in pairs]
        assert clip["psnr_of_frames"] == pytest.approx(psnr, abs=ROUNDING)
        assert clip["ssim_of_frames"] == pytest.approx(ssim, abs=ROUNDING)
        assert (clip["psnr"], clip["ssim"]) == (pytest.approx(np.mean(psnr)), pytest.approx(np.mean(ssim)))
        assert (clip["channel"], clip["crop"], clip["frames"]) == ("rgb", 0, 3)
    assert len({clip["psnr"] for clip in result["clips"]}) == 4
    assert result["mean"]["psnr"] == pytest.approx(np.mean([clip["psnr"] for clip in result["clips"]]), abs=ROUNDING)
    assert {name: result["mean"][name] for name in ("channel", "crop", "clips", "frames")} == {
        "channel": "rgb", "crop": 0, "clips": 4, "frames": 12
    }  # fmt: skip


def test_luma_and_crop_of_the_command_line(reds4, evaluate):
    result = evaluate("--max-frames", "1", "--clips", "011", "--channel", "y", "--crop", "4")
    name = "00000000.png"
    planes = (
        rgb2ycbcr(f(reds4 / folder / "011" / name))[4:-4, 4:-4, 0] for f, folder in ((repeated, LQ), (picture, GT))
    )
    expected = peak_signal_noise_ratio(*planes, data_range=255)
    assert result["mean"]["psnr"] == pytest.approx(expected, abs=LUMA_DIGITS)
    assert (result["mean"]["channel"], result["mean"]["crop"]) == ("y", 4)


def test_the_result_states_its_conditions(reds4, evaluate):
    result = evaluate("--max-frames", "2", "--clips", "000,020")
    expected = {"dataset": "reds4", "degradation": "BI", "channel": "rgb", "crop": 0, "scored": "all", "max_frames": 2,
                "clips": ["000", "020"], "keyframe_stride": 3, "token_stride": 4, "dtype": "float32"}  # fmt: skip
    assert {name: result["conditions"][name] for name in expected} == expected
    assert result["conditions"]["rounding"].startswith("clamped to [0, 1], times 255, rounded")
    assert result["mean"]["frames"] == 4
    assert result["weights_sha256"] == hashlib.sha256(b"weights").hexdigest()
    assert result["environment"]["framework"] == "none" and result["environment"]["cores"] >= 1


def test_the_network_sees_whole_clips(reds4, evaluate):
    evaluate("--max-frames", "3")
    assert stand_in.given == [(1, 3, 3, 64, 64)] * 4  # 24x20, reflected up to what the network takes


def test_benchmarks_are_scored_as_publications_do(tmp_path, evaluate):
    make_benchmark(tmp_path / "Vid4", ("calendar", "city", "foliage", "walk"), frames=2, size=(80, 96))
    result = evaluate(dataset="vid4", root="Vid4")
    assert (result["mean"]["channel"], result["conditions"]["degradation"], result["mean"]["clips"]) == ("y", "BD", 4)
    assert [clip["frames"] for clip in result["clips"]] == [2] * 4
    folder = evaluate("--gt", "Vid4/HR", dataset="folder", root="Vid4/BD")
    assert (folder["mean"]["channel"], folder["conditions"]["degradation"]) == ("rgb", None)
    as_vid4 = evaluate("--gt", "Vid4/HR", "--channel", "y", dataset="folder", root="Vid4/BD")
    assert as_vid4["mean"] == result["mean"]


def test_udm10_has_ten_clips(tmp_path, evaluate):
    make_benchmark(tmp_path / "UDM10", UDM10, frames=1, size=(60, 64))  # truth 64x60, low resolution 16x15
    mean = evaluate(dataset="udm10", root="UDM10")["mean"]
    assert (mean["channel"], mean["crop"], mean["clips"], mean["frames"]) == ("y", 0, 10, 10)


def test_pictures_are_saved_by_the_names_of_the_input(tmp_path, evaluate):
    make_benchmark(tmp_path / "Vid4", ("calendar", "city", "foliage", "walk"), frames=2, size=(80, 96))
    evaluate("--save", "out", dataset="vid4", root="Vid4")
    written = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*"))
    assert written == [f"{clip}/frame_000{i}.png" for clip in ("calendar", "city", "foliage", "walk") for i in (2, 3)]
    for name in written:
        assert np.array_equal(picture(tmp_path / "out" / name), repeated(tmp_path / "Vid4" / "BD" / name))


def test_the_table_for_people(reds4, evaluate, capfd):
    evaluate("--max-frames", "1")
    stand_in.run(["--weights", "w.bin", "--dataset", "reds4", "--root", reds4, "--max-frames", "1"])
    shown = capfd.readouterr()
    for words in (
        "000",
        "mean of 4",
        "seconds per sequence",
        "RGB; crop: 0",
        "only the first 1 of each clip",
        "BI, x4",
    ):
        assert words in shown.out
    assert "4 of 4 clips are finished" in shown.err


# ------------------------------------------------------------------------------------------------ Vimeo-90K-T


def test_a_septuplet_is_mirrored_twice():
    frames = np.arange(7)[:, None, None, None]
    forth, back = [0, 1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1, 0]
    assert mirrored_twice(frames)[:, 0, 0, 0].tolist() == forth + back + forth + back
    with pytest.raises(PortError, match="has 7 frames, found 6"):
        mirrored_twice(frames[:6])


def test_the_centre_is_the_mean_of_its_four_estimates():
    """Powers of two tell which outputs went in: the mean of outputs 3, 10, 17 and 24, all of frame 3."""
    output = np.full((1, 28, 3, 2, 2), 2.0, np.float64) ** np.arange(28)[:, None, None, None]
    assert mirrored_twice(np.arange(7)[:, None, None, None])[[3, 10, 17, 24], 0, 0, 0].tolist() == [3] * 4
    centre = centre_frame(output)
    assert centre.shape == (1, 1, 3, 2, 2)
    assert set(centre.ravel().tolist()) == {(2**3 + 2**10 + 2**17 + 2**24) / 4}


def unsteady(args):
    """Repeats pixels and adds to every output something of its own; what it was given is kept."""

    def upscale(lrs, probe):
        unsteady.given = lrs
        return stand_in.enlarged(lrs) + (0.14 / 255 * np.arange(lrs.shape[1], dtype=np.float32))[:, None, None, None]

    return upscale


def test_vimeo90k_scores_the_centre_alone(tmp_path, evaluate):
    make_vimeo90k(tmp_path / "V", test=("00002/0001", "00003/0007"), size=(64, 96))
    result = evaluate("--clips", "00003/0007", "--save", "out", dataset="vimeo90k_t", root="V", load=unsteady)
    low = [picture(tmp_path / f"V/sequences_BD/00003/0007/im{i}.png") for i in (*range(1, 8), *range(7, 0, -1)) * 2]
    assert np.array_equal(unsteady.given[0, :, :, :16, :24], np.stack(low).transpose(0, 3, 1, 2) / np.float32(255))
    assert [path.name for path in (tmp_path / "out").rglob("*.png")] == ["im4.png"]
    levels = repeated(tmp_path / "V/sequences_BD/00003/0007/im4.png") + 0.14 * (3 + 10 + 17 + 24) / 4  # 1.89 levels
    saved = picture(tmp_path / "out/00003/0007/im4.png")
    # rounded once, at the end: the four outputs rounded before would have a mean of 1.5 levels more
    assert np.abs(saved - np.clip(levels, 0, 255)).max() <= 0.5 + 1e-4
    truth = picture(tmp_path / "V/sequences/00003/0007/im4.png")
    luma = [rgb2ycbcr(each)[..., 0] for each in (truth, saved)]
    assert result["mean"]["psnr"] == pytest.approx(peak_signal_noise_ratio(*luma, data_range=255), abs=LUMA_DIGITS)
    assert (result["mean"]["frames"], result["clips"][0]["input_frames"]) == (1, 28)
    assert result["conditions"]["scored"] == "centre"
