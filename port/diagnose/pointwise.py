"""Functions of single elements, and of one axis: is the port's value another one of them?"""

import math
from collections.abc import Iterator

import numpy as np

from port.diagnose.evidence import Evidence, Finding
from port.diagnose.modules import given
from port.diagnose.tools import comparable, found, port_of, reference_of

CERTAIN = 0.98
MEND = "Use the function of the reference with its arguments written out."


def of_reference(evidence: Evidence) -> Finding | None:
    """One function more behind the right value."""
    if evidence.kind != "output" or not comparable(evidence) or evidence.port.dtype.kind != "f":
        return None
    a = reference_of(evidence)
    low, high = float(evidence.port.min()), float(evidence.port.max())
    made = (
        ("the reference's ReLU", np.maximum(a, 0)),
        ("the reference's magnitude", np.abs(a)),
        (f"the reference's, cut off at {low:.4g} and {high:.4g}", np.clip(a, low, high)),
    )
    return best(evidence, "activation", iter(made))


def bounds(evidence: Evidence) -> Finding | None:
    """Cut off at other bounds."""
    x = given(evidence)
    if x is None or x.shape != evidence.port.shape:
        return None
    b = port_of(evidence)
    says = f"the input cut off at {b.min():.4g} and {b.max():.4g}"
    return found(evidence, "activation", np.clip(x, b.min(), b.max()), says, MEND)


def of_elements(evidence: Evidence) -> Finding | None:
    """Another function of every element."""
    x = given(evidence)
    if x is None or x.shape != evidence.port.shape:
        return None
    return best(evidence, "activation", elementwise(x, reference_of(evidence)))


