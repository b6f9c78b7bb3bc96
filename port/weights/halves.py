"""bfloat16 and float16 without a framework: bfloat16 as its 16 bits, casts that round as PyTorch's do."""

import numpy as np

# numpy has no bfloat16: an array of this type holds the bits, moves and reshapes like any other, and cannot be computed with
BF16 = np.dtype([("bfloat16", "<u2")])
FLOATS = ("float64", "float32", "float16", "bfloat16")


def name_of(dtype: np.dtype) -> str:
    """The name of an element type."""
    return "bfloat16" if dtype == BF16 else dtype.name


def type_of(name: str) -> np.dtype:
    """The element type of a name."""
    return BF16 if name == "bfloat16" else np.dtype(name)


def widen(array: np.ndarray) -> np.ndarray:
    """bfloat16 as float32, which holds every value of it."""
    bits = np.ascontiguousarray(array).view("<u2").reshape(array.shape)
    return (bits.astype(np.uint32) << 16).view(np.float32).reshape(array.shape)


def narrow(array: np.ndarray) -> np.ndarray:
    """float32 as bfloat16: the nearest, of two equally near the one with an even last bit; any NaN becomes a NaN."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> 16) & np.uint32(1))) >> np.uint32(16)
    nan = (bits & np.uint32(0x7FFFFFFF)) > np.uint32(0x7F800000)
    rounded = np.where(nan, np.uint32(0x7FC0), rounded)
    return rounded.astype("<u2").view(BF16).reshape(array.shape)


def cast(array: np.ndarray, wanted: str) -> np.ndarray:
    """An array of one of FLOATS as another, by way of float32 where either is half as long, as PyTorch does it."""
    own = name_of(array.dtype)
    if own == wanted:
        return array
    plain = widen(array) if own == "bfloat16" else array
    with np.errstate(over="ignore"):
        if wanted in ("float16", "bfloat16"):
            plain = plain.astype(np.float32)
        return narrow(plain) if wanted == "bfloat16" else plain.astype(wanted)


def overflowed(before: np.ndarray, after: np.ndarray) -> int:
    """How many finite values a cast made infinite."""
    finite = lambda array: np.isfinite(widen(array) if array.dtype == BF16 else array)  # noqa: E731
    return int((finite(before) & ~finite(after)).sum())
