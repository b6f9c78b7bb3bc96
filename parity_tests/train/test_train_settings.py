"""Presets and `--set`: the published values, and what is refused with which words."""

import pytest

from port.errors import UsageError
from port.train.schedule import rate_at
from port.train.settings import FREE, TYPES, from_data, load_preset, preset_names


def test_the_presets_are_the_published_recipes():
    reds, vimeo = load_preset("ttvsr_reds"), load_preset("ttvsr_vimeo")
    assert (reds.mid_channels, reds.num_blocks, reds.token_stride, reds.keyframe_stride) == (64, 60, 4, 3)
    assert (reds.frames, reds.patch, reds.batch, reds.reverse, reds.flip, reds.mirror) == (50, 64, 2, 0.5, 0.5, 0)
    assert (reds.rate, reds.last_rate, reds.flow_rate, reds.beta1, reds.beta2) == (2e-4, 1e-7, 0.125, 0.9, 0.99)
    assert (reds.iterations, reds.period, reds.frozen, reds.warmup) == (400_000, 400_000, 5_000, 0)
    assert (vimeo.dataset, vimeo.degradation, vimeo.frames, vimeo.mirror, vimeo.reverse) == (
        "vimeo90k",
        "BD",
        7,
        2,
        0.0,
    )
    assert preset_names() == ["tiny", "ttvsr_reds", "ttvsr_vimeo"]


def test_values_are_read_as_the_type_of_their_key():
    changed = load_preset("tiny").changed(["rate=1e-3", "batch=4", "recompute=true", "dataset=reds", "spike=5"])
    assert (changed.rate, changed.batch, changed.recompute, changed.dataset, changed.spike) == (
        1e-3,
        4,
        True,
        "reds",
        5.0,
    )
    assert from_data({"rate": 1}, "here").rate == 1.0


REFUSED = {
    "iteratons=5": r"no setting 'iteratons' \(nearest: iterations\)",
    "learning_rate=5": r"no setting 'learning_rate'",
    "batch=two": "batch must be a whole number, found 'two'",
    "batch=2.5": "batch must be a whole number, found '2.5'",
    "rate=fast": "rate must be a number, found 'fast'",
    "recompute=1": "recompute must be true or false, found '1'",
    "batch": "takes key=value, found 'batch'",
    "batch=0": "batch must be at least 1, found 0",
    "rate=nan": "rate must be at least 0, found nan",
    "rate=inf": "rate must be at least 0, found inf",
    "patch=32": "patch must be at least 64, found 32",
    "frames=1": "frames must be at least 2, found 1",
    "flip=1.5": "flip must lie between 0 and 1, found 1.5",
    "precision=float16": "precision must be one of float32, bfloat16, found 'float16'",
    "on_spike=stop": "on_spike must be one of warn, skip",
}


@pytest.mark.parametrize("pair", REFUSED)
def test_refused(pair):
    with pytest.raises(UsageError, match=REFUSED[pair]):
        load_preset("tiny").changed([pair])


def test_wrong_presets(tmp_path):
    with pytest.raises(UsageError, match=r"no preset 'ttvsr_red' \(nearest: ttvsr_reds\)"):
        load_preset("ttvsr_red")
    mine = tmp_path / "mine.toml"
    mine.write_text('batch = "2"\n')
    with pytest.raises(UsageError, match=r"mine.toml: batch must be a whole number, found '2' \(str\)"):
        load_preset(str(mine))
    mine.write_text("batch: 2\n")
    with pytest.raises(UsageError, match=r"mine\.toml is no TOML"):
        load_preset(str(mine))
    mine.write_text("batch = 3\n")
    assert load_preset(str(mine)).batch == 3


def test_what_may_change_when_a_run_goes_on():
    tiny = load_preset("tiny")
    assert tiny.changed(["save_every=7", "iterations=9"]).difference(tiny) == []
    assert tiny.changed(["rate=1.0"]).difference(tiny) == ["rate: 1.0, was 0.0002"]
    assert not FREE - TYPES.keys()


def test_the_schedule_by_hand():
    """One half-cosine: the mean at half way, the last rate at the end and after; warm-up by equal shares."""
    full, last = 2e-4, 1e-7
    assert rate_at(0, full, last, 100) == full
    assert rate_at(50, full, last, 100) == pytest.approx((full + last) / 2, rel=1e-12)
    assert rate_at(100, full, last, 100) == rate_at(150, full, last, 100) == last
    assert rate_at(25, full, last, 100) == pytest.approx(last + (full - last) * (1 + 0.5**0.5) / 2, rel=1e-12)
    assert rate_at(0, full, last, 100, warmup=4) == full / 4
    assert rate_at(3, full, last, 100, warmup=4) == rate_at(3, full, last, 100)
