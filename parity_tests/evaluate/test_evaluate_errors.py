"""`evaluate` refuses, before any network is loaded, what would give a number for something else."""

import shutil

import numpy as np
import pytest

from parity_tests.data.made_sets import make_benchmark, make_vimeo90k
from parity_tests.evaluate import stand_in
from port.errors import PortError, UsageError
from port.video.pictures import write_picture

LQ, GT = "trainval_sharp_bicubic/X4", "trainval_sharp"


def never(args):
    raise AssertionError("the network must not be loaded")


def delete(*paths):
    for path in paths:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def smaller(root):
    for frame in ("00000000", "00000001", "00000002"):
        write_picture(root / GT / "011" / f"{frame}.png", np.zeros((80, 95, 3), np.uint8))


SPOILT = {
    "a frame of one side": (
        lambda root: delete(root / LQ / "015/00000002.png"),
        r"clip 015: .*low resolution lacks 00000002",
    ),
    "the same frame of both sides": (
        lambda root: delete(root / LQ / "015/00000001.png", root / GT / "015/00000001.png"),
        r"clip 015: low resolution: frame 1 not in",
    ),
    "a clip": (lambda root: delete(root / LQ / "020", root / GT / "020"), r"clip 020: there is no folder"),
    "the truth of a clip": (
        lambda root: delete(root / GT / "000"),
        r"clip 000: there is no folder .*trainval_sharp/000",
    ),
    "all truth": (
        lambda root: delete(root / GT),
        r"reds4: .*does not look like it.*trainval_sharp_bicubic/X4 is there",
    ),
    "the size of the truth": (smaller, r"clip 011: truth is 95x80, 4 times the low resolution 24x20 is 96x80"),
    "a damaged frame": (
        lambda root: (root / LQ / "000/00000000.png").write_bytes(b"no picture"),
        r"clip 000: .*00000000\.png: damaged or no picture",
    ),
}


@pytest.mark.parametrize("what", SPOILT)
def test_what_is_missing_is_an_error_and_not_a_smaller_average(reds4, evaluate, what):
    spoil, message = SPOILT[what]
    spoil(reds4)
    with pytest.raises(PortError, match=message):
        evaluate("--max-frames", "3", load=never)


def test_all_hundred_frames_are_needed(reds4, evaluate):
    with pytest.raises(PortError, match=r"clip 000: low resolution: 3 of 100 frames .*Nothing was scored"):
        evaluate(load=never)
    with pytest.raises(PortError, match=r"clip 000 has 3 frames, --max-frames asks for 4"):
        evaluate("--max-frames", "4", load=never)


def test_wrong_root_and_wrong_flags(reds4, evaluate, tmp_path):
    cases = [
        (PortError, "there is no such folder", ["--root", "nowhere"]),
        (PortError, "does not look like it", ["--root", "REDS/trainval_sharp"]),
        (PortError, r"w2\.bin: there is no such file", ["--weights", "w2.bin"]),
        (UsageError, "--max-frames must be at least 1, found 0", ["--max-frames", "0"]),
        (UsageError, "--crop cannot be negative, found -1", ["--crop", "-1"]),
        (UsageError, "--devices must be from 1 to 64, found 0", ["--devices", "0"]),
        (UsageError, "--clips: 021 not in REDS", ["--clips", "000,021"]),
        (UsageError, "--clips takes different names", ["--clips", "000,000"]),
        (UsageError, "reds4 has no degradation 'BD'", ["--degradation", "bd"]),
        (UsageError, "goes with `folder` only", ["--gt", "REDS/trainval_sharp"]),
        (UsageError, "would write over the frames of clip 000", ["--save", "REDS/trainval_sharp"]),
        (UsageError, "would write over the frames of clip 000", ["--save", "REDS/trainval_sharp_bicubic/X4"]),
        (PortError, "a folder is needed there, but it is a file", ["--save", "w.bin"]),
        (PortError, "token_stride must be a multiple of 4, found 6", ["--token-stride", "6"]),
    ]
    for kind, message, flags in cases:
        with pytest.raises(kind, match=message):
            evaluate("--max-frames", "2", *flags, load=never)
    assert not (tmp_path / ".cache").exists()


def test_a_benchmark_is_all_of_its_clips_and_no_others(tmp_path, evaluate):
    make_benchmark(tmp_path / "V", ("calendar", "city", "walk"), frames=1, size=(80, 96))
    with pytest.raises(PortError, match=r"1 of 4 clips: foliage\. Nothing was scored.*--clips"):
        evaluate(dataset="vid4", root="V", load=never)
    assert evaluate("--clips", "walk,city", dataset="vid4", root="V")["conditions"]["clips"] == ["walk", "city"]
    make_benchmark(tmp_path / "W", ("calendar", "city", "foliage", "walk", "mine"), frames=1, size=(80, 96))
    with pytest.raises(PortError, match="clip mine: is none of the clips of vid4"):
        evaluate(dataset="vid4", root="W", load=never)


def test_folder_needs_its_truth(tmp_path, evaluate):
    make_benchmark(tmp_path / "V", ("a",), frames=1, size=(80, 96))
    with pytest.raises(
        UsageError, match="without ground truth there is nothing to score against: name its folder by --gt"
    ):
        evaluate(dataset="folder", root="V/BD", load=never)


def test_vimeo90k_in_part(tmp_path, evaluate):
    root = make_vimeo90k(tmp_path / "V", test=("00002/0001",), size=(64, 96))
    with pytest.raises(PortError, match="the list names 1 clips, the published one 7824"):
        evaluate(dataset="vimeo90k_t", root="V", load=never)
    with pytest.raises(UsageError, match="--max-frames is not for vimeo90k_t"):
        evaluate("--max-frames", "3", dataset="vimeo90k_t", root="V", load=never)
    delete(root / "sequences_BD/00002/0001/im6.png")  # read by the network, though never scored
    with pytest.raises(PortError, match=r"clip 00002/0001: low resolution: im6\.png not in"):
        evaluate("--clips", "00002/0001", dataset="vimeo90k_t", root="V", load=never)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate 9 GiB")])
def test_running_out_of_memory_names_the_clip(reds4, evaluate, error):
    def full(args):
        def upscale(lrs, probe):
            raise error

        return upscale

    with pytest.raises(PortError, match=r"clip 000: not enough memory for 2 frames of 24x20 as a whole"):
        evaluate("--max-frames", "2", load=full)


def test_a_network_of_another_scale_and_nan(reds4, evaluate):
    for spoilt, message in (
        (lambda x: x[..., ::4], "does not enlarge by 4"),
        (lambda x: x * np.float32("nan"), "holds NaN"),
    ):

        def load(args, spoilt=spoilt):
            return lambda lrs, probe: spoilt(stand_in.enlarged(lrs))

        with pytest.raises(PortError, match=message):
            evaluate("--max-frames", "1", load=load)
