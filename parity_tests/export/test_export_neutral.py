"""What `export` does apart from any framework: shapes, manifest, recurrence, verdict. The parts here are a few numpy lines."""

import json

import numpy as np
import pytest

from port.errors import PortError, UsageError, run_command
from port.export.check import DECISIONS, VALUES, Row, compare, judge, made_clip
from port.export.command import Column, export_arguments, run_export
from port.export.driver import Driver, check_clip
from port.export.manifest import NAME, read_manifest, write_manifest
from port.export.parts import Sizes, dtype_of, parts_of
from port.export.run import run_arguments, run_parts
from port.files import whole_folder

SIZES = Sizes(
    width=72, height=66, mid_channels=2, num_blocks=1, token_stride=4, keyframe_stride=2, keyframes=3
)  # fmt: skip
ROWS, COLUMNS = 16, 18


class FakeParts:
    """Parts that keep what they are given; features and tokens are the number of the frame they belong to."""

    def __init__(self):
        self.calls, self.numbers = [], iter(range(100))

    def __call__(self, name, *inputs):
        part = parts_of(SIZES)[name]
        found = {entry: (np.shape(x), str(np.asarray(x).dtype)) for entry, x in zip(part.inputs, inputs, strict=True)}
        assert found == {entry: (shape, dtype_of(entry)) for entry, shape in part.inputs.items()}
        self.calls.append((name, [np.array(x) for x in inputs]))
        outputs = [np.zeros(shape, dtype_of(entry)) for entry, shape in part.outputs.items()]
        if name == "features":
            outputs[0] += next(self.numbers)
        if name == "tokens":
            outputs = [x + inputs[0].flat[0] for x in outputs]
        if name == "follow":
            outputs[1] = inputs[2]
        return tuple(outputs)

    def of(self, name):
        return [inputs for called, inputs in self.calls if called == name]


def clip(t, width=SIZES.width, height=SIZES.height):
    return np.random.default_rng(0).random((1, t, 3, height, width), dtype=np.float32)


def test_the_recurrence_gives_each_step_the_keyframes_before_it():
    parts = FakeParts()
    output = Driver(SIZES, parts)(clip(6))
    assert output.shape == (1, 6, 3, 264, 288)
    # backward keyframes are 5, 3, 1; forward ones 0, 2, 4. Filled from the front, zero behind.
    counts = [int(inputs[-1][0]) for inputs in parts.of("attention")]
    assert counts == [1, 1, 2, 2, 3, 1, 1, 2, 2, 3]
    last = parts.of("attention")[4]
    assert last[0].flat[0] == 0  # frame 0
    assert last[2].reshape(3, -1)[:, 0].tolist() == [5, 3, 1]
    second = parts.of("attention")[1]
    assert second[2].reshape(3, -1)[:, 0].tolist() == [5, 0, 0]
    locations = last[6]
    assert locations[0, 4].tolist() == [list(range(COLUMNS))] * ROWS  # x of the newest keyframe, then its y
    assert locations[0, 5, :, 0].tolist() == list(range(ROWS))
    assert not second[6][0, 2:].any()


def test_a_mirrored_clip_needs_flows_of_one_direction():
    half = clip(2)
    parts = FakeParts()
    Driver(SIZES, parts)(np.concatenate([half, half[:, ::-1]], axis=1))
    assert len(parts.of("flow")) == 3
    parts = FakeParts()
    Driver(SIZES, parts)(clip(4))
    assert len(parts.of("flow")) == 6


def test_one_frame_needs_neither_flow_nor_attention():
    parts = FakeParts()
    Driver(SIZES, parts)(clip(1))
    assert {name for name, _ in parts.calls} == {"features", "trunk", "upsample"}


def test_clips_that_do_not_fit_are_refused():
    assert SIZES.max_frames == 7
    check_clip((1, 7, 3, 66, 72), SIZES)
    with pytest.raises(PortError, match=r"8 frames, hence 4 keyframes; .* room for 3 .* --keyframes 4"):
        check_clip((1, 8, 3, 66, 72), SIZES)
    with pytest.raises(PortError, match=r"the clip is 66x72, .* exported for 72x66.*--size 66x72"):
        Driver(SIZES, FakeParts())(clip(2, width=66, height=72))


