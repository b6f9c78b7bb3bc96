"""torch_ref reproduces every golden case, within the agreement that the cases state."""

import pytest
import torch

from parity_tests.golden import agreement
from parity_tests.golden.cases import (
    BESIDE,
    OFFICIAL,
    OWN,
    OWN_TRAINING,
    SHARED,
    SMALLEST_SHARE,
    TRAINING,
    is_there,
    load_case,
)
from parity_tests.golden.training import LOSS_FLOOR, train, training_shares
from port.models.tokens import averages


def beside(name):
    """A case that may be absent: skipped with the reason."""
    reason = f"golden case {name} is not in {SHARED} (set PORT_GOLDEN to its folder)"
    marks = [pytest.mark.shared, pytest.mark.skipif(not is_there(name), reason=reason)]
    return pytest.param(name, marks=[*marks, pytest.mark.slow] if name in ("full", *TRAINING) else marks)


@pytest.mark.parametrize("name", [*OFFICIAL, *OWN, *map(beside, BESIDE)])
def test_forward(name):
    found = agreement.measure(load_case(name))
    assert "output" in found and "flows_backward" in found
    for row in found.values():
        if row.allowed is None:
            assert row.differing <= (1 - SMALLEST_SHARE) * row.elements, f"{row.kind}: {row.differing} choices differ"
        else:
            assert row.max_abs <= row.allowed, f"{row.kind}: {row.max_abs:.3g}, allowed {row.allowed:.3g}"


def no_attention(self, query, anchor, keyframes, locations):
    return anchor


def newest_keyframe(self, query, keyframes, position):
    """Scores that rise from the oldest keyframe to the newest."""
    return torch.arange(position.shape[1])[None, :, None].expand(position.shape) / 9


def nearest_for_averages(side, stride, patch, like):
    """The first pixel of each window instead of their mean, as resizing by the nearest would take it."""
    matrix = torch.as_tensor(averages(side, stride, patch), dtype=like.dtype)
    return torch.nn.functional.one_hot(matrix.ne(0).to(torch.int64).argmax(1), side).to(like)


def align_corners_off(x, **how):
    return RESIZE(x, **{**how, "align_corners": False})


RESIZE = torch.nn.functional.interpolate
BREAKS = {
    "torch_ref.ltam.LTAM.forward": no_attention,
    "torch_ref.ltam.LTAM._similarity": newest_keyframe,
    "torch_ref.tokens._averages": nearest_for_averages,
    "torch_ref.spynet.F.interpolate": align_corners_off,
}


@pytest.mark.parametrize("place", BREAKS)
def test_forward_can_fail(place, monkeypatch):
    """The committed case notices each of these; without that, agreement would mean nothing."""
    monkeypatch.setattr(place, BREAKS[place])
    found = agreement.measure(load_case("synthetic"))
    assert found["output"].max_abs > 100 * found["output"].allowed


@pytest.mark.parametrize("name", [*OWN_TRAINING, *map(beside, TRAINING)])
def test_training(name):
    """Loss, gradients and five Adam steps of the official network."""
    case = load_case(name)
    shares = training_shares(case, *train(case))
    assert shares["losses"][0] == 6 and shares["gradients"][0] > 0 and shares["update norms"][0] > 50
    assert {kind: row for kind, row in shares.items() if not row[2] <= 1} == {}


def test_training_can_fail(monkeypatch):
    """An eps outside the root is seen at the first loss, though it moves it by 1e-6 only."""
    case = load_case("own_train")
    monkeypatch.setattr("parity_tests.golden.training.STEPS", 0)
    monkeypatch.setattr("parity_tests.golden.training.charbonnier", lambda a, b: ((a - b).abs() + 1e-6).mean())
    (loss,), _, _ = train(case)
    assert abs(loss - case.about["losses"][0]) > LOSS_FLOOR
