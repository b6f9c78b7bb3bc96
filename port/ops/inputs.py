"""What the operators are given: arrays described by a word, always the same, and their edge values."""

import re
import zlib
from collections.abc import Callable, Mapping

import numpy as np

from port.ops.table import Case, Operator

DESCRIPTION = re.compile(r"(\w+)\(([\d, .-]*)\)")

# word -> array of a shape
KINDS: Mapping[str, Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]] = {
    "normal": lambda rng, shape: rng.standard_normal(shape).astype(np.float32),
    "signed": lambda rng, shape: rng.uniform(-0.9, 0.9, shape).astype(np.float32),
    "unit": lambda rng, shape: rng.uniform(0.05, 0.95, shape).astype(np.float32),
    "positive": lambda rng, shape: rng.uniform(0.2, 3.0, shape).astype(np.float32),
    "wide": lambda rng, shape: rng.uniform(-8, 8, shape).astype(np.float32),
    "bool": lambda rng, shape: rng.uniform(0, 1, shape) < 0.5,
    "digits": lambda rng, shape: rng.integers(-9, 10, shape).astype(np.float32),  # whole numbers with ties
    "small_int": lambda rng, shape: rng.integers(-9, 10, shape),
    "index": lambda rng, shape: rng.integers(0, 3, shape),  # 0, 1, 2
    "distinct": lambda rng, shape: rng.permutation(int(np.prod(shape))).reshape(shape).astype(np.float32) / 7,
    "square": lambda rng, shape: (rng.standard_normal(shape) + 3 * np.eye(shape[-1])).astype(np.float32),
}


def _first_and_last(first: float, last: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(x: np.ndarray) -> np.ndarray:
        flat = x.copy().ravel()
        flat[0], flat[-1] = first, last
        return flat.reshape(x.shape)

    return change


def _spread(low: float, high: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.linspace(low, high, x.size, dtype=x.dtype).reshape(x.shape)


# edge -> the first input made of the base's
EDGES: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "nan": _first_and_last(np.nan, np.nan),
    "inf": _first_and_last(np.inf, -np.inf),
    "zeros": np.zeros_like,
    "empty": lambda x: x[:0],
    "large": _spread(-100, 100),
    "huge": _spread(-3e4, 3e4),
    "halves": lambda x: (np.arange(x.size, dtype=x.dtype) - x.size // 2 + 0.5).reshape(x.shape),
    "tiny": lambda x: x * np.float32(1e-6),
    "wholes": lambda x: (np.arange(x.size, dtype=x.dtype) % 5 - 2).reshape(x.shape),  # -2 ... 2
    "ties": lambda x: np.floor(x * 2),
    "bounds": lambda x: (np.arange(x.size, dtype=x.dtype) % 2).reshape(x.shape),  # 0 and 1
    "scalar": lambda x: x.ravel()[0].copy(),
    "integers": lambda x: np.trunc(x * 5).astype(np.int64),
}
NO_GRADIENT = {"nan", "inf", "empty", "integers", "scalar"}  # edges whose gradients are not compared


def array(description: object, seed: str) -> np.ndarray:
    """`normal(2, 3)`, or the values themselves: whole numbers are int64, others float32."""
    if not isinstance(description, str):
        values = np.array(description)
        return values.astype(np.float32) if values.dtype == np.float64 else values
    kind, shape = DESCRIPTION.fullmatch(description).groups()
    rng = np.random.default_rng(zlib.crc32(seed.encode()))
    return KINDS[kind](rng, tuple(int(n) for n in shape.replace(",", " ").split()))


def arrays(operator: Operator, case: Case) -> dict[str, np.ndarray]:
    """The inputs of one case by name."""
    made = {name: array(description, f"{operator.name} {name}") for name, description in case.inputs.items()}
    if case.edge:
        first = next(iter(made))
        shape = made[first].shape
        alike = [name for name in made if made[name].shape == shape] if case.edge == "empty" else [first]
        made |= {name: np.asarray(EDGES[case.edge](made[name])) for name in alike}
    return made


def is_float(value: np.ndarray) -> bool:
    return value.dtype.kind == "f"


def direction(value: np.ndarray) -> np.ndarray:
    """What a gradient is taken along: one number of size one per element of a result, the same for every column."""
    return np.cos(1.0 + np.arange(value.size) * 1.7).reshape(value.shape).astype(value.dtype)
