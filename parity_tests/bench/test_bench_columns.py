"""What the columns measure: the convolutions of a tiny network recorded to the last one, and every subject of both once."""

import io
import json
import sys
from collections import Counter

import pytest
import torch

from parity_tests.ops.both import make_weights
from port import bench_cli, cli
from port.bench import others, worker
from port.bench import run as runs
from port.bench.convolutions import operations
from port.bench.plan import Step
from port.errors import PortError
from port.models import vsr
from port.parity import memory
from port.processes import PARENT
from port.weights import tensors_file
from port.weights.ttvsr import TTVSRConfig

CHANNELS, BLOCKS, FRAMES, SIDE = 16, 1, 3, 64
CLIP = {"frames": FRAMES, "height": SIDE, "width": SIDE}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "weights.safetensors"
    tensors_file.save(path, make_weights(TTVSRConfig(CHANNELS, BLOCKS)))
    return path


def by_hand():
    """(weight, input) -> calls of a run of FRAMES frames, from the description in docs/networks.md."""
    c, t, s = CHANNELS, FRAMES, SIDE
    calls = Counter()

    def add(out, entering, kernel, n, side, count):
        calls[(out, entering, kernel, kernel), (n, entering, side, side)] += count

    for level in range(6):  # both directions, all pairs at once
        for entering, out in ((8, 32), (32, 64), (64, 32), (32, 16), (16, 2)):
            add(out, entering, 7, t - 1, s >> (5 - level), 2)
    add(c, 3, 3, t, s, 1)  # features of all frames at once
    add(c, c, 3, t, s, 5 * 2)
    for _ in range(2):  # directions
        add(c, 3 * c, 3, 1, s, t - 1)  # attention
        add(c, 2 * c, 3, 1, s, t)
        add(c, c, 3, 1, s, 2 * BLOCKS * t)
    add(c, 3 * c, 1, 1, s, t)
    add(4 * c, c, 3, 1, s, t)
    add(4 * 64, c, 3, 1, 2 * s, t)
    add(64, 64, 3, 1, 4 * s, t)
    add(3, 64, 3, 1, 4 * s, t)
    return calls


def totals(calls):
    """layer -> pictures that pass through it, however they are put together in batches"""
    found = Counter()
    for (weight, entering), count in calls.items():
        found[weight, entering[1:]] += count * entering[0]
    return found


def as_totals(recorded):
    return totals(Counter({(one.weight, one.input): count for one, count in recorded.items()}))


def bench_and_network(side, weights):
    bench, net = side.module("bench"), side.module("networks").load_network("ttvsr", weights)
    return bench, net


