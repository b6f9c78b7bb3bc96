"""The comparison on traces made by hand: nothing wrong may pass, nothing uncompared may count."""

import numpy as np
import pytest

from port.parity import compare, tolerance
from port.parity.measure import error_ratio
from port.parity.trace import Trace, TraceWriter

LIMITS = tolerance.load()
SOURCES = {"token_s2": "LTAM.tokenize"}
SHAPE = (1, 4, 20, 20)  # 1600 elements: more than are sampled


@pytest.fixture
def values():
    rng = np.random.default_rng(0)
    names = ("a:in0", "a:out", "b.0.c:in0", "b.0.c:out", "token_s2")
    return {name: rng.standard_normal(SHAPE) for name in names}


@pytest.fixture
def traced(tmp_path):
    """Write values as a trace. Sites of step bwd.00; whole unless said otherwise."""

    def write(name, values, whole=True, **about):
        writer = TraceWriter(tmp_path / name, 10**9)
        for site, array in values.items():
            kind = "input" if ":in" in site else "output" if ":out" in site else "value"
            writer.add(f"bwd.00/{site}", kind, array, whole)
        writer.finish(None, error=None, **about) if "error" not in about else writer.finish(None, **about)
        return Trace(tmp_path / name)

    return write


def as_float32(values):
    return {name: array.astype(np.float32) for name, array in values.items()}


def rounded(values, seed, size=1e-7):
    """float32 with an error of its own, like another summation order."""
    rng = np.random.default_rng(seed)
    return {
        name: (array * (1 + size * rng.standard_normal(array.shape))).astype(np.float32)
        for name, array in values.items()
    }


@pytest.fixture
def compared(traced, values):
    """(modules stage, accumulated stage) of a port against the reference of `values`."""

    def run(port, reference=None, **about):
        ref = traced("reference", reference or rounded(values, 1))
        truth = traced("float64", values)
        trace = traced("port", port, **about)
        modules = compare.compare_modules(ref, truth, truth, trace, LIMITS, SOURCES)
        return modules, compare.compare_accumulated(ref, truth, trace, LIMITS, SOURCES)

    return run


def test_rounding_passes(compared, values):
    modules, accumulated = compared(rounded(values, 2))
    assert modules.passed and accumulated.passed
    assert len(modules.rows) == len(accumulated.rows) == len(values)
    assert 0 < modules.worst(lambda row: row.relative).relative < 2e-5


@pytest.mark.parametrize("stage", [0, 1])
@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda x: x[..., :-1], "shape"),
        (lambda x: x.astype(np.float64), "type float64 in the port"),
        (lambda x: x.astype(np.float16), "type float16 in the port"),
        (lambda x: np.where(x == x.max(), np.nan, x), "1 NaN or infinite values in the port"),
        (lambda x: np.where(x == x.max(), np.inf, x), "1 NaN or infinite values in the port"),
        (lambda x: x * np.float32(1 + 1e-4), ""),
        (lambda x: x + np.float32(1e-3), ""),
        (lambda x: np.roll(x, 1, axis=3), ""),
        (lambda x: x[:, ::-1], ""),
        (lambda x: x.astype(np.float16).astype(np.float32), ""),
        (lambda x: np.zeros_like(x), ""),
        (lambda x: np.concatenate([np.zeros_like(x[:, :, :1]), x[:, :, 1:]], axis=2), ""),
    ],
)
def test_each_wrong_value_fails(stage, spoil, words, compared, values):
    """Also those that a mean, a cosine or a maximum over samples would let pass: a permutation, one border row, half."""
    port = rounded(values, 2)
    port["a:out"] = spoil(port["a:out"])
    result = compared(port)[stage]
    assert not result.passed
    assert [row.site for row in result.failing] == ["bwd.00/a:out"]
    assert words in result.failing[0].reason


def test_missing_and_extra_sites_fail(compared, values):
    port = rounded(values, 2)
    port["d:out"] = port.pop("b.0.c:out")
    for stage in compared(port):
        assert {row.site: row.reason for row in stage.failing} == {
            "bwd.00/b.0.c:out": "missing in the port",
            "bwd.00/d:out": "only in the port",
        }


def test_nan_in_the_reference_fails(compared, values):
    reference = rounded(values, 1)
    reference["a:out"][0, 0, 0, 0] = np.nan
    modules, accumulated = compared(reference, reference)
    assert not modules.passed and not accumulated.passed  # though both sides hold the very same values


def test_empty_values_and_empty_comparisons_fail(compared, values, traced):
    empty = {"a:out": np.zeros((0, 3), np.float32)}
    modules, accumulated = compared(empty, empty)
    assert "empty" in modules.failing[0].reason and "empty" in accumulated.failing[0].reason
    assert not compare.Stage("nothing", "").passed


def test_a_run_that_broke_off_fails(compared, values):
    modules, _ = compared(rounded(values, 2), error="RuntimeError in step bwd.00: out of memory")
    assert modules.failing == [] and not modules.passed
    assert modules.summary(lambda row: row.relative)["broke_off"].startswith("RuntimeError")


