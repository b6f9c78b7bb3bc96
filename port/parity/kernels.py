"""What some of MindSpore's CPU kernels compute instead of the function they are named after, in numpy and float64.

Found by measuring: each model reproduces its kernel to a few units in the last place of float32, which `python -m port gaps`
shows. So an error that a kernel makes can be told from one that a port makes: the model predicts it element by element.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from port.parity.trace import Site

STEPS = 1024  # the cubic's weights come from a table of this many places between two pixels


def tanh_kernel(x: np.ndarray) -> np.ndarray:
    """A fraction of polynomials, and 1 beyond 5: wrong by up to 1.0e-4 between 3 and 8."""
    s = x * x
    above, below = ((s + 378) * s + 17325) * s + 135135, ((28 * s + 3150) * s + 62370) * s + 135135
    return np.where(np.abs(x) > 5, np.sign(x), np.clip(x, -5, 5) * above / below)


def softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(0.0, x)


def mish(x: np.ndarray) -> np.ndarray:
    return x * np.tanh(softplus(x))


def mish_gradient(x: np.ndarray, arriving: np.ndarray) -> np.ndarray:
    """With the kernel's tanh in it; the way forward has another."""
    t = tanh_kernel(softplus(x))
    return arriving * (t + x * (1 - t * t) * np.exp(-softplus(-x)))


def cubic(distance: np.ndarray, a: float) -> np.ndarray:
    """Weight of a pixel at a distance."""
    d = np.abs(distance)
    near, far = ((a + 2) * d - (a + 3)) * d * d + 1, ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


def resizing(n: int, m: int, corners: bool, a: float, steps: int | None, drop: bool) -> np.ndarray:
    """Matrix (m, n) that enlarges or shrinks one axis from n to m pixels.

    corners  align_corners
    steps    positions between two pixels are rounded to that many
    drop     pixels beyond the border have no weight, and the others share it; else the border is repeated
    """
    places = np.arange(m) * ((n - 1) / max(m - 1, 1)) if corners else (np.arange(m) + 0.5) * (n / m) - 0.5
    places = places.astype(np.float32).astype(np.float64) if steps else places
    first, between = np.floor(places).astype(int), places - np.floor(places)
    between = np.rint(between * steps) / steps if steps else between
    matrix = np.zeros((m, n))
    for k in range(-1, 3):
        weight, pixel = cubic(between - k, a), first + k
        weight = np.where((pixel >= 0) & (pixel < n), weight, 0.0) if drop else weight
        np.add.at(matrix, (np.arange(m), np.clip(pixel, 0, n - 1)), weight)
    return matrix / matrix.sum(1, keepdims=True) if drop else matrix


def resize(x: np.ndarray, size: tuple[int, ...], **how: object) -> np.ndarray:
    """x (n, c, h, w) -> (n, c, *size[-2:])"""
    rows, columns = (resizing(x.shape[i], size[i], **how) for i in (-2, -1))
    return rows @ x @ columns.T


def resize_back(x: np.ndarray, arriving: np.ndarray, **how: object) -> np.ndarray:
    """The gradient of `resize` at x."""
    rows, columns = (resizing(x.shape[i], arriving.shape[i], **how) for i in (-2, -1))
    return rows.T @ arriving @ columns


@dataclass(frozen=True)
class Kernel:
    """One function and what the kernel makes of it.

    function, kernel  (input, shape of the output) -> output
    gradient          (input, arriving gradient) -> gradient as the kernel computes it
    plausible         whether sites with these statistics can be input and output; cheap, to spare the reading
    unit              (input, output) -> what the bound is a multiple of; gradient_unit: (arriving, gradient) -> the same
    """

    function: Callable[[np.ndarray, tuple[int, ...]], np.ndarray]
    kernel: Callable[[np.ndarray, tuple[int, ...]], np.ndarray]
    gradient: Callable[[np.ndarray, np.ndarray], np.ndarray]
    plausible: Callable[[Site, Site], bool]
    unit: Callable[[np.ndarray, np.ndarray], float] = lambda x, y: 1.0
    gradient_unit: Callable[[np.ndarray, np.ndarray], float] = lambda arriving, gradient: float(np.abs(arriving).max())


def growing(function: Callable[[np.ndarray], np.ndarray], lowest: bool = True) -> Callable[[Site, Site], bool]:
    """For functions that grow with their input: the extremes correspond.

    lowest  False: only where the input is largest
    """

    def plausible(x: Site, y: Site) -> bool:
        pairs = [(x.highest, y.highest)] + [(x.lowest, y.lowest)] * lowest
        close = (abs(float(function(np.float64(a))) - b) <= 1e-5 * (1 + abs(b)) for a, b in pairs)
        return x.shape == y.shape and all(close)

    return plausible


def resized(x: Site, y: Site) -> bool:
    """Pictures of another size and of about the same magnitude."""
    if len(x.shape) != 4 or len(y.shape) != 4 or x.shape[:2] != y.shape[:2] or x.shape == y.shape:
        return False
    largest = max(abs(x.lowest), abs(x.highest))
    return max(abs(y.lowest), abs(y.highest)) <= 2 * largest and 0.2 * x.rms <= y.rms <= 3 * x.rms


def bicubic(corners: bool, kernel: dict[str, object]) -> Kernel:
    """Bicubic enlargement: PyTorch's against another."""
    right = {"corners": corners, "a": -0.75, "steps": None, "drop": False}
    wrong = {"corners": corners, "steps": STEPS, **kernel}
    return Kernel(
        function=lambda x, size: resize(x, size, **right),
        kernel=lambda x, size: resize(x, size, **wrong),
        gradient=lambda x, arriving: resize_back(x, arriving, **wrong),
        plausible=resized,
        unit=lambda x, y: float(np.abs(x).max()),
        gradient_unit=lambda arriving, gradient: float(np.abs(gradient).max()),
    )


KERNELS = {
    "tanh": Kernel(
        function=lambda x, size: np.tanh(x),
        kernel=lambda x, size: tanh_kernel(x),
        gradient=lambda x, arriving: arriving * (1 - tanh_kernel(x) ** 2),
        plausible=growing(np.tanh),
    ),
    "mish": Kernel(
        function=lambda x, size: mish(x),
        kernel=lambda x, size: mish(x),
        gradient=mish_gradient,
        plausible=growing(mish, lowest=False),
    ),
    "bicubic, align_corners=True": bicubic(True, {"a": -0.75, "drop": False}),
    "bicubic, align_corners=False": bicubic(False, {"a": -0.5, "drop": True}),
}