def test_every_convolution_is_recorded(side, weights):
    bench, net = bench_and_network(side, weights)
    recorded = bench.recorded(bench.timed_network(net, worker.clip(CLIP)))
    assert as_totals(recorded) == totals(by_hand())
    assert all(one.padding == tuple(k // 2 for k in one.weight[2:]) and one.stride == (1, 1) for one in recorded)
    # 2 operations for each of in * kh * kw products of every value that leaves
    by_formula = sum(2 * n * w[0] * x[1] * x[2] * w[1] * w[2] * w[3] for (w, x), n in totals(by_hand()).items())
    assert operations(recorded) == by_formula


def test_convolutions_are_recorded_as_inference_calls_them(side, weights, monkeypatch):
    """The upsampler's on bands of rows, with a margin of two on either side: `net(lrs)` would give them the whole frame."""
    monkeypatch.setattr(vsr, "BAND", SIDE * SIDE // 2)
    bench, net = bench_and_network(side, weights)
    recorded = bench.recorded(bench.timed_network(net, worker.clip(CLIP)))
    sizes = {one.input[2:] for one in recorded if one.weight == (64, 64, 3, 3)}
    assert sizes == {(4 * (SIDE // 2 + 4), 4 * SIDE)}
    assert sum(n for one, n in recorded.items() if one.weight == (64, 64, 3, 3)) == 2 * FRAMES


def test_a_layer_that_is_skipped_is_missed(side, weights):
    """The comparison above is no comparison of a thing with itself."""
    bench, net = bench_and_network(side, weights)
    last = net.resblocks.main[2]
    setattr(last, "construct" if hasattr(last, "construct") else "forward", lambda x: x)
    missing = totals(by_hand()) - as_totals(bench.recorded(bench.timed_network(net, worker.clip(CLIP))))
    assert missing == Counter({((CHANNELS, CHANNELS, 3, 3), (CHANNELS, SIDE, SIDE)): 2 * BLOCKS * FRAMES * 2})


def test_another_call_of_a_convolution_is_not_passed_over():
    from torch_ref import bench

    with pytest.raises(PortError, match="conv1d"):
        bench.recorded(lambda: torch.conv1d(torch.zeros(1, SIDE), torch.zeros(1, 1, 1)))


def test_the_floor_in_16_bits_holds_what_the_network_computes_in_16_bits(weights, monkeypatch):
    from torch_ref import bench, device, half, speed

    monkeypatch.setattr(speed, "keep_freed_memory", lambda: None)
    monkeypatch.setattr(worker, "floor", lambda calls, timed: calls)
    monkeypatch.setitem(speed.WAYS, "bfloat16", lambda net, name: half.use_dtype(net, "bfloat16", name))  # on any CPU
    ways = runs.ways_of("half-floor", ())
    calls = bench.floor(weights, ways, device.DEVICES[0])(CLIP)()
    assert as_totals(calls) == totals(by_hand())
    trunk = {one.dtype for one in calls if one.weight == (CHANNELS, 2 * CHANNELS, 3, 3)}
    assert trunk == {"bfloat16"} and {one.dtype for one in calls if one.weight[2:] == (7, 7)} == {"float32"}


@pytest.mark.parametrize("ways, layout", [((), "channels_last"), (("none",), "contiguous")])
def test_the_floor_has_the_layout_of_the_network(weights, ways, layout, monkeypatch):
    """As `infer` runs it, and without its defaults. The first layer takes it from its weights, not from the frames."""
    from torch_ref import bench, speed

    monkeypatch.setattr(speed, "keep_freed_memory", lambda: None)  # would hold for all tests that follow
    monkeypatch.setattr(worker, "floor", lambda calls, timed: calls)
    assert {one.layout for one in bench.floor(weights, ways)(CLIP)()} == {layout}


@pytest.mark.parametrize("kind", ["training", "training-floor", "peak"])
def test_subjects_that_take_a_while(side, weights, kind, monkeypatch):
    monkeypatch.setattr(worker, "REPEATS", 1)
    monkeypatch.setattr(worker, "together", lambda one, count: 1)
    bench, taken = side.module("bench"), []

    class Told(bench.Engine):
        def add_gradients(self, *given, **named):
            taken.append("gradients")
            return super().add_gradients(*given, **named)

        def step(self):
            taken.append("step")
            return super().step()

    monkeypatch.setattr(bench, "Engine", Told)
    request = {"side": 64} if kind == "peak" else {**CLIP, "frames": 2, "batch": 1}
    run = bench.SUBJECTS[kind](weights)(request)
    found = worker.measured(run, memory.forget_peak, memory.peak_bytes)
    assert found["seconds"] > 0
    if kind == "training":
        assert taken == ["gradients", "step"]
    if kind == "peak":
        assert found["matmul"] > 0 and found["convolution"] > 0
    if kind == "training-floor":
        net = bench_and_network(side, weights)[1]
        forward = bench.recorded(bench.timed_network(net, worker.clip({**CLIP, "frames": 2})))
        assert found["operations"] > 2 * operations(forward)


def test_layers_of_the_floor_are_those_recorded(side):
    """Shape and padding of what is timed; the output of a chain fits its input."""
    from port.bench.convolutions import Convolution

    bench = side.module("bench")
    one = Convolution((4, 4, 3, 3), (1, 4, 8, 8), padding=(1, 1))
    strided = Convolution((6, 2, 3, 5), (2, 4, 9, 11), stride=(2, 3), padding=(1, 0))
    for kind in (one, strided):
        layer = bench.layer_of(kind.weight, kind.padding, kind.stride, kind.groups)
        assert tuple(layer(bench.placed(worker.noise(kind.input), kind)).shape) == kind.output
        assert tuple(layer.weight.shape) == kind.weight and layer.bias is not None
        bench.repeated(kind, 2)(bench.placed(worker.noise(kind.input), kind))


# ------------------------------------------------------------------------------------------------------ the whole command


@pytest.mark.slow
def test_a_whole_run(weights, tmp_path, capfd):
    flags = ["--frames", "2", "--size", "64x64", "--rounds", "1", "--only", "network,fast,plain,floor,conversion"]
    flags += ["--fast", "together"]
    report = tmp_path / "bench.md"
    assert cli.main(["bench", "--weights", str(weights), *flags, "--json", "--quiet", "--report", str(report)]) == 0
    result = json.loads(capfd.readouterr().out)
    rows = {(row["framework"], row["subject"]): row for row in result["rows"]}
    assert set(rows) == {
        ("torch", "network"), ("torch", "fast"), ("torch", "plain"), ("torch", "floor"), ("mindspore", "network"),
        ("mindspore", "fast"), ("mindspore", "floor"), ("both", "conversion"),
    }  # fmt: skip
    assert all(len(row["seconds"]) == 1 and row["seconds"][0] > 0 for row in rows.values())
    assert rows["torch", "floor"]["operations"] == rows["mindspore", "floor"]["operations"] > 1e9
    assert all(rows[name, "network"]["peaks"][0] > 100 << 20 for name in ("torch", "mindspore"))
    assert {row["backend"]["framework"] for row in rows.values() if "backend" in row} == {"torch", "mindspore"}
    assert all(goal["reached"] is None for goal in result["goals"])  # the network is not the published one
    assert report.is_file() and report.with_suffix(".png").is_file() and report.with_suffix(".json").is_file()


def test_answers_are_lines_of_json(weights, monkeypatch, capfd):
    """Requests in, one line each out; what is printed meanwhile is not among them."""
    made = []

    def prepare(request):
        made.append(request)
        return lambda: print("noise") or {"operations": request["frames"]}

    lines = [json.dumps({"frames": n}) + "\n" for n in (1, 2, 1)]
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(lines)))
    monkeypatch.setattr(worker, "end_with_parent", lambda: None)
    out = sys.stdout
    code = worker.serve(prepare, lambda: {"framework": "none"}, lambda: None, lambda: 7)
    out.flush()
    assert code == 0 and made == [{"frames": 1}, {"frames": 2}]  # made ready once
    answers = [json.loads(line) for line in capfd.readouterr().out.splitlines() if line.startswith("{")]
    assert [answer["operations"] for answer in answers] == [1, 2, 1] and answers[0]["peak_bytes"] == 7


def test_a_process_that_fails_is_named(tmp_path, capfd):
    step = Step("torch", "network", "main", CLIP)
    with pytest.raises(PortError, match="torch network ended with exit code 3"):
        runs.carry_out({}, [step], tmp_path / "absent.safetensors", lambda name: "cpu")
    assert "absent.safetensors" in capfd.readouterr().err


@pytest.mark.parametrize("runs_before", [0, 1, 3])
def test_ctrl_c_sums_up_what_was_measured(runs_before, monkeypatch, tmp_path, capsys):
    """The first run warms up: until a second has ended there is nothing to sum up, and nothing is written."""

    class Stopped:
        done = 0

        def __init__(self, *given):
            pass

        def ask(self, request):
            Stopped.done += 1
            if Stopped.done > runs_before:
                raise KeyboardInterrupt
            return {"seconds": 1.0, "peak_bytes": 1}

        def close(self):
            pass

    monkeypatch.setattr(runs, "Worker", Stopped)
    monkeypatch.setattr(bench_cli, "prepared", lambda *given: (tmp_path, TTVSRConfig(64, 60)))
    report = tmp_path / "bench.md"
    flags = ["--only", "network,conversion", "--report", str(report), "--json", "--quiet"]
    assert cli.main(["bench", *flags]) == 130
    told = capsys.readouterr()
    partial = tmp_path / "bench-partial.md"
    assert "interrupted" in told.err and partial.is_file() is (runs_before == 3) and not report.exists()
    if runs_before == 3:
        assert "ended early" in partial.read_text() and json.loads(told.out)["stopped"] == "interrupted"
        assert [row["seconds"] for row in json.loads(told.out)["rows"]] == [[1.0]]


def test_a_process_that_dies_leaves_what_was_measured(monkeypatch, tmp_path, capsys):
    """For want of memory, say: an hour's figures are not thrown away, and the exit code says that it is not all.

    Those of a run that came to its end before stay where they are.
    """
    about = {"framework": "torch", "subject": "network", "place": "main", "frames": 2, "height": 64, "width": 64}

    def measure(rows, *given):
        rows["one"] = {**about, "seconds": [2.0], "peaks": [1]}
        raise PortError("the measurement of torch plain ended with exit code -9")

    monkeypatch.setattr(bench_cli, "measure", measure)
    monkeypatch.setattr(bench_cli, "prepared", lambda *given: (tmp_path, TTVSRConfig(64, 60)))
    report = tmp_path / "bench.md"
    report.write_text("of an hour")
    assert cli.main(["bench", "--report", str(report), "--json", "--quiet"]) == 3
    told = capsys.readouterr()
    assert json.loads(told.out)["rows"][0]["seconds"] == [2.0] and "exit code -9" in told.err
    page = (tmp_path / "bench-partial.md").read_text()
    assert "ended early" in page and "exit code -9" in page
    assert report.read_text() == "of an hour" and "bench.md is left alone" in told.err


def test_what_only_the_machine_says_of_itself_is_no_report(monkeypatch, tmp_path, capsys):
    """A device that is not there, say: the peaks of the other framework had been taken."""

    def measure(rows, *given):
        rows["one"] = {"framework": "torch", "subject": "peak", "place": "main", "seconds": [1.0], "peaks": [1]}
        raise PortError("device ascend is not available")

    monkeypatch.setattr(bench_cli, "measure", measure)
    monkeypatch.setattr(bench_cli, "prepared", lambda *given: (tmp_path, TTVSRConfig(64, 60)))
    assert cli.main(["bench", "--report", str(tmp_path / "bench.md"), "--quiet"]) == 3
    assert "ascend is not available" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_floors_in_doubt_end_in_3(monkeypatch, tmp_path, capsys):
    """With the figures, which were all taken, and what is wrong with them."""
    about = {"subject": "floor", "place": "main", "seconds": [1.0], "peaks": [1], "calls": 1, "kinds": 1, **CLIP}

    def measure(rows, *given):
        rows |= {name: {"framework": name, "operations": len(name), **about} for name in ("torch", "mindspore")}

    monkeypatch.setattr(bench_cli, "measure", measure)
    monkeypatch.setattr(bench_cli, "prepared", lambda *given: (tmp_path, TTVSRConfig(64, 60)))
    report = tmp_path / "bench.md"
    assert cli.main(["bench", "--only", "floor", "--report", str(report), "--json", "--quiet"]) == 3
    told = capsys.readouterr()
    assert "torch 5, mindspore 9" in told.err and not json.loads(told.out)["stopped"]
    assert "can be relied on" in report.read_text()


@pytest.mark.parametrize(("claim", "code", "word"), [("True", 0, "passed"), ("False", 1, "did NOT pass")])
def test_the_suite_is_timed(claim, code, word, monkeypatch, tmp_path, capfd):
    """As `make test` runs it, which is no process of ours; what it prints is no result, and if it fails that is no success."""
    own = tmp_path / "test_own.py"
    text = f"import os, time\n\ndef test_own():\n    time.sleep(0.3)\n    assert {claim} and {PARENT!r} not in os.environ\n"
    own.write_text(text, encoding="utf-8")
    monkeypatch.setattr(others, "SUITE", ("-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", str(own)))
    monkeypatch.setattr(bench_cli, "measure", lambda rows, *given: None)
    monkeypatch.setattr(bench_cli, "prepared", lambda *given: (tmp_path, TTVSRConfig(64, 60)))
    report = tmp_path / "bench.md"
    assert cli.main(["bench", "--only", "network", "--suite", "--report", str(report), "--json"]) == code
    told = capfd.readouterr()
    suite = json.loads(told.out)["suite"]
    assert suite["passed"] is (code == 0) and suite["seconds"] >= 0.3
    assert f"s and {word}." in report.read_text() and f"1 {'passed' if code == 0 else 'failed'}" in told.err


@pytest.mark.parametrize(
    ("flags", "code", "says"),
    [
        (["--fast", "tf32"], 2, "--fast tf32 needs --device cuda"),
        (["--fast", "winograd,channels_last"], 2, "exclude each other"),
        (["--fast", "compile"], 3, "there is no compiler 'no-such-g++'"),
        (["--fast", "compiled", "--frameworks", "torch"], 2, "--fast compiled is for mindspore, which is not measured"),
        (["--size", "180"], 2, "rows x columns"),
        (["--size", "32x320"], 2, "at least 64 both ways"),
        (["--frames", "1"], 2, "--frames must be at least 2, found 1"),
        (["--rounds", "0"], 2, "--rounds must be at least 1"),
        (["--train-frames", "1"], 2, "--train-frames must be at least 2"),
        (["--only", "network,flor"], 2, "no subject 'flor'"),
        (["--only", ","], 2, "names nothing"),
        (["--only", "network,fast"], 2, "--only fast: it takes the ways that --fast names"),
        (["--only", "half", "--frameworks", "mindspore"], 2, "--only half: it is PyTorch's"),
        (["--only", "plain", "--frameworks", "mindspore"], 2, "--only plain: it is PyTorch's"),
        (["--only", "conversion", "--frameworks", "torch"], 2, "--only conversion: it takes both frameworks"),
        (["--frameworks", "jax"], 2, "no framework 'jax'"),
        (["--frameworks", "mindspore", "--device", "cuda"], 2, "--device cuda is for torch"),
        (["--report", "bench.html"], 2, "ends in .md"),
        (["--report", "a_folder.md"], 3, "a_folder.md: it is a folder"),
        (["--report", "b.md"], 3, "b-partial.json: it is a folder"),
        (["--report", "w.bin/bench.md"], 3, "w.bin"),
        (["--weights", "net.ckpt"], 2, ".pth or .safetensors"),
        (["--weights", "absent.pth"], 3, "no weights file absent.pth"),
    ],
)
def test_mistakes_of_the_user(flags, code, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench_cli, "measure", None)  # nothing of these comes so far
    monkeypatch.setenv("CXX", "no-such-g++")
    (tmp_path / "a_folder.md").mkdir()
    (tmp_path / "b-partial.json").mkdir()
    (tmp_path / "w.bin").touch()
    assert cli.main(["bench", *flags]) == code
    assert says in capsys.readouterr().err


def test_a_missed_goal_ends_in_1(monkeypatch, tmp_path):
    monkeypatch.setattr(bench_cli, "measure", lambda *given: None)
    monkeypatch.setattr(bench_cli, "prepared", lambda *given: (tmp_path, TTVSRConfig(64, 60)))
    slow = {"framework": "both", "subject": "conversion", "place": "once", "frames": 1, "peaks": []}
    for seconds, code in ((0.5, 0), (1.5, 1)):
        monkeypatch.setattr(bench_cli, "time_conversion", lambda *given, s=seconds: {**slow, "seconds": [s]})
        assert cli.main(["bench"]) == code
