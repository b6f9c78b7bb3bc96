"""Right values in wrong places: shifted, transposed, permuted; or wrong at the border only."""

import numpy as np

from port.diagnose.evidence import Evidence, Finding
from port.diagnose.tools import channels_first, comparable, found, port_of, reference_of, unexplained


def mirrored_or_turned(evidence: Evidence) -> Finding | None:
    """The picture transposed or mirrored."""
    if not comparable(evidence) or evidence.reference.ndim < 2:
        return None
    a = reference_of(evidence)
    views = {
        "mirrored left to right": a[..., ::-1],
        "upside down": a[..., ::-1, :],
        "turned by 180 degrees": a[..., ::-1, ::-1],
    }
    if a.shape[-1] == a.shape[-2]:
        views["rows and columns exchanged"] = a.swapaxes(-1, -2)
    for words, value in views.items():
        finding = found(
            evidence,
            "permuted_pixels",
            value,
            f"the picture is {words}",
            "Check the order of axes and of meshgrid's indexing ('ij').",
            (49, 66),
        )
        if finding.explained > 0.98:
            return finding
    return None


def shifted(evidence: Evidence) -> Finding | None:
    """Moved by a pixel or two along one or both of the last axes; what comes in at the border is not counted."""
    if not comparable(evidence) or evidence.reference.ndim < 3 or min(evidence.reference.shape[-2:]) < 6:
        return None
    a, b = reference_of(evidence), port_of(evidence)
    inner = (..., slice(2, -2), slice(2, -2))
    before = np.linalg.norm((b - a)[inner])
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            after = np.linalg.norm(b[inner] - np.roll(a, (dy, dx), axis=(-2, -1))[inner])
            if (dy, dx) != (0, 0) and before and after < 0.02 * before:
                says = f"the picture is moved by {dx} pixels to the right and {dy} down"
                hint = "nn.Conv2d(stride=2) needs pad_mode='pad', padding=1: 'same' pads on one side only."
                return Finding("shift", says, hint, 1 - after / before, (2, 36))
    return None


def border_only(evidence: Evidence) -> Finding | None:
    """Everything right but a frame of at most three pixels."""
    if not comparable(evidence) or evidence.reference.ndim < 3 or min(evidence.reference.shape[-2:]) < 8:
        return None
    error = np.abs(unexplained(evidence))
    for width in (1, 2, 3):
        inner = error[..., width:-width, width:-width]
        if inner.max() < 1e-3 * error.max():
            says = f"only the outer {width} pixels differ, by up to {error.max():.3g}"
            return Finding(
                "border",
                says,
                "Check the padding: zeros, reflect, replicate; output_padding is filled with zeros.",
                1.0,
                (8, 9, 54),
            )
    return None


def permuted_channels(evidence: Evidence) -> Finding | None:
    """Every channel of the port is one of the reference's, in another order."""
    if not comparable(evidence) or evidence.reference.ndim < 2:
        return None
    a, b = channels_first(reference_of(evidence)), channels_first(port_of(evidence))
    if not 2 <= len(a) <= 512 or a.shape[1] < 2:
        return None
    distance = np.array([[np.abs(x - y).max() for x in a] for y in b]) if len(a) <= 128 else None
    if distance is None:
        return None
    nearest = one_each(distance)
    if sorted(nearest) != list(range(len(a))) or (nearest == np.arange(len(a))).all():
        return None
    axis = 1 if evidence.reference.ndim >= 3 else evidence.reference.ndim - 1
    predicted = np.take(reference_of(evidence), nearest, axis=axis)
    return found(
        evidence,
        "permuted_channels",
        predicted,
        f"channels in the order {nearest.tolist()[:12]}",
        "Check concatenation order, BGR for RGB, and the channel order of DepthToSpace (use nn.PixelShuffle).",
        (52, 137),
    )


def one_each(distance: np.ndarray) -> np.ndarray:
    """For every channel of the port the nearest of the reference's that no other has taken: several may be equal."""
    left, found_at = distance.copy(), []
    for row in range(len(distance)):
        found_at.append(int(left[row].argmin()))
        left[:, found_at[-1]] = np.inf
    return np.array(found_at)


def same_values_elsewhere(evidence: Evidence) -> Finding | None:
    """The same numbers in other places."""
    if not comparable(evidence) or evidence.reference.size < 4:
        return None
    a, b = np.sort(reference_of(evidence), axis=None), np.sort(port_of(evidence), axis=None)
    moved = np.linalg.norm(unexplained(evidence))
    if not moved or np.linalg.norm(a - b) > 0.01 * moved:
        return None
    return Finding(
        "permuted_pixels",
        "the same values in other places",
        "Check reshape, transpose and fold: a reshape is not a transposition.",
        1.0,
        (51, 52, 68),
    )


def of_another_call(evidence: Evidence) -> Finding | None:
    """What the reference has at this place in another call of the module: an earlier or later frame."""
    if not comparable(evidence):
        return None
    for name, value in (evidence.context.get("calls") or {}).items():
        if value.shape == evidence.port.shape:
            finding = found(
                evidence,
                "shift",
                value.astype(np.float64),
                f"it is the reference's {name}",
                "Check the order of frames or steps.",
                (142,),
            )
            if finding.explained > 0.98:
                return finding
    return None


EXPLANATIONS = (
    of_another_call,
    mirrored_or_turned,
    permuted_channels,
    shifted,
    same_values_elsewhere,
    border_only,
)