@pytest.mark.parametrize("wrong", [{"keyframes": 0}, {"width": 60}, {"token_stride": 6}, {"height": "64"}])
def test_sizes_that_cannot_be(wrong):
    with pytest.raises(PortError):
        Sizes(**(vars(SIZES) | wrong))


# -------------------------------------------------------------------------------------------------------- the manifest


@pytest.fixture
def folder(tmp_path):
    """An export of seven small files."""
    (tmp_path / "w.bin").write_bytes(b"weights")
    files = {name: tmp_path / "parts" / f"{name}.fake" for name in parts_of(SIZES)}
    (tmp_path / "parts").mkdir()
    for name, path in files.items():
        path.write_text(name)
    write_manifest(tmp_path / "parts", "mindir", SIZES, files, tmp_path / "w.bin", {"version": "0"})
    return tmp_path / "parts"


def edit(folder, change):
    data = json.loads((folder / NAME).read_text())
    change(data)
    (folder / NAME).write_text(json.dumps(data))


def test_manifest_comes_back(folder):
    export = read_manifest(folder, "mindir")
    assert export.sizes == SIZES
    assert export.files == {name: folder / f"{name}.fake" for name in parts_of(SIZES)}
    described = json.loads((folder / NAME).read_text())["parts"]["attention"]
    assert described["inputs"]["index"] == {"shape": [3 * ROWS * COLUMNS, 32], "dtype": "float32"}
    assert described["inputs"]["count"] == {"shape": [1], "dtype": "int32"}


WRONG = {
    "a bit": (lambda f: (f / "trunk.fake").write_text("trunj"), r"trunk\.fake is damaged: .* expected"),
    "gone": (lambda f: (f / "flow.fake").unlink(), r"the part 'flow' is missing"),
    "version": (lambda f: edit(f, lambda d: d.update(schema=2)), r"is of version 2, expected 1\. Export the weights again"),
    "format": (lambda f: edit(f, lambda d: d.update(format="onnx")), r"format 'onnx', expected 'mindir'"),
    "a size": (lambda f: edit(f, lambda d: d["sizes"].pop("keyframes")), r"not complete: 'keyframes' is missing"),
    "a part": (lambda f: edit(f, lambda d: d["parts"].pop("tokens")), r"not complete: 'tokens'"),
    "outside": (lambda f: edit(f, lambda d: d["parts"]["flow"].update(file="../w.bin")), r"'\.\./w\.bin' .* no file name"),
    "no JSON": (lambda f: (f / NAME).write_text("{"), r"cannot read .*manifest\.json"),
    "a list": (lambda f: (f / NAME).write_text("[]"), r"is no manifest"),
    "no manifest": (lambda f: (f / NAME).unlink(), r"there is no .*manifest\.json"),
}  # fmt: skip


@pytest.mark.parametrize("how", WRONG)
def test_wrong_exports_are_refused(how, folder, capsys):
    damage, message = WRONG[how]
    damage(folder)
    with pytest.raises(PortError, match=message):
        read_manifest(folder, "mindir")
    args = run_arguments("run_exported", [str(folder), "--input", "clip", "--output", str(folder.parent / "out")])
    assert run_command(lambda: run_parts(args, "mindir", None, dict)) == 3
    assert "Traceback" not in capsys.readouterr().err and not (folder.parent / "out").exists()


def test_a_folder_is_written_whole_or_not_at_all(tmp_path):
    with pytest.raises(ZeroDivisionError), whole_folder(tmp_path / "out") as draft:
        (draft / "a").write_text("a")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    with whole_folder(tmp_path / "out") as draft:
        (draft / "a").write_text("a")
        assert not (tmp_path / "out").exists()
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "a"]
    with pytest.raises(PortError, match="exists"), whole_folder(tmp_path / "out"):
        pass


# --------------------------------------------------------------------------------------------------------- the verdict


def shown(shift=0.0, decision=0, drop=None):
    """Two places of every value."""
    values = {name: {f"bwd.0{i}": np.ones((2, 2), np.float32) for i in range(2)} for name in VALUES}
    values |= {name: {f"bwd.0{i}": np.ones((2, 2), np.int32) for i in range(2)} for name in DECISIONS}
    values["feat_prop"]["bwd.01"][0, 0] += np.float32(shift)
    values["argmax"]["bwd.00"][1, 1] += decision
    if drop:
        values[drop].pop("bwd.01")
    return values


