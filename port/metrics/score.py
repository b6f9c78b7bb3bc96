"""Scores of a clip: per frame and their mean."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from port.errors import PortError, UsageError
from port.metrics.levels import luma
from port.metrics.psnr import psnr
from port.metrics.ssim import ssim


@dataclass(frozen=True)
class ClipScore:
    """PSNR in dB (math.inf for a frame without any difference) and SSIM (empty if left out) of every frame."""

    psnr: list[float] = field(default_factory=list)
    ssim: list[float] = field(default_factory=list)

    @property
    def mean_psnr(self) -> float:
        """Mean of the frames' decibels, as papers average them; infinite if one frame is."""
        return float(np.mean(self.psnr))

    @property
    def mean_ssim(self) -> float | None:
        """Mean over the frames; None where SSIM was left out."""
        return float(np.mean(self.ssim)) if self.ssim else None


def score_clip(
    frames: Sequence[np.ndarray], truth: Sequence[np.ndarray], on: str = "rgb", crop: int = 0, with_ssim: bool = True
) -> ClipScore:
    """PSNR and SSIM of every frame of `frames` against `truth`.

    frames, truth  (t, h, w, 3) uint8 RGB, or lists of (h, w, 3)
    on             "rgb", or "y" for BT.601 studio-range luma (not rounded)
    crop           pixels left out on each side
    Raises PortError where the numbers of frames or the sizes differ: nothing is scored in part.
    """
    if on not in ("rgb", "y"):
        raise UsageError(f"scores are taken on 'rgb' or 'y', found {on!r}.")
    if len(frames) != len(truth) or not len(frames):
        raise PortError(f"cannot score {len(frames)} frames against {len(truth)}: the numbers must agree, at least 1.")
    score = ClipScore()
    for index, (a, b) in enumerate(zip(frames, truth, strict=True)):
        _check_frame(index, a, b)
        if on == "y":
            a, b = luma(a), luma(b)
        score.psnr.append(psnr(a, b, crop))
        if with_ssim:
            score.ssim.append(ssim(a, b, crop))
    return score


def _check_frame(index: int, a: np.ndarray, b: np.ndarray) -> None:
    for name, frame in (("frame", a), ("true frame", b)):
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
            raise PortError(
                f"{name} {index} must be (h, w, 3) uint8 RGB, found {frame.shape} {frame.dtype}. Use to_uint8 first."
            )
    if a.shape != b.shape:
        raise PortError(f"frame {index} is {a.shape[1]}x{a.shape[0]}, the true one {b.shape[1]}x{b.shape[0]}.")