def elementwise(x: np.ndarray, a: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """(name, value) of functions of the input, and of the reference's output."""
    small = np.clip(x, -60, 60)
    for beta in (0.5, 1.0, 2.0):
        yield f"softplus with beta {beta:g}", np.log1p(np.exp(-np.abs(beta * x))) / beta + np.maximum(x, 0)
    yield from (("exp", np.exp(small)), ("square", x * x), ("the sine", np.sin(x)), ("tanh", np.tanh(x)))
    yield from (("rounded", np.round(x)), ("rounded down", np.floor(x)), ("cut towards zero", np.trunc(x)))
    yield from (("rounded down to halves", np.floor(2 * x) / 2), ("rounded to halves", np.round(2 * x) / 2))
    yield from (
        ("the reference's squared", a * a),
        ("the reference's magnitude", np.abs(a)),
        ("the reference's ReLU", np.maximum(a, 0)),
    )
    if (a >= 0).all():
        yield "the root of the reference's", np.sqrt(a)
    if (a > 0).all():
        yield "the logarithm of the reference's", np.log(a)


def of_axes(evidence: Evidence) -> Finding | None:
    """The same function along another axis, or with another divisor of the variance."""
    x = given(evidence)
    if x is None or x.ndim < 2:
        return None
    shape = evidence.port.shape
    for label, words, value in along_axes(x):
        if value.shape == shape:
            finding = found(evidence, label, value, f"the port's value is {words}", MEND, (34, 59))
            if finding.explained > CERTAIN:
                return finding
    return None


def along_axes(x: np.ndarray) -> Iterator[tuple[str, str, np.ndarray]]:
    """(label, name, value) of sums, shares and deviations along every axis."""
    for axis in range(x.ndim):
        for temperature in (1.0, 0.5, 2.0):
            powers = np.exp((x - x.max(axis, keepdims=True)) / temperature)
            shares = powers / powers.sum(axis, keepdims=True)
            yield "softmax_axis", f"softmax along axis {axis}, divided by {temperature:g} before", shares
        yield "softmax_axis", f"running sums along axis {axis}", np.cumsum(x, axis)
        yield (
            "permuted_pixels",
            f"running sums from the end of axis {axis}",
            np.flip(np.cumsum(np.flip(x, axis), axis), axis),
        )
        yield "missing_term", f"running sums along axis {axis} without the element itself", np.cumsum(x, axis) - x
        yield from deviations(x, axis)


def deviations(x: np.ndarray, axis: int) -> Iterator[tuple[str, str, np.ndarray]]:
    """Normalised along an axis by the deviation over n or n - 1; and mean and deviation side by side."""
    mean = x.mean(axis, keepdims=True)
    for ddof in (0, 1):
        if x.shape[axis] <= ddof:
            continue
        deviation = x.std(axis, keepdims=True, ddof=ddof)
        label, words = "ddof", f"divided by the deviation over n{' - 1' * ddof} along axis {axis}"
        yield label, words, (x - mean) / (deviation + 1e-5)
        both = [np.squeeze(value, axis) for value in (mean, deviation)]
        if both[0].ndim:
            yield label, f"mean and deviation over n{' - 1' * ddof} along axis {axis}", np.concatenate(both, -1)


def some_function(evidence: Evidence) -> Finding | None:
    """Both sides are smooth functions of the single element, and not the same one."""
    x = given(evidence)
    if x is None or x.shape != evidence.port.shape or x.size < 48:
        return None
    order = np.argsort(x, axis=None)
    at, b, a = (array.reshape(-1)[order] for array in (x, port_of(evidence), reference_of(evidence)))
    if not all(is_function(at, y) for y in (a, b)):
        return None
    ratio = float((a * b).sum() / max((a * a).sum(), 1e-300))
    if np.linalg.norm(b - ratio * a) < 0.02 * np.linalg.norm(b - a):
        return None  # a factor says more
    return Finding("activation", "a function of the single element, but another one", MEND, CERTAIN)


def is_function(at: np.ndarray, y: np.ndarray) -> bool:
    """Whether every value follows from its neighbours' along the sorted input: nothing but the element decides it."""
    keep = np.concatenate([[True], np.diff(at) > 0])
    at, y = at[keep], y[keep]
    if len(at) < 24 or np.ptp(y) == 0:
        return False
    guess = y[:-2] + (y[2:] - y[:-2]) * (at[1:-1] - at[:-2]) / (at[2:] - at[:-2])
    return math.sqrt(np.mean((guess - y[1:-1]) ** 2)) < 0.03 * np.std(y)


def best(evidence: Evidence, label: str, made: Iterator[tuple[str, np.ndarray]]) -> Finding | None:
    """The first that explains the port."""
    for words, value in made:
        finding = found(evidence, label, value, f"the port's value is {words}", MEND)
        if finding.explained > CERTAIN:
            return finding
    return None


def at_kinks(evidence: Evidence) -> Finding | None:
    """A gradient wrong only where the input stands exactly on a bound, or at zero."""
    if evidence.kind != "gradient" or evidence.reference is None or not evidence.inputs or ":in" not in evidence.site:
        return None
    x, a, b = evidence.inputs[0], evidence.reference, evidence.port
    if b is None or not x.shape == a.shape == b.shape or x.dtype.kind != "f":
        return None
    error = np.abs(b.astype(np.float64) - a)
    wrong = error > 1e-3 * error.max()
    where = np.unique(x[wrong])
    if not error.max() or len(where) > 2 or wrong.all():
        return None
    says = f"differs only where the input is exactly {' or '.join(f'{v:g}' for v in where)}"
    hint = "ops.clamp has PyTorch's gradient on the bound (clip_by_value half of it); nn.LeakyReLU's at 0 is the mean of both."
    return Finding("subgradient", says, hint, 1.0, (27, 82))


def as_of_half(evidence: Evidence) -> Finding | None:
    """Nothing but noise of the size that half precision leaves."""
    if evidence.stage == "training" or evidence.port is None or evidence.reference is None:
        return None
    a, b = reference_of(evidence), port_of(evidence)
    if a.shape != b.shape or a.size < 64 or not np.isfinite(b).all() or not np.any(a):
        return None
    error = b - a
    size = math.sqrt(np.mean(error**2) / np.mean(a**2))
    leaning = abs(float((error * a).sum())) / max(np.linalg.norm(error) * np.linalg.norm(a), 1e-300)
    touched = np.mean(np.abs(error) > 0)
    if not 5e-5 < size < 4e-3 or leaning > 0.2 or touched < 0.5:
        return None
    says = f"noise of {size:.1e} of the rms, without direction: what rounding to half precision on the way leaves"
    return Finding("half_cast", says, "Look for casts inside (to_float, amp_level, .astype).", CERTAIN, (116,))


FIRST = (at_kinks,)
EXPLANATIONS = (bounds, of_elements, of_axes)
LAST = (some_function, as_of_half)
