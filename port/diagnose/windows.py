"""Pooling and resampling: is the port's value what another window, or another interpolation, makes of the same picture?"""

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from port.diagnose.evidence import Evidence, Finding
from port.diagnose.tools import comparable, found, reference_of

CERTAIN = 0.98
MEND_POOL = "Use the pooling of the reference with its kernel, stride and padding written out."
MEND_RESIZE = "Name mode, size and align_corners of ops.interpolate and ops.grid_sample."


def picture(evidence: Evidence) -> np.ndarray | None:
    """The (n, c, h, w) that a module was given and gave back in another size or not, with channels kept."""
    if evidence.kind != "output" or not comparable(evidence) or not evidence.inputs or evidence.port.ndim != 4:
        return None
    x = evidence.inputs[0]
    same = x.ndim == 4 and x.shape[:2] == evidence.port.shape[:2] and x.dtype.kind == "f"
    return x.astype(np.float64) if same and x.size <= 4_000_000 else None


def pooling(evidence: Evidence) -> Finding | None:
    """A mean, a maximum or one pixel of another window, where the reference is one of them, too."""
    x = picture(evidence)
    if x is None:
        return None
    size = evidence.port.shape[2:]
    if any(s > own for s, own in zip(size, x.shape[2:], strict=True)):
        return None
    pooled = list(windows(x, size))
    if not any(close(value, reference_of(evidence)) for _, value in pooled):
        return None
    pooled += [(f"{words}, moved", value) for words, value in moved(x, size)]
    pooled += [
        (f"{mode} resizing, align_corners={corners}", resize(x, size, mode, corners))
        for mode in ("bilinear", "nearest")
        for corners in (False, True)
    ]
    return first(evidence, "pooling_replaced", pooled, MEND_POOL, (36, 40))