def test_an_unstable_reference_excuses_nothing(traced, values):
    """Ten times a large error would let anything pass."""
    reference = rounded(values, 1, size=0.1)
    port = traced("port", rounded(values, 2, size=0.1))
    stage = compare.compare_accumulated(
        traced("reference", reference), traced("float64", values), port, LIMITS, SOURCES
    )
    assert not stage.passed and "not stable here" in stage.failing[0].reason


def test_compiled_frames_are_compared_in_full(tmp_path):
    """One wrong pixel of many, at a place that is not sampled."""
    frames = np.random.default_rng(0).random((1, 3, 64, 64)).astype(np.float32)
    wrong = frames.copy()
    wrong[0, 0, 0, 0] += 1e-3
    for name, output in (("imposed", frames), ("compiled", wrong)):
        writer = TraceWriter(tmp_path / name, 10**9)
        writer.add("up.00/v", "value", frames, whole=False)
        writer.finish(output, error=None)
    imposed, compiled = Trace(tmp_path / "imposed"), Trace(tmp_path / "compiled")
    stage = compare.compare_compiled(imposed, imposed, imposed, compiled, LIMITS, SOURCES)
    assert [row.site for row in stage.failing] == ["end/frames"]


def test_who_is_blamed():
    called = frozenset({"b", "b.0.c"})
    blame = lambda site: compare.module_of(site, called, SOURCES)  # noqa: E731
    assert blame("bwd.03/b.0.c:out#2") == "b.0.c"
    assert blame("bwd.03/b.0.c:in1") == "b"  # b.0 is a list: never called
    assert blame("flows/b:in0") == "the network"
    assert blame("bwd.03/token_s2#1") == "LTAM.tokenize"
    assert blame("bwd.03/unheard_of") == "unheard_of"


def test_sites_not_stored_whole_are_listed_as_skipped(traced, values):
    reference = traced("reference", rounded(values, 1), whole=False)
    port = traced("port", rounded(values, 2), whole=False)
    exact = traced("float64", values)
    stage = compare.compare_modules(reference, exact, exact, port, LIMITS, SOURCES)
    assert len(stage.skipped) == len(values) and not stage.rows
    assert not stage.passed  # nothing compared is not a pass


def test_coverage_counts_what_has_a_number(compared, values):
    port = rounded(values, 2)
    del port["a:in0"]
    result = compare.coverage(*compared(port))
    assert (result["sites_total"], result["sites_compared"]) == (5, 4)
    assert result["skipped"] == [{"reason": "missing in the port", "count": 1, "sites": ["bwd.00/a:in0"]}]


@pytest.mark.parametrize(
    "own, error, passes", [(4e-5, 1.2e-4, True), (4e-5, 4e-4, False), (0.0, 3e-5, False), (1e-6, 3e-5, False)]
)
def test_what_counts_is_the_reference_s_own_error(traced, values, own, error, passes):
    """Beyond any fixed limit a module passes where the reference itself rounds that far off, and nowhere else."""
    exact = {"a:out": values["a:out"]}
    away = lambda size: {"a:out": (exact["a:out"] + size * np.sign(exact["a:out"])).astype(np.float32)}  # noqa: E731
    reference, port, truth = traced("reference", away(own)), traced("port", away(-error)), traced("float64", exact)
    stage = compare.compare_modules(reference, truth, truth, port, LIMITS, SOURCES)
    assert stage.passed == passes
    beside = stage.summary(lambda row: row.ratio)["beside"]
    assert beside[0] == {"rule": "max|a-b| <= 2e-05 x rms", "passed": 0}  # told beside the verdict


def test_values_not_computed_again_in_float64_are_listed_as_skipped(traced, values):
    """Only decisions, and what is missing or of another shape, are judged without truth."""
    reference, exact = traced("reference", rounded(values, 1)), traced("exact", {"a:out": values["a:out"]})
    port = rounded(values, 2)
    del port["a:in0"]
    stage = compare.compare_modules(reference, exact, exact, traced("port", port), LIMITS, SOURCES)
    assert {row.site: row.reason for row in stage.rows} == {
        "bwd.00/a:in0": "missing in the port", "bwd.00/a:out": None,
    }  # fmt: skip
    assert {site for site, _ in stage.skipped} == {"bwd.00/b.0.c:in0", "bwd.00/b.0.c:out", "bwd.00/token_s2"}


def test_error_ratio_is_against_truth_and_has_a_floor():
    truth = np.ones(100)
    assert error_ratio(truth + 1e-6, truth + 3e-6, truth, 4.0) == pytest.approx(3.0)
    assert error_ratio(truth, truth + 4 * np.finfo(np.float32).eps, truth, 4.0) == pytest.approx(1.0)
    assert error_ratio(np.zeros(3), np.full(3, 1e-30), np.zeros(3), 4.0) == np.inf


def test_every_limit_comes_with_its_reason():
    """Each key of tolerances.toml has a comment above it, in its own table."""
    lines = tolerance.FILE.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if "=" in line and not line.startswith("#"):
            assert lines[number - 1].startswith("#"), line
