"""Vimeo-90K as TTVSR is scored on it: septuplets mirrored to 28 frames, the centre estimated four times.

Source: the official evaluation of TTVSR on Vimeo-90K-T (../shared/docs/ttvsr_spec.md, "Training recipe").
"""

import numpy as np

from port.errors import PortError

SEPTUPLET = 7


def mirrored_twice(frames: np.ndarray) -> np.ndarray:
    """0..6, 6..0, and both again. (7, h, w, 3) -> (28, h, w, 3)"""
    if len(frames) != SEPTUPLET:
        raise PortError(f"a clip of Vimeo-90K has {SEPTUPLET} frames, found {len(frames)}.")
    return np.concatenate([frames, frames[::-1]] * 2)


def centre_frame(output: np.ndarray) -> np.ndarray:
    """The mean of the four outputs of frame 3: two passes forward in time, two backward. (1, 28, 3, h, w) -> (1, 1, 3, h, w)

    The mean is taken before clamping and rounding.
    """
    first = output.shape[1] // 8
    places = (first, first + SEPTUPLET, -1 - first - SEPTUPLET, -1 - first)
    return np.mean([output[:, place] for place in places], axis=0, dtype=output.dtype)[:, None]
