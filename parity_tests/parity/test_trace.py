"""Traces on disk, and the recorder that fills them."""

from types import SimpleNamespace

import numpy as np
import pytest

from port.errors import PortError, UsageError
from port.parity import capture
from port.parity.recorder import Plan, Recorder
from port.parity.trace import SAMPLES, Trace, TraceWriter, measure, sample_places


def test_whole_tensors_come_back_and_equal_ones_are_stored_once(tmp_path):
    writer = TraceWriter(tmp_path, 10**9)
    array = np.random.default_rng(0).standard_normal((2, 3, 5)).astype(np.float32)
    writer.add("s/a", "value", array, whole=True)
    writer.add("s/b", "value", array.copy(), whole=True)
    writer.add("s/c", "value", array + 1, whole=False)
    array[:] = 0  # what was recorded must not follow
    writer.finish(None, error=None)
    trace = Trace(tmp_path)
    assert trace.whole("s/a").shape == (2, 3, 5) and trace.whole("s/a").any()
    np.testing.assert_array_equal(trace.whole("s/a"), trace.whole("s/b"))
    assert trace.sites["s/a"].whole == trace.sites["s/b"].whole and trace.whole("s/c") is None
    assert trace.about["whole_bytes"] == 2 * 3 * 5 * 4
    np.testing.assert_array_equal(trace.samples("s/c"), trace.samples("s/a") + 1)


def test_shards_hold_everything(tmp_path, monkeypatch):
    monkeypatch.setattr("port.parity.shards.SHARD_BYTES", 1000)
    writer = TraceWriter(tmp_path, 10**9)
    arrays = [np.full(150, i, np.float32) for i in range(7)]
    for i, array in enumerate(arrays):
        writer.add(f"s/{i}", "value", array, whole=True)
    writer.finish(None, error=None)
    assert len(list(tmp_path.glob("whole-*.safetensors"))) == 4
    for i, array in enumerate(arrays):
        np.testing.assert_array_equal(Trace(tmp_path).whole(f"s/{i}"), array)


def test_samples_are_the_same_places_on_both_sides():
    places = sample_places(10_000)
    assert len(places) == SAMPLES == len(set(places)) and places.max() < 10_000
    np.testing.assert_array_equal(places, sample_places(10_000))
    assert sample_places(SAMPLES) == slice(None)


def test_statistics_by_hand():
    site = measure("s/a", "value", np.array([[3.0, -4.0]], np.float32), 0)
    assert (site.rms, site.mean, site.lowest, site.highest) == (pytest.approx(12.5**0.5), -0.5, -4.0, 3.0)
    spoilt = measure("s/a", "value", np.array([np.nan, 2.0, -np.inf], np.float32), 0)
    assert (spoilt.nonfinite, spoilt.highest) == (2, 2.0)
    assert measure("s/a", "decision", np.array([1, 2], np.int32), 0).hash != site.hash


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, 5000])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64])
def test_the_mean_counts_every_number(size, dtype):
    """Whole rows and what is left of them. 0 .. 4 add up exactly in every type that sums are made in."""
    numbers = (np.arange(size) * 7 % 5).astype(dtype)
    assert measure("s/a", "value", numbers, 0).mean * max(size, 1) == pytest.approx(
        numbers.astype(float).sum(), rel=1e-15
    )


def test_the_limit_stops_with_advice(tmp_path):
    writer = TraceWriter(tmp_path, limit_bytes=1000)
    writer.add("s/a", "value", np.zeros(200, np.float32), whole=True)
    with pytest.raises(PortError, match=r"would outgrow its limit.*--max-frames.*--trace-limit"):
        writer.add("s/b", "value", np.ones(200, np.float32), whole=True)


def test_a_nearly_full_disk_stops_with_advice(tmp_path, monkeypatch):
    monkeypatch.setattr("port.parity.trace.shutil.disk_usage", lambda folder: type("Usage", (), {"free": 10**6}))
    with pytest.raises(PortError, match=r"free space on its disk \(0\.0 GB\)"):
        TraceWriter(tmp_path, 10**12).add("s/a", "value", np.zeros(10, np.float32), whole=True)


def test_unreadable_and_foreign_traces_are_refused(tmp_path):
    with pytest.raises(PortError, match="no readable trace"):
        Trace(tmp_path)
    (tmp_path / "trace.json").write_text('{"schema": 99, "sites": []}')
    with pytest.raises(PortError, match=r"schema 99, this version reads 1"):
        Trace(tmp_path)


