"""A column's engine: passes that add up, activations computed again, narrow numbers, and checkpoints of the other column."""

import sys

import numpy as np
import pytest

from parity_tests.ops.both import COLUMNS, make_weights
from port.errors import PortError
from port.models import ttvsr as facts
from port.train.loop import NET
from port.train.memory import KEEPING, made_batch, measure
from port.train.settings import load_preset
from port.weights import tensors_file
from port.weights.ttvsr import TTVSRConfig

# Two passes may differ from one by a fiftieth of what losing a pass would do, at each parameter. Rounding does less on every
# machine: 2e-6 of a gradient in PyTorch with one thread, 1e-4 to 1.1e-3 with two (AVX2, AVX-512; the flow network's gradients
# are small differences of large numbers), 6e-7 in MindSpore.
PART = 0.02
# Rounding of float32: at most 3.2e-7 of a gradient was seen. What is lost or taken twice shows in the first digit.
COMPILED = 1e-5
WATCHED = ("net/conv_last.weight", "net/spynet.basic_module.5.basic_module.4.conv.weight", "net/LTAM.fusion.weight")


@pytest.fixture(autouse=True)
def small_patches(monkeypatch):
    monkeypatch.setattr(facts, "MIN_SIZE", 16)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("engine") / "weights.safetensors"
    tensors_file.write(path, make_weights(TTVSRConfig(4, 1), 3))
    return path


def settings(*changes):
    return load_preset("tiny").changed(["patch=16", "frames=2", "frozen=0", "warmup=0", *changes])


def engine(side, weights, *changes):
    return side.module("train").Engine(settings(*changes), weights, 1)


def gradients(side, made):
    """By the reference's names, of what was added so far."""
    held = made.moving if side.name == "torch" else made.gradients
    arrays = [side.array(p.grad if side.name == "torch" else p) for p in held]
    return {made.names[id(p)]: array for p, array in zip(made.moving, arrays, strict=True)}


@pytest.mark.slow
def test_two_passes_are_one_of_twice_the_size(side, weights):
    lq, gt = made_batch(settings("batch=2"))
    whole, parts = engine(side, weights, "batch=2"), engine(side, weights, "accumulate=2")
    loss = whole.add_gradients(lq, gt, last=True)
    halves = [parts.add_gradients(lq[:1], gt[:1], last=False)]
    first = gradients(side, parts)
    halves.append(parts.add_gradients(lq[1:], gt[1:], last=True))
    assert np.mean(halves) == pytest.approx(loss, rel=1e-6) and halves[0] != halves[1]
    one, other = gradients(side, whole), gradients(side, parts)
    assert first.keys() == one.keys() == other.keys() and len(one) == 100  # every parameter of this network
    for name, gradient in one.items():
        apart, lost, size = (np.linalg.norm(array) for array in (other[name] - gradient, first[name] - gradient, gradient))
        assert apart <= PART * lost and 0.1 * size < lost, (name, apart / size, lost / size)
    assert parts.norm() == pytest.approx(whole.norm(), rel=PART)
    expected = np.sqrt(sum(np.sum(np.square(gradient, dtype=np.float64)) for gradient in one.values()))
    assert whole.norm() == pytest.approx(expected, rel=1e-6)


@pytest.mark.slow
def test_activations_computed_again_give_the_same_bits(side, weights):
    """Three frames: at the last one the attention looks at two keyframes, of which the second came after the first look."""
    lq, gt = made_batch(settings("frames=3"))
    found = []
    for recompute in ("false", "true"):
        made = engine(side, weights, f"recompute={recompute}", "compiled=false")
        calls = count_calls(made.net.resblocks.main)
        found.append((made.add_gradients(lq, gt, last=True), gradients(side, made), calls[0]))
    (loss, one, once), (again, other, twice) = found
    assert twice == 2 * once > 0  # it was computed again
    assert again == loss
    assert all(np.array_equal(other[name], one[name]) for name in one)


@pytest.mark.slow
def test_compiled_parts_give_the_gradients_of_single_operations(weights):
    """Of every parameter. Between two passes that changes which compiled parts may have kept: the flow network thaws, weights
    are others, and a clip of another size is upscaled."""
    side, found = COLUMNS["ms_model"](), []
    lq, gt = made_batch(settings("frames=3"))
    for compiled in ("true", "false"):
        made = engine(side, weights, "frozen=1", f"compiled={compiled}")
        assert ("construct" in vars(made.net.resblocks)) is (compiled == "true")
        first = made.add_gradients(lq, gt, last=True)
        assert len(gradients(side, made)) == 40
        made.step()
        made.restore(other_weights(weights, made), made.counts())
        picture = made.upscale(np.concatenate([lq, lq], axis=4)[:, :2])
        found.append((first, made.add_gradients(lq, gt, last=True), picture, gradients(side, made)))
    (first, loss, picture, one), (_, again, other_picture, other) = found
    assert len(one) == 100 and first != loss == pytest.approx(again, rel=1e-6)
    assert np.abs(picture - other_picture).max() <= COMPILED
    for name, gradient in other.items():
        assert np.linalg.norm(one[name] - gradient) <= COMPILED * np.linalg.norm(gradient), name


