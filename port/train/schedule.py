"""The learning rate as a function of the iteration alone: the very same numbers in both columns, wherever they go on from."""

import math


def rate_at(iteration: int, full: float, last: float, period: int, warmup: int = 0) -> float:
    """The rate of the step that is number `iteration`, counted from 0.

    One half-cosine from `full` at 0 down to `last` at `period`, and `last` from there on. In the first `warmup` iterations
    it is multiplied by a share that grows evenly and reaches 1 in the last of them.
    """
    cosine = last + (full - last) * (1 + math.cos(math.pi * min(iteration, period) / period)) / 2
    return cosine * min(1.0, (iteration + 1) / warmup) if warmup else cosine