class Tensor:
    """A stand-in with what the recorder asks of a tensor."""

    def __init__(self, array, version=0):
        self.array, self._version = np.asarray(array, np.float32), version
        self.shape, self.dtype = self.array.shape, self.array.dtype


def recorder(folder, plan, reference=None):
    return Recorder(TraceWriter(folder, 10**9), lambda t: t.array, lambda array, t: Tensor(array), plan, reference)


def finished(recorder):
    recorder.writer.finish(None, error=None)
    return Trace(recorder.writer.folder)


def test_names_carry_step_and_count(tmp_path):
    probe = recorder(tmp_path, Plan(whole_steps=frozenset({"bwd.01"})))
    probe.step("bwd.01")
    for _ in range(2):
        probe.inputs("m", (Tensor([1]), "no tensor", Tensor([2])))
        probe.output("m", Tensor([3]))
    probe.step("bwd.00")
    probe("v", Tensor([4]))
    trace = finished(probe)
    expected = ["bwd.01/m:in0", "bwd.01/m:in2", "bwd.01/m:out", "bwd.01/m:in0#1", "bwd.01/m:in2#1", "bwd.01/m:out#1"]
    assert list(trace.sites) == [*expected, "bwd.00/v"]


def test_a_tensor_changed_in_place_is_measured_again(tmp_path):
    probe = recorder(tmp_path, Plan())
    shared = Tensor([1.0, -2.0])
    probe.output("conv", shared)
    probe.inputs("next", (shared,))
    shared.array = np.maximum(shared.array, 0)
    shared._version += 1
    probe.inputs("after", (shared,))
    sites = finished(probe).sites
    assert sites["start/next:in0"].hash == sites["start/conv:out"].hash
    assert sites["start/after:in0"].lowest == 0.0


def test_a_change_in_place_that_the_framework_does_not_count_is_seen(tmp_path):
    """MindSpore leaves `_version` as it is when an element is assigned."""
    probe = recorder(tmp_path, Plan(whole_steps=frozenset({"all"})))
    shared = Tensor([1.0, -2.0, 3.0])
    probe.output("conv", shared)
    shared.array[1] = 5.0
    probe.inputs("next", (shared,))
    probe.output("next", shared)
    trace = finished(probe)
    assert trace.whole("start/conv:out")[1] == -2.0 and trace.sites["start/conv:out"].lowest == -2.0
    assert trace.whole("start/next:in0")[1] == 5.0 and trace.sites["start/next:in0"].lowest == 1.0
    assert trace.samples("start/next:out")[1] == 5.0
    assert trace.sites["start/next:in0"].sampled == trace.sites["start/next:out"].sampled  # measured once


def test_equal_values_of_other_shapes_keep_their_shape_and_kind(tmp_path):
    probe = recorder(tmp_path, Plan(whole_steps=frozenset({"all"})))
    probe.output("flatten", Tensor([[1.0], [2.0]]))
    probe.inputs("dense", (Tensor([1.0, 2.0]),))
    sites = finished(probe).sites
    assert [site.shape for site in sites.values()] == [[2, 1], [2]]
    assert [site.kind for site in sites.values()] == ["output", "input"]


def test_statistics_alone_leave_nothing_whole(tmp_path):
    probe = recorder(tmp_path, Plan(nothing_whole=True, whole_steps=frozenset({"all"})))
    probe.decide("choice", Tensor([1.0]))
    probe.output("m", (Tensor([2.0]), 3))
    probe("v", Tensor([4.0]))
    probe.parameter_gradient("w", Tensor([5.0]))
    trace = finished(probe)
    assert len(trace.sites) == 5 and not any(site.whole for site in trace.sites.values())
    assert not list(tmp_path.glob("whole-*")) and trace.samples("start/v")[0] == 4.0


def test_what_is_substituted(tmp_path):
    reference = recorder(tmp_path / "reference", Plan(whole_steps=frozenset({"all"})))
    for name, value in (("value", [1.0]), ("decision", [2.0])):
        (reference.decide if name == "decision" else reference)(name, Tensor(value))
    reference.output("m", Tensor([3.0]))
    reference("shape", Tensor([1.0, 2.0]))
    trace = finished(reference)

    def results(substitute):
        probe = recorder(tmp_path / substitute, Plan(substitute), trace)
        mine = Tensor([9.0])
        given = [probe("value", mine), probe.decide("decision", mine), probe.output("m", mine)]
        return [float(t.array[0]) for t in [*given, probe("shape", mine), probe("unknown", mine)]]

    assert results("nothing") == [9, 9, 9, 9, 9]
    assert results("decisions") == [9, 2, 9, 9, 9]
    assert results("all") == [1, 2, 3, 9, 9]  # a wrong shape and an unknown site keep the network's own value


