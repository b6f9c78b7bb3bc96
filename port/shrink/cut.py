"""Smaller inputs for a module's call: one element of the batch, a window of the picture or of the sequence."""

from collections.abc import Iterator, Mapping

import numpy as np

PARTS = (2, 4, 8, 16)  # a window is that part of an axis


def candidates(arrays: Mapping[str, np.ndarray], worst: tuple[int, ...]) -> Iterator[dict[str, np.ndarray]]:
    """All ways of cutting a call down, the call as it is included.

    arrays  argument/KEY and output_gradient/PATH; gradients are cut to the output's shape by whoever computes it
    worst   place of the largest error in the value that is wrong: windows are laid around it
    """
    for batch in (one_of_the_batch(arrays, worst), dict(arrays)):
        if batch is None:
            continue
        yield batch
        for axes in windows(batch):
            for share in PARTS:
                if (cut := window(batch, axes, share, worst)) is not None:
                    yield cut


def arguments(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: array for name, array in arrays.items() if name.startswith("argument/")}


def one_of_the_batch(arrays: Mapping[str, np.ndarray], worst: tuple[int, ...]) -> dict[str, np.ndarray] | None:
    """Where all arguments share a first axis: the element with the largest error."""
    lengths = {array.shape[0] for array in arguments(arrays).values() if array.ndim}
    if len(lengths) != 1 or (n := lengths.pop()) == 1:
        return None
    k = worst[0] if worst and worst[0] < n else 0
    return {name: array[k : k + 1] if array.ndim and array.shape[0] == n else array for name, array in arrays.items()}


def windows(arrays: Mapping[str, np.ndarray]) -> list[tuple[int, ...]]:
    """Sets of axes that may be cut: those of a picture, of a sequence behind its channels, of tokens before them."""
    most = max((array.ndim for array in arguments(arrays).values()), default=0)
    return ([tuple(range(2, most))] if most > 2 else []) + ([(1,)] if most == 3 else [])


def window(arrays: Mapping[str, np.ndarray], axes: tuple[int, ...], share: int, worst: tuple[int, ...]):
    """Arguments of the largest one's size along the axes, cut to a part of it around the worst place; None for nothing."""
    main = max(arguments(arrays).values(), key=lambda array: array.size)
    lengths = {axis: main.shape[axis] for axis in axes if axis < main.ndim}
    spans = {axis: span(n, share, worst[axis] if axis < len(worst) else 0) for axis, n in lengths.items()}
    if not spans or all(stop - start == lengths[axis] for axis, (start, stop) in spans.items()):
        return None
    cut = dict(arrays)
    for name, array in arguments(arrays).items():
        if all(axis < array.ndim and array.shape[axis] == n for axis, n in lengths.items()):
            cut[name] = array[tuple(slice(*spans.get(axis, (None,))) for axis in range(array.ndim))]
    return cut


def span(n: int, share: int, place: int) -> tuple[int, int]:
    """(start, stop) of a window of n/share around a place, inside 0..n."""
    size = max(-(-n // share), 1)
    start = min(max(place - size // 2, 0), n - size)
    return start, start + size