def windows(x: np.ndarray, size: tuple[int, ...]) -> Iterator[tuple[str, np.ndarray]]:
    """Poolings of a picture that give pictures of that size."""
    stride = [max(own // s, 1) for own, s in zip(x.shape[2:], size, strict=True)]
    yield "every so many pixels", x[:, :, :: stride[0], :: stride[1]][:, :, : size[0], : size[1]]
    for kernel in range(2, 6):
        for left in range(kernel):
            for right in range(kernel):
                for name, fill, reduce in (("mean", 0.0, np.mean), ("maximum", -np.inf, np.max)):
                    padded = np.pad(x, ((0, 0), (0, 0), (left, right), (left, right)), constant_values=fill)
                    if min(padded.shape[2:]) < kernel:
                        continue
                    views = sliding_window_view(padded, (kernel, kernel), (2, 3))[:, :, :: stride[0], :: stride[1]]
                    if views.shape[2:4] == size:
                        yield f"the {name} of {kernel}x{kernel} pixels", reduce(views, (-2, -1))
                        if left or right:
                            ones = np.pad(np.ones_like(x), ((0, 0), (0, 0), (left, right), (left, right)))
                            if name == "mean":
                                count = sliding_window_view(ones, (kernel, kernel), (2, 3))[
                                    :, :, :: stride[0], :: stride[1]
                                ]
                                yield (
                                    f"the mean of {kernel}x{kernel} pixels without padding",
                                    views.sum((-2, -1)) / np.maximum(count.sum((-2, -1)), 1),
                                )


def moved(x: np.ndarray, size: tuple[int, ...]) -> Iterator[tuple[str, np.ndarray]]:
    """The same of the picture moved by one pixel."""
    for axis, words in ((2, "down"), (3, "to the right")):
        for step in (1, -1):
            for name, value in windows(np.roll(x, step, axis), size):
                yield f"{name} {step} pixel {words}", value


def interpolation(evidence: Evidence) -> Finding | None:
    """Another mode or the other align_corners of a resizing."""
    x = picture(evidence)
    if x is None or x.shape[2:] == evidence.port.shape[2:]:
        return None
    size, a = evidence.port.shape[2:], reference_of(evidence)
    made = {
        (mode, corners): resize(x, size, mode, corners)
        for mode in ("bilinear", "nearest", "bicubic", "bicubic 0.5")
        for corners in (False, True)
    }
    own = [key for key, value in made.items() if close(value, a)]
    if not own:
        return scaled(evidence, x, made)
    for (mode, corners), value in made.items():
        label = "align_corners" if mode == own[0][0] else "interpolation_mode"
        says = f"{mode} with align_corners={corners}, in the reference {own[0][0]} with align_corners={own[0][1]}"
        finding = found(evidence, label, value, says, MEND_RESIZE, (43, 44, 46))
        if finding.explained > 0.9:  # bicubic kernels differ between versions, all the more from another mode
            return Finding(label, says, MEND_RESIZE, max(finding.explained, CERTAIN), finding.rows)
    return None


def scaled(evidence: Evidence, x: np.ndarray, made: dict) -> Finding | None:
    """The factor taken from the sizes, where the reference's positions follow from the factor given (1.3 makes 7 of 6)."""
    size, a = evidence.port.shape[2:], reference_of(evidence)
    for mode in ("bilinear", "nearest", "bicubic"):
        for factor in factors(x.shape[2:], size):
            value = resize(x, size, mode, False, factor)
            if close(value, a):
                says = f"resized by the ratio of the sizes, in the reference by {factor:g}"
                hint = f"ops.interpolate has no scale_factor of {factor:g} that it keeps: write the positions out."
                return found(evidence, "align_corners", made[mode, False], says, hint, (43,))
    return None


def factors(source: tuple[int, ...], target: tuple[int, ...]) -> list[float]:
    """Factors in tenths and quarters that make one size of the other, cut off."""
    tried = sorted({k / 10 for k in range(2, 81)} | {k / 4 for k in range(1, 33)})
    return [f for f in tried if all(int(s * f) == t and s * f != t for s, t in zip(source, target, strict=True))]


def resize(x: np.ndarray, size: tuple[int, ...], mode: str, corners: bool, factor: float | None = None) -> np.ndarray:
    """(n, c, h, w) -> (n, c, *size), one axis after the other. factor: where it is not the ratio of the sizes"""
    for axis, target in ((2, size[0]), (3, size[1])):
        x = np.moveaxis(np.moveaxis(x, axis, -1) @ matrix(x.shape[axis], target, mode, corners, factor).T, -1, axis)
    return x


def matrix(source: int, target: int, mode: str, corners: bool, factor: float | None = None) -> np.ndarray:
    """(target, source): the share of every source pixel in every target pixel."""
    ratio = factor or target / source
    at = positions_of(source, target, corners, ratio)
    if mode == "nearest":
        near = np.floor(np.arange(target) / ratio) if not corners else np.floor(at + 0.5)
        return np.eye(source)[np.clip(near.astype(int), 0, source - 1)]
    if mode == "bilinear":
        at = np.clip(at, 0, source - 1)
    base = np.floor(at).astype(int)
    shares = np.zeros((target, source))
    for tap in range(-1, 3):
        weight, place = kernel(np.abs(at - (base + tap)), mode), base + tap
        if mode == "bicubic 0.5":  # MindSpore's on a CPU: what lies outside is left out, PyTorch repeats the border
            weight = weight * ((place >= 0) & (place < source))
        np.add.at(shares, (np.arange(target), np.clip(place, 0, source - 1)), weight)
    return shares / shares.sum(1, keepdims=True)


def positions_of(source: int, target: int, corners: bool, ratio: float) -> np.ndarray:
    """Where the target's pixels lie in the source."""
    if corners:
        return np.arange(target) * ((source - 1) / max(target - 1, 1))
    return (np.arange(target) + 0.5) / ratio - 0.5


def kernel(distance: np.ndarray, mode: str) -> np.ndarray:
    """Weight of a pixel at a distance: a tent, or the cubic with a = -0.75, in `bicubic 0.5` with a = -0.5."""
    d, a = distance, -0.5 if mode.endswith("0.5") else -0.75
    if mode == "bilinear":
        return np.maximum(1 - d, 0)
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * (d**3 - 5 * d**2 + 8 * d - 4)
    return np.where(d <= 1, near, np.where(d < 2, far, 0))


def sampling(evidence: Evidence) -> Finding | None:
    """Sampling at given positions: align_corners, what lies outside, the nearest pixel for a mean of four."""
    if evidence.kind != "output" or not comparable(evidence) or len(evidence.inputs) < 2 or evidence.port.ndim != 4:
        return None
    x, positions = (array.astype(np.float64) for array in evidence.inputs[:2])
    if x.ndim != 4 or positions.ndim != 4 or positions.shape[-1] != 2 or evidence.port.size > 4_000_000:
        return None
    made = {
        key: sample(x, positions, *key)
        for key in (
            (m, p, c) for m in ("bilinear", "nearest") for p in ("border", "zeros", "reflection") for c in (True, False)
        )
    }
    own = next((key for key, value in made.items() if close(value, reference_of(evidence))), None)
    if own is None:
        return None
    for key, value in made.items():
        label = "align_corners" if key[2] != own[2] else "border" if key[1] != own[1] else "interpolation_mode"
        says = f"mode={key[0]!r}, padding_mode={key[1]!r}, align_corners={key[2]}, in the reference {own}"
        finding = found(evidence, label, value, says, MEND_RESIZE, (47, 49))
        if key != own and finding.explained > CERTAIN:
            return finding
    return None


def sample(x: np.ndarray, positions: np.ndarray, mode: str, padding: str, corners: bool) -> np.ndarray:
    """grid_sample in float64. x (n, c, h, w), positions (n, a, b, 2) from -1 to 1, x first -> (n, c, a, b)"""
    size = np.array(x.shape[:1:-1])  # width, height
    at = (positions + 1) / 2 * (size - 1) if corners else ((positions + 1) * size - 1) / 2
    if padding == "border":
        at = np.clip(at, 0, size - 1)
    if padding == "reflection":
        low, span = (0.0, size - 1.0) if corners else (-0.5, 1.0 * size)
        at = np.abs((at - low) % (2 * span))
        at = np.clip(np.minimum(at, 2 * span - at) + low, 0, size - 1)
    if mode == "nearest":
        return gather(x, np.rint(at))
    base = np.floor(at)
    share = at - base
    total = 0.0
    for dx in (0, 1):
        for dy in (0, 1):
            weight = np.abs(1 - dx - share[..., 0]) * np.abs(1 - dy - share[..., 1])
            total = total + gather(x, base + np.array([dx, dy])) * weight[:, None]
    return total


def gather(x: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Pixels of (n, c, h, w) at whole positions (n, a, b, 2), zero outside. -> (n, c, a, b)"""
    n, _, h, w = x.shape
    columns, rows = at[..., 0].astype(int), at[..., 1].astype(int)
    inside = (columns >= 0) & (columns < w) & (rows >= 0) & (rows < h)
    found_at = x[np.arange(n)[:, None, None], :, np.clip(rows, 0, h - 1), np.clip(columns, 0, w - 1)]
    return np.moveaxis(found_at, -1, 1) * inside[:, None]


def close(value: np.ndarray, other: np.ndarray) -> bool:
    """Equal but for rounding."""
    return value.shape == other.shape and np.linalg.norm(value - other) <= 1e-4 * max(np.linalg.norm(other), 1e-30)


def first(evidence: Evidence, label: str, made, hint: str, rows: tuple[int, ...]) -> Finding | None:
    """The first of (words, value) that explains the port."""
    for words, value in made:
        if value.shape == evidence.port.shape and np.isfinite(value).all():
            finding = found(evidence, label, value, f"the port's value is {words}", hint, rows)
            if finding.explained > CERTAIN:
                return finding
    return None


EXPLANATIONS = (pooling, interpolation, sampling)