def test_recorded_is_what_the_network_computed_not_what_was_put_in(tmp_path):
    reference = recorder(tmp_path / "reference", Plan())
    reference("v", Tensor([1.0]))
    probe = recorder(tmp_path / "port", Plan("all"), finished(reference))
    probe("v", Tensor([9.0]))
    assert finished(probe).whole("start/v")[0] == 9.0


def test_what_was_not_computed_is_put_in_and_not_recorded(tmp_path):
    """An idle part's zeros must never be taken for what is true: errors over them would be 1 whatever the port does."""
    reference = recorder(tmp_path / "reference", Plan(whole_steps=frozenset({"bwd.00"})))
    for step in ("bwd.00", "bwd.01"):
        reference.step(step)
        reference("before", Tensor([5.0]))
        reference.output("trunk", Tensor([6.0]))
        reference("feat_prop", Tensor([7.0]))
        reference("after", Tensor([8.0]))
    trunk = SimpleNamespace(forward=lambda value: Tensor([6.5]))
    plan = Plan("all", frozenset({"value"}), frozenset({"bwd.00"}), only_whole=True)
    probe = recorder(tmp_path / "truth", plan, finished(reference))
    with capture.idle([("trunk", trunk)], "forward", probe, lambda shape, inputs: Tensor(np.zeros(shape))):
        given = {}
        for step in ("bwd.00", "bwd.01"):
            probe.step(step)
            probe("before", Tensor([5.5]))
            made = trunk.forward(Tensor([1.0]))
            given[step] = float(made.array[0]), float(probe("feat_prop", made).array[0])
            probe("after", Tensor([8.5]))
    assert given == {"bwd.00": (6.5, 7.0), "bwd.01": (0.0, 7.0)}
    found = finished(probe)
    assert list(found.sites) == ["bwd.00/before", "bwd.00/feat_prop", "bwd.00/after", "bwd.01/before", "bwd.01/after"]
    assert found.whole("bwd.00/feat_prop")[0] == 6.5


@pytest.mark.parametrize("passes, words", [("referense", "unknown pass 'referense'"), ("forced", "name its trace by")])
def test_wrong_passes_are_usage_errors(passes, words):
    flags = ["ttvsr", "--weights", "w", "--input", "i", "--out", "o", "--passes", passes]
    args = capture.capture_arguments("capture", ("cpu",)).parse_args(flags)
    with pytest.raises(UsageError, match=words):
        capture.chosen_passes(args)


def test_frames_of_another_form_are_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((2, 64, 64, 3), np.uint8))
    with pytest.raises(PortError, match=r"expected frames \(t, 3, h, w\) of float32, found \(2, 64, 64, 3\) of uint8"):
        capture.read_frames(tmp_path / "x.npy")
    np.save(tmp_path / "o.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(PortError, match="cannot read the frames"):
        capture.read_frames(tmp_path / "o.npy")


def test_values_whose_squares_overflow_are_finite_and_measured():
    """An exploding port passes through 1e19 .. 1e38: its statistics must stay numbers that JSON can hold."""
    site = measure("s/a", "value", np.full(8, 1e25, np.float32), 0)
    assert (
        site.nonfinite == 0 and site.rms == pytest.approx(1e25, rel=1e-6) and site.mean == pytest.approx(1e25, rel=1e-6)
    )


@pytest.mark.parametrize("text", ["nan", "inf", "0", "-1", "much"])
def test_the_limit_is_a_positive_number(text, capsys):
    flags = ["ttvsr", "--weights", "w", "--input", "i", "--out", "o", "--trace-limit", text]
    with pytest.raises(SystemExit) as stopped:
        capture.capture_arguments("capture", ("cpu",)).parse_args(flags)
    assert stopped.value.code == 2 and "--trace-limit" in capsys.readouterr().err


def test_what_equals_a_value_of_the_reference_keeps_its_own_shape(tmp_path):
    """Equal elements are not stored a second time, also where they lie in another shape."""
    x = np.arange(6, dtype=np.float32)
    first, second = (TraceWriter(tmp_path / name, 1 << 20) for name in ("reference", "port"))
    site = first.add("forward/x:out", "output", x.reshape(2, 3), True)
    first.finish(None)
    second.add("forward/x:out", "output", x.reshape(3, 2), True, known=site.hash)
    second.finish(None)
    port = Trace(tmp_path / "port")
    assert port.whole("forward/x:out") is None
    port.held = Trace(tmp_path / "reference")
    assert np.array_equal(port.whole("forward/x:out"), x.reshape(3, 2))
