"""Windows and tiles for the memory at hand."""

import json
import tracemalloc
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from parity_tests.stream.standin import infer
from port.errors import PortError, UsageError
from port.models.ttvsr import KEPT_FEATURES
from port.models.vsr import FLOW_MULTIPLE, bands
from port.stream.choose import LONGEST_WHOLE, WINDOW, Choice, Clip, Wanted, candidates, choose, estimate
from port.stream.memory import COSTS, GIB, INPUT_BYTES, OUTPUT_BYTES, POOLED, TOGETHER_BYTES, Cost, cost_of
from port.video.write import write_clip

COST = COSTS["torch"]
HD = Clip(5000, (1080, 1920), 4, 64)
SD = Clip(5000, (480, 640), 4, 64)


@pytest.mark.parametrize("clip", [HD, SD, Clip(None, (480, 640), 4, 64)])
@pytest.mark.parametrize("gib", [6, 8, 16, 64, 500])
def test_what_is_chosen_fits(clip, gib):
    choice, bytes_needed = choose(Wanted(), clip, COST, gib * GIB)
    assert bytes_needed == estimate(COST, choice, clip) <= gib * GIB
    assert 0 <= choice.overlap < choice.window


def test_what_is_estimated_by_hand():
    """Band, tile, features kept and not kept, both directions at once: each counts where it is held, and nowhere else."""
    cost = Cost(7.0, 0.0, 0.0, 0.0)
    features = 64 * 4
    size, pixels = (64, 64), 64 * 64
    assert cost.peak(3, size) == 7 + 3 * pixels * (INPUT_BYTES + features)
    assert cost.peak(3, (128, 64), size) == 7 + 6 * pixels * (INPUT_BYTES + OUTPUT_BYTES) + 3 * pixels * features
    most = KEPT_FEATURES // 64 // pixels  # frames whose features are just kept: longer clips take no less, nor more of them
    assert cost.peak(2 * most, size) - cost.peak(most, size) == most * pixels * INPUT_BYTES
    together = replace(cost, together=True)
    assert together.peak(2 * most, size) == 7 + 2 * most * pixels * (INPUT_BYTES + features + TOGETHER_BYTES)
    by_band, by_pixel, by_frame = (replace(cost, **{name: 5.0}) for name in ("per_band", "per_pixel", "per_frame"))
    large, (top, bottom, *_) = (360, 640), bands(360, 640)[0]
    assert by_band.peak(1, large) - cost.peak(1, large) == 5 * (bottom - top) * 640 < 5 * 360 * 640 / 3
    assert by_band.peak(1, size) - cost.peak(1, size) == by_pixel.peak(1, size) - cost.peak(1, size) == 5 * pixels
    assert by_frame.peak(4, size) - cost.peak(4, size) == 4 * 5 * pixels
    pooled, few = replace(cost, pooled=5.0), POOLED // pixels
    for frames, counted in ((few, few * pixels), (few + 1, POOLED), (10 * few, POOLED)):
        assert pooled.peak(frames, size) - cost.peak(frames, size) == 5 * counted


def test_the_estimate_never_falls():
    for frames in (10, 72, 73, 74, 500):
        assert COST.peak(frames, (180, 320)) < COST.peak(frames + 1, (180, 320))


def test_what_the_ways_take_is_counted():
    apart, together = (cost_of("torch", "cpu", ways) for ways in (["keep_memory"], ["together"]))
    assert together.peak(100, (180, 320)) - apart.peak(100, (180, 320)) > 100 * 180 * 320 * TOGETHER_BYTES
    assert cost_of("torch", "cuda", []) is None and cost_of("another", "cpu", []) is None


def test_more_memory_means_larger_parts():
    parts = [choose(Wanted(), SD, COST, gib * GIB)[0] for gib in (4, 12, 60, 1000)]
    areas = [choice.window * (choice.tile[0] * choice.tile[1] if choice.tile else 480 * 640) for choice in parts]
    assert areas == sorted(areas) and len(set(areas)) > 2
    assert (parts[-1].window, parts[-1].tile) == (WINDOW, None)


def test_a_short_clip_runs_whole():
    for count in (1, 7, LONGEST_WHOLE):
        choice, _ = choose(Wanted(), Clip(count, (64, 64), 4, 64), COST, 64 * GIB)
        assert choice.window >= count and choice.tile is None


@pytest.mark.parametrize("size", [(96, 320), (480, 640), (736, 1280)])
def test_chosen_tiles_are_resized_as_the_whole_is(size):
    clip = Clip(5000, size, 4, 64)
    tiles = {choice.tile for choice in candidates(Wanted(), clip)} - {None}
    assert tiles and all(side % FLOW_MULTIPLE == 0 for tile in tiles for side in tile)