FRAMES = np.ones((2, 3, 8, 8), np.float32)


@pytest.mark.parametrize(
    ("changes", "exact", "reason"),
    [
        ({}, True, None),
        ({"shift": 1e-6}, True, "feat_prop: 1 of 8 differ"),
        ({"shift": 1e-6}, False, None),
        ({"decision": 1}, False, "argmax: 1 of 8 differ"),
        ({"drop": "location"}, False, "location: 1 places lack it or have another shape"),
    ],
)
def test_verdict(changes, exact, reason):
    reasons = judge(compare(shown(), shown(**changes)), (FRAMES, FRAMES.copy()), exact)
    assert reasons == ([reason] if reason else [])


def test_verdict_sees_frames_and_values_never_shown():
    rows = compare(shown(), shown())
    (reason,) = judge(rows, (FRAMES, FRAMES + np.float32(1e-4)), False)
    assert reason.startswith("frames agree to 80.0")
    assert judge([*rows, Row("argmax", 0, 0, None, 0)], (FRAMES, FRAMES), True) == ["argmax was never shown"]


def test_nan_is_a_difference():
    assert compare(shown(), shown(shift=np.nan))[VALUES.index("feat_prop")].differing == 1
    assert judge(compare(shown(), shown()), (FRAMES, FRAMES * np.nan), False)


def test_the_made_clip_moves():
    made = made_clip(SIZES)
    assert made.shape == (1, 7, 3, 66, 72) and made.dtype == np.float32 and 0 <= made.min() < made.max() <= 1
    moved = np.abs(made[0, 1, :, :-1, :-2] - made[0, 0, :, 1:, 2:]).mean()
    assert moved < 0.5 * np.abs(made[0, 1] - made[0, 0]).mean()


# ----------------------------------------------------------------------------------------------------- the command line


class FakeNet:
    """As much of a network as the command looks at."""

    mid_channels = 2

    class resblocks:
        main = (None, None, (None,))


def fake_column(write):
    def enlarge(net, lrs, probe):
        return Driver(SIZES, FakeParts())(lrs, probe)

    return Column(
        "fake", True, lambda args: FakeNet, write, enlarge, np.asarray, lambda e: Driver(e.sizes, FakeParts()), dict
    )


def command(tmp_path, *flags):
    (tmp_path / "w.bin").write_bytes(b"weights")
    words = ["--weights", tmp_path / "w.bin", "--size", "72x66", "--keyframe-stride", "2", "--keyframes", "3"]
    return export_arguments("export", [str(x) for x in (*words, "--out", tmp_path / "out", *flags)])


def test_export_stops_without_a_trace(tmp_path, capsys):
    def write(net, name, part, path):
        if name == "trunk":
            raise PortError("the part 'trunk' is refused")
        path.write_text(name)

    args = command(tmp_path)
    assert run_command(lambda: run_export(args, fake_column(write))) == 3
    assert "'trunk' is refused" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["w.bin"]


def test_export_checks_and_says_so_by_its_exit_code(tmp_path, capsys):
    column = fake_column(lambda net, name, part, path: path.write_text(name))
    args = command(tmp_path, "--check", "--json")
    assert run_export(args, column) == 0
    assert json.loads(capsys.readouterr().out)["check"]["bit_equal"] is True
    other = Column(**(vars(column) | {"enlarge": lambda net, lrs, probe: Driver(SIZES, FakeParts())(lrs) + 1}))
    args = command(tmp_path, "--check", "--out", str(tmp_path / "other"))
    assert run_export(args, other) == 1
    assert "NOT equal" in capsys.readouterr().out


@pytest.mark.parametrize("size", ["64", "64x", "0x64", "64x64x3", "-64x64", "64 x 64"])
def test_sizes_are_read_strictly(size, tmp_path):
    with pytest.raises(SystemExit) as stop:
        export_arguments("export", ["--weights", "w", "--size", size, "--out", "o"])
    assert stop.value.code == UsageError.exit_code
