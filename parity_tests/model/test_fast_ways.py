"""Less memory and less time, the same values: frames as they are known, a few frames at a time, directions together, modes."""

import argparse

import numpy as np
import pytest

from parity_tests.model.test_ttvsr import clip, run
from parity_tests.native import why_missing
from parity_tests.ops.both import AGREEMENT, COLUMNS, Recorded, worst
from port.errors import PortError, UsageError
from port.models import speed, ttvsr, vsr
from port.native import build
from port.parity.capture import PASSES


@pytest.fixture
def net(side, ttvsr_pair):
    """The network of the column at hand."""
    return ttvsr_pair[list(COLUMNS).index(side.package)]


@pytest.mark.parametrize(
    "count, pixels", [(1, 10), (7, 10), (99, vsr.CHUNK // 4), (5, 2 * vsr.CHUNK), (8, vsr.CHUNK // 8)]
)
def test_spans_cover_the_clip_evenly(count, pixels):
    found = vsr.spans(count, pixels)
    assert [i for a, b in found for i in range(a, b)] == list(range(count))
    lengths = {b - a for a, b in found}
    assert max(lengths) <= max(1, vsr.CHUNK // pixels) and max(lengths) - min(lengths) <= 1
    assert len(found) == -(-count // max(1, vsr.CHUNK // pixels))  # and no more runs than that takes


def test_a_few_frames_at_a_time_give_the_same(side, net, seeded, monkeypatch):
    """Other batches may be added up in another order, as in test_a_batch_holds_independent_clips."""
    frames, calls = clip(seeded, n=2, t=4), []
    handle = net.feat_extractor.register_forward_hook(lambda *_: calls.append(1))
    try:
        whole = run(side, net, frames)
        monkeypatch.setattr(vsr, "CHUNK", 2 * 64 * 64)  # a frame of both clips
        assert worst(whole, run(side, net, frames)) <= 5e-6
    finally:
        handle.remove()
    assert len(calls) == 1 + 4


def test_a_device_of_its_own_is_given_more_at_once(side, monkeypatch):
    """There launches count, and the small memory of a cache does not."""
    import mindspore
    import torch

    few = side.module("device").capacity()
    monkeypatch.setattr(torch, "get_default_device", lambda: torch.device("cuda"))
    monkeypatch.setattr(mindspore, "get_context", lambda name: "Ascend")
    many = side.module("device").capacity()
    assert (few, many) == (1, vsr.CAPACITY)
    assert [len(vsr.spans(99, 320 * 180, capacity)) for capacity in (few, many)] == [99, 11]
    assert [len(vsr.bands(180, 320, capacity)) for capacity in (few, many)] == [2, 1]


def test_frames_stream_out_as_they_are_known(side, net, seeded):
    """To the last bit those of the whole; keyframes written in place and joined are the same."""
    frames, seen = clip(seeded, t=4), Recorded(side)
    whole = run(side, net, frames)
    net.watch(seen)
    stream = net.frames(side.tensor(frames))
    assert np.array_equal(side.array(next(stream)), whole[:, 0])
    assert seen.steps[-1] == "up.00"  # the rest of the forward pass is still to come
    assert len(seen.steps) == ttvsr.steps_of(4, 1)
    rest = [side.array(frame) for frame in stream]
    assert np.array_equal(np.stack(rest, axis=1), whole[:, 1:]) and len(seen.steps) == ttvsr.steps_of(4)


def test_streaming_leaves_gradients_on_for_others(seeded, ttvsr_pair):
    import torch

    stream = ttvsr_pair[0].frames(torch.from_numpy(clip(seeded, t=2)))
    assert not next(stream).requires_grad and torch.is_grad_enabled()


@pytest.mark.parametrize(
    "height, width", [(1, 1), (64, 64), (180, 320), (144, 176), (361, 64), (2160, 3840), (3, 2 * vsr.BAND), (7, vsr.BAND // 2)]
)
def test_bands_hold_every_row_once_and_what_it_depends_on(height, width):
    found = vsr.bands(height, width)
    assert [row for _, _, first, last in found for row in range(first, last)] == list(range(height))
    assert len({bottom - top for top, bottom, _, _ in found}) == 1  # compiled parts meet one shape
    for top, bottom, first, last in found:
        assert 0 <= top <= max(first - vsr.BAND_MARGIN, 0) and min(last + vsr.BAND_MARGIN, height) <= bottom <= height
        assert (last - first) * width <= max(vsr.BAND, vsr.BAND_ROWS * width)
    assert len(found) == 1 or found[0][3] > vsr.BAND_ROWS / 2  # so that little is computed twice


def streamed(side, net, frames):
    return np.stack([side.array(frame) for frame in net.frames(side.tensor(frames))], axis=1)


@pytest.mark.parametrize("margin, agree", [(2, True), (1, False)])
def test_a_frame_enlarged_in_bands_is_the_same(side, net, seeded, monkeypatch, margin, agree):
    """Other sizes may be added up in another order. With a row less around each band its edges show."""
    frames = clip(seeded, n=2, t=2, h=73)
    whole = run(side, net, frames)
    monkeypatch.setattr(vsr, "BAND", 20 * frames.shape[-1])
    monkeypatch.setattr(vsr, "BAND_ROWS", 1)
    monkeypatch.setattr(vsr, "BAND_MARGIN", margin)
    assert len(vsr.bands(*frames.shape[-2:])) == 4
    assert (worst(whole, streamed(side, net, frames)) <= 5e-6) is agree


def test_the_pass_compiled_runs_as_inference_does(side, net, seeded, monkeypatch):
    """Its frames are enlarged in bands of rows, which those of `net(lrs)` never are."""
    frames, calls = clip(seeded, t=2), []
    monkeypatch.setattr(vsr, "BAND", 32 * 64)
    handle = net.conv_last.register_forward_hook(lambda *_: calls.append(1))
    try:
        found = side.module("capture").forward(net, frames, Recorded(side), PASSES["compiled"])
    finally:
        handle.remove()
    assert len(calls) == 2 * 2 and np.array_equal(found, streamed(side, net, frames)[0])


def test_features_of_a_long_clip_are_computed_for_each_direction(side, net, seeded, monkeypatch):
    """The same values, without being kept; a clip one number shorter keeps them."""
    frames, calls = clip(seeded, t=4), []
    whole = run(side, net, frames)
    numbers = frames.size // 3 * net.mid_channels
    handle = net.feat_extractor.register_forward_hook(lambda *_: calls.append(1))
    try:
        for most, times in ((numbers, 1), (numbers - 1, 2 * 4 - 1)):  # that of the first frame serves both, one after the other
            monkeypatch.setattr(ttvsr, "KEPT_FEATURES", most)
            calls.clear()
            assert worst(whole, streamed(side, net, frames)) <= 5e-6 and len(calls) == times
    finally:
        handle.remove()


def together(side, net, frames, monkeypatch):
    """-> output with the directions as one batch, what the probe saw"""
    seen = Recorded(side)
    monkeypatch.setattr(net, "directions", "together")
    return run(side, net, frames, seen), seen


@pytest.mark.parametrize("n", [1, 2])
def test_directions_together_are_those_apart(side, net, seeded, monkeypatch, n):
    """Other batches, the same sums: the bound of test_a_batch_holds_independent_clips. Stride 1: a keyframe at every step."""
    frames = clip(seeded, n=n, t=3)
    apart = run(side, net, frames)
    out, seen = together(side, net, frames, monkeypatch)
    assert seen.values["bwd.01/feat_prop"].shape[0] == 2 * n
    assert worst(apart, out) <= 5e-6


def test_frames_are_enlarged_together_where_all_are_known(side, net, seeded, monkeypatch):
    """Five of them in runs of two and three, in their order; one after the other on a CPU, or where they are too large."""
    frames, calls = clip(seeded, n=2, t=5), []
    apart = run(side, net, frames)
    handle = net.conv_last.register_forward_hook(lambda *_: calls.append(1))
    monkeypatch.setattr(net, "directions", "together")
    try:
        # frames enlarged at once: one, three, one; one, in two bands
        for capacity, band, times in ((1, 10**6, 5), (2, 3 * 64 * 64, 2), (2, 64 * 64, 5), (2, 16 * 64, 10)):
            monkeypatch.setattr(vsr, "BAND", band)
            for module in ("ttvsr", "vsr"):
                monkeypatch.setattr(side.module(module), "capacity", lambda capacity=capacity: capacity)
            calls.clear()
            seen = Recorded(side)
            net.watch(seen)
            out = streamed(side, net, frames)
            assert worst(apart, out) <= 5e-6 and len(calls) == times
            assert [label for label in seen.steps if label.startswith("up.")] == [f"up.{i:02d}" for i in range(5)]
            assert all(np.array_equal(seen.values[f"up.{i:02d}/frame"], out[:, i]) for i in range(5))
    finally:
        handle.remove()


def test_directions_together_in_double_precision(make_ttvsr, seeded, monkeypatch):
    """Five frames with keyframes at every other: 1e-16 per operation, a few hundred in a row."""
    import torch

    net = make_ttvsr(keyframe_stride=2)[0].double()
    frames = clip(seeded, t=5).astype(np.float64)
    with torch.no_grad():
        apart = run(COLUMNS["torch_ref"](), net, frames)
        out, _ = together(COLUMNS["torch_ref"](), net, frames, monkeypatch)
    assert worst(apart, out) <= 1e-12


# -------------------------------------------------------------------------------------------------------------- modes


def test_names_are_read_and_unknown_ones_refused_with_the_nearest():
    assert speed.fast_names("together,channels_last,together") == ("together", "channels_last")
    with pytest.raises(argparse.ArgumentTypeError, match="'togehter' is unknown: did you mean together"):
        speed.fast_names("togehter")
    with pytest.raises(argparse.ArgumentTypeError, match="'xyz' is unknown: There are none, keep_memory"):
        speed.fast_names("xyz")


@pytest.mark.parametrize(
    "call, message",
    [
        ((["tf32"], "torch", "cpu", "ttvsr"), "--fast tf32 needs --device cuda, found cpu"),
        ((["tf32"], "mindspore", "cpu", "ttvsr"), "--fast tf32 is for torch, not for mindspore"),
        ((["together"], "torch", "cpu", "basicvsr"), "--fast together is for ttvsr"),
        ((["compile", "cuda_graphs"], "torch", "cuda", "ttvsr"), "exclude each other"),
        ((["channels_last", "winograd"], "torch", "cpu", "ttvsr"), "winograd and channels_last exclude each other"),
    ],
)
def test_modes_that_cannot_be_had_are_refused(call, message):
    with pytest.raises(UsageError, match=message):
        speed.chosen(*call)


def test_a_device_has_its_defaults():
    assert speed.chosen([], "torch", "cpu", "ttvsr") == ["keep_memory", "channels_last"]
    assert speed.chosen([], "mindspore", "cpu", "ttvsr") == []
    assert (
        speed.chosen([], "torch", "cuda", "ttvsr") == speed.chosen([], "mindspore", "ascend", "ttvsr") == ["together"]
    )
    assert speed.chosen([], "torch", "cuda", "basicvsr") == []


def test_a_default_gives_way_to_what_excludes_it_and_to_none():
    assert speed.chosen(["winograd"], "torch", "cpu", "ttvsr") == ["keep_memory", "winograd"]
    assert speed.chosen(["together"], "torch", "cpu", "ttvsr") == ["keep_memory", "channels_last", "together"]
    assert speed.chosen(["none"], "torch", "cpu", "ttvsr") == ["none"]
    assert speed.chosen(["none", "together"], "torch", "cpu", "ttvsr") == ["none", "together"]


@pytest.fixture(autouse=True)
def kept(monkeypatch):
    """How often memory was to be kept: what it sets holds for the rest of the process, other tests too."""
    from torch_ref import speed

    asked = []
    monkeypatch.setattr(speed, "keep_freed_memory", lambda: asked.append(1))
    return asked


def test_pytorch_takes_its_defaults_on_a_cpu(make_ttvsr, kept):
    import torch

    from torch_ref.speed import apply

    net = apply(make_ttvsr()[0], ["none"], "cpu")
    assert not kept and net.conv_hr.weight.is_contiguous()
    net = apply(net, [], "cpu")
    assert kept and net.conv_hr.weight.is_contiguous(memory_format=torch.channels_last)


def test_every_mode_is_there_where_the_table_has_it(side):
    names = {name for name, mode in speed.MODES.items() if side.name in mode.where}
    assert side.module("speed").WAYS.keys() == names


def test_16_bits_are_refused_on_a_cpu_without_units_for_them(make_ttvsr, monkeypatch):
    import torch

    from torch_ref.speed import apply

    for units in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        monkeypatch.setattr(torch.cpu, units, lambda: False)
    with pytest.raises(PortError, match="no instructions for it"):
        apply(make_ttvsr()[0], ["bfloat16"], "cpu")
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    assert apply(make_ttvsr()[0], ["bfloat16"], "cpu").resblocks.dtype == torch.bfloat16


def test_16_bits_are_asked_for_once(make_ttvsr, monkeypatch):
    """Parts that convert to one type inside parts that convert to another would fail in the first convolution."""
    import torch

    from torch_ref.half import use_dtype
    from torch_ref.speed import apply

    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    net = use_dtype(make_ttvsr()[0], "bfloat16", "cpu")
    with pytest.raises(UsageError, match="--dtype has chosen"):
        apply(net, ["bfloat16"], "cpu")


def test_16_bits_reach_to_the_end_of_the_upsampler(side, make_ttvsr, seeded):
    """Nothing large is converted on the way: at 720x1280 that took longer than the convolutions. The sum is in float32."""
    net = make_ttvsr()[list(COLUMNS).index(side.package)]
    name = "bfloat16" if side.name == "torch" else "float16"
    side.module("half").use_dtype(net, name, "cpu")
    seen = {}
    for part in ("upsample2", "conv_hr", "conv_last"):  # the whole part: what it is given and gives, before any conversion
        whole = getattr(net, part)
        whole.register_forward_hook(lambda _, given, result, part=part: seen.update({part: (given[0].dtype, result.dtype)}))
    first = next(net.frames(side.tensor(clip(seeded, t=2))))
    assert {str(one).lower().removeprefix("torch.") for types in seen.values() for one in types} == {name} and len(seen) == 3
    assert str(first.dtype).lower().endswith("float32")


def test_a_run_is_known_by_what_it_takes():
    """Windows and scores of another way are not mixed with these."""
    assert speed.taken([], "torch", "cpu") != speed.taken(["none"], "torch", "cpu")
    same = ([], ["channels_last"], ["channels_last", "keep_memory"], ["keep_memory", "keep_memory"])
    assert {tuple(speed.taken(names, "torch", "cpu")) for names in same} == {("keep_memory", "channels_last")}
    assert speed.taken(["winograd", "together"], "torch", "cpu") == speed.taken(["together", "winograd"], "torch", "cpu")
    assert speed.taken([], "mindspore", "cpu") == []


@pytest.mark.parametrize("package, way", [("torch_ref", "channels_last"), ("torch_ref", "winograd"), ("ms_model", "winograd")])
def test_rounding_alone_makes_the_difference(package, way, make_ttvsr, seeded):
    """AGREEMENT: the same sums in another order, or of other products that cancel to the same."""
    import torch

    side, frames = COLUMNS[package](), clip(seeded, t=2)
    if way == "winograd" and (missing := why_missing("winograd")):
        pytest.skip(missing)
    net = make_ttvsr()[list(COLUMNS).index(package)]
    with torch.no_grad():
        plain = run(side, net, frames)
        found = run(side, side.module("speed").apply(net, [way], "cpu"), frames)
    assert 0 < worst(plain, found) <= AGREEMENT  # not equal: the other way was taken


def test_winograd_without_a_compiler_says_what_is_missing(side, net, monkeypatch):
    monkeypatch.setattr(side.module("winograd"), "library", build.library.__wrapped__)
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(PortError, match=r"no C compiler 'no-such-compiler'.*--fast winograd"):
        side.module("speed").apply(net, ("winograd",), "cpu")
    monkeypatch.setattr(side.module("speed"), "fast_convolutions", lambda net: 0)
    with pytest.raises(PortError, match="no convolution of the network is 3x3"):
        side.module("speed").apply(net, ("winograd",), "cpu")


def test_compile_without_a_compiler_says_what_is_missing(make_ttvsr, monkeypatch):
    from torch_ref import speed as ways

    monkeypatch.setenv("CXX", "no-such-g++")
    with pytest.raises(PortError, match=r"there is no compiler 'no-such-g\+\+'.*apt-get install"):
        ways.apply(make_ttvsr()[0], ["compile"], "cpu")


def test_what_is_compiled_is_compiled_last(monkeypatch):
    from ms_model import speed
    from ms_model.ttvsr import TTVSR

    done = []
    monkeypatch.setattr(speed, "WAYS", {name: lambda *_, name=name: done.append(name) for name in speed.WAYS})
    speed.apply(TTVSR(num_blocks=1, mid_channels=16), ("compiled", "winograd"), "cpu")
    assert done == ["winograd", "compiled"]