def test_a_better_tile_is_named(tmp_path, capfd):
    write_clip(tmp_path / "in", np.zeros((1, 64, 192, 3), np.uint8))
    cases = [((64, 104), "--tile 64 128 would show less"), ((64, 128), None), ((68, 96), None)]  # 68: no cut along it
    for number, (tile, expected) in enumerate(cases):
        assert infer(tmp_path / "in", tmp_path / f"out{number}", "--tile", *tile) == 0
        said = capfd.readouterr().err
        assert expected in said if expected else "would show less" not in said


def test_what_was_asked_for_is_taken_or_refused_with_advice():
    asked = Wanted(window=50, overlap=5, tile=None)
    assert choose(asked, SD, COST, 1000 * GIB)[0] == Choice(50, 5, None, asked.tile_overlap)
    with pytest.raises(
        PortError, match=r"50 frames of 640x480 at once take about .* GiB .* 8\.0 are free\. Take --window"
    ):
        choose(asked, SD, COST, 8 * GIB)
    with pytest.raises(PortError, match=r"The least is .* GiB with --window 8"):
        choose(Wanted(), HD, COST, 1 * GIB)


def test_the_advice_can_be_taken():
    with pytest.raises(PortError) as caught:
        choose(Wanted(window=50, tile=None), SD, COST, 8 * GIB)
    words = str(caught.value).split("Take ")[1].split(",")[0].split()
    assert words[0::2][:2] == ["--window", "--overlap"] and words[4] == "--tile"
    tile = None if words[5] == "none" else (int(words[5]), int(words[6]))
    assert choose(Wanted(int(words[1]), int(words[3]), tile), SD, COST, 8 * GIB)


def test_refused_before_the_network_is_loaded(tmp_path, monkeypatch, capfd):
    def never(args):
        raise AssertionError("the network must not be loaded")

    write_clip(tmp_path / "in", np.zeros((3, 80, 90, 3), np.uint8))
    monkeypatch.setitem(COSTS, "none", Cost(0.0, GIB / 7200, 0.0, 0.0))  # a GiB per frame of 90x80
    with pytest.raises(PortError, match=r"Take|The least is"):
        infer(tmp_path / "in", tmp_path / "out", "--memory", 0.5, load=never)
    assert infer(tmp_path / "in", tmp_path / "out", "--memory", 8, "--json") == 0
    captured = capfd.readouterr()
    result = json.loads(captured.out)
    assert result["estimated_memory"] == pytest.approx(3 * GIB, rel=0.01) and result["peak_memory"] > 1e7
    assert "about 3.0 GiB of memory" in captured.err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--window", "0"], "at least 1, found '0'"),
        (["--overlap", "-1"], "at least 0, found '-1'"),
        (["--tile", "64"], "expected height and width"),
        (["--tile", "a", "b"], "expected height and width"),
        (["--memory", "0"], "expected GiB of memory"),
        (["--dtype", "int8"], "invalid choice"),
        (["--half", "--dtype", "bfloat16"], "not allowed with"),
    ],
)
def test_wrong_flags_exit_with_2(tmp_path, capsys, flags, message):
    with pytest.raises(SystemExit) as stop:
        infer(tmp_path / "in", tmp_path / "out", *flags)
    assert stop.value.code == 2 and message in capsys.readouterr().err


def test_values_that_contradict_exit_with_2(tmp_path):
    write_clip(tmp_path / "in", np.zeros((3, 64, 64, 3), np.uint8))
    with pytest.raises(UsageError, match="--overlap must be at least 0 and smaller than --window, found 4 and 4"):
        infer(tmp_path / "in", tmp_path / "out", "--window", 4, "--overlap", 4)


def peak(source, out, *flags):
    """Bytes that Python and numpy held at most."""
    tracemalloc.start()
    infer(source, out, *flags, "--quiet")
    _, highest = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return highest


def test_memory_does_not_grow_with_the_clip(tmp_path):
    for count in (8, 24):
        frames = np.random.default_rng(0).integers(0, 256, (count, 64, 64, 3), np.uint8)
        write_clip(tmp_path / f"{count}.mp4", frames, Fraction(25))
    cut = ("--window", 4, "--overlap", 1)
    short, long = (peak(tmp_path / f"{n}.mp4", tmp_path / f"out{n}.mp4", *cut) for n in (8, 24))
    assert long < 1.05 * short
    assert peak(tmp_path / "24.mp4", tmp_path / "whole.mp4") > 3 * short  # the measurement sees a clip in memory