@pytest.mark.slow
def test_an_engine_that_has_run_can_be_set_back(side, weights):
    """The step after is that of an engine which has not run: weights, moments and the count of steps are those restored."""
    lq, gt = made_batch(settings())
    made = engine(side, weights)
    steps(made, lq, gt, 1)
    held, counts = made.tensors(), made.counts()
    steps(made, lq, gt, 2)
    assert any(not np.array_equal(made.tensors()[name], array) for name, array in held.items())
    ends = []
    for one in (made, engine(side, weights)):
        one.restore(held, counts)
        steps(one, lq, gt, 1)
        ends.append(one.tensors())
    for name, array in ends[1].items():
        assert np.linalg.norm(ends[0][name] - array) <= PART * np.linalg.norm(array - held[name]), name


def steps(made, lq, gt, count):
    for _ in range(count):
        made.add_gradients(lq, gt, last=True)
        made.step()


def other_weights(weights, made):
    """A checkpoint's tensors with the weights of the file changed, the same for every engine, and no moments."""
    drawn = make_weights(TTVSRConfig(4, 1), 4)
    return {
        name: drawn.get(name.removeprefix(NET), array) if name.startswith(NET) else np.zeros_like(array)
        for name, array in made.tensors().items()
    }


def count_calls(part):
    """How often the part is called from now on."""
    calls, name = [0], "forward" if hasattr(part, "forward") else "construct"
    inner = getattr(part, name)

    def counted(*inputs):
        calls[0] += 1
        return inner(*inputs)

    setattr(part, name, counted)
    return calls


def test_bfloat16_where_there_is_a_kernel(side, weights):
    if side.name == "mindspore":
        with pytest.raises(
            PortError, match=r"MindSpore has no bfloat16 convolution on CPU\. Use --set precision=float32"
        ):
            engine(side, weights, "precision=bfloat16")
        return
    lq, gt = made_batch(settings())
    wide, narrow = (
        engine(side, weights, f"precision={name}").add_gradients(lq, gt, True) for name in ("float32", "bfloat16")
    )
    assert narrow != wide
    assert narrow == pytest.approx(wide, rel=2**-6)  # eight bits of a mantissa, through a dozen layers


@pytest.mark.slow
def test_a_checkpoint_of_one_column_goes_on_in_the_other(weights):
    """Adam's moments and counts mean the same: the step after is the one that the writer itself takes. There and back."""
    reference, port = (COLUMNS[name]() for name in COLUMNS)
    lq, gt = made_batch(settings())
    writer = engine(reference, weights, "frozen=1", "rate=1e-3")
    for _ in range(2):
        writer.add_gradients(lq, gt, last=True)
        writer.step()
    for steps, side in ((2, port), (3, reference)):
        reader = engine(side, weights, "frozen=1", "rate=1e-3")
        reader.restore(writer.tensors(), writer.counts())
        assert reader.counts() == writer.counts() == {"taken": steps, "steps": [steps, steps - 1]}
        before = writer.tensors()
        assert reader.tensors().keys() == before.keys()
        for each in (writer, reader):
            each.add_gradients(lq, gt, last=True)
            each.step()
        one, other = writer.tensors(), reader.tensors()
        for name in WATCHED:
            moved = np.linalg.norm(one[name] - before[name])
            # a step without the moments, or counted from 1, is another by half its length
            assert np.linalg.norm(other[name] - one[name]) < 0.01 * moved, name
        writer = reader


def test_a_step_left_out_moves_nothing_but_the_schedule(side, weights):
    made, (lq, gt) = engine(side, weights, "period=10"), made_batch(settings())
    before, rate = made.tensors(), made.rate()
    made.add_gradients(lq, gt, last=True)
    norm = made.norm()
    made.skip()
    assert made.rate() < rate and made.counts() == {"taken": 1, "steps": [0, 0]}
    assert all(np.array_equal(array, before[name]) for name, array in made.tensors().items())
    made.add_gradients(lq, gt, last=True)
    assert made.norm() == norm > 0  # nothing is left of the gradients of before


@pytest.mark.parametrize("asked", [("kept",), ("again",), tuple(KEEPING)])
def test_memory_is_measured_in_the_ways_that_were_asked_for(tmp_path, asked):
    """A stand-in for the pass, which says what settings it was started with."""
    code = "import json, sys; print(json.dumps({'told': json.loads(sys.argv[1])['recompute']}))"
    settings = load_preset("tiny").changed(["recompute=true"])
    rows = measure(settings, tmp_path, ["torch_ref"], lambda column: [sys.executable, "-c", code], asked)
    assert [(row["recompute"], row["told"]) for row in rows] == [(KEEPING[way],) * 2 for way in asked]
