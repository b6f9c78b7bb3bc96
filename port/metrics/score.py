"""Scores of a clip: per frame and their mean; and of a data set, the mean over its clips."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from port.errors import PortError, UsageError
from port.metrics.levels import luma
from port.metrics.psnr import psnr
from port.metrics.ssim import ssim

CHANNELS = ("rgb", "y")


@dataclass(frozen=True)
class ClipScore:
    """PSNR in dB (math.inf for a frame without any difference) and SSIM (empty if left out) of every frame.

    channel, crop  how they were taken, as `score_clip` says
    """

    psnr: list[float] = field(default_factory=list)
    ssim: list[float] = field(default_factory=list)
    channel: str = "rgb"
    crop: int = 0

    @property
    def frames(self) -> int:
        """How many frames were scored."""
        return len(self.psnr)

    @property
    def mean_psnr(self) -> float:
        """Mean of the frames' decibels, as papers average them; infinite if one frame is."""
        return float(np.mean(self.psnr))

    @property
    def mean_ssim(self) -> float | None:
        """Mean over the frames; None where SSIM was left out."""
        return float(np.mean(self.ssim)) if self.ssim else None

    def as_data(self) -> dict[str, object]:
        """For JSON, which has no infinity: a PSNR of null means that there is no difference at all."""
        return {
            "channel": self.channel,
            "crop": self.crop,
            "frames": self.frames,
            "psnr": _finite(self.mean_psnr),
            "ssim": self.mean_ssim,
            "psnr_of_frames": [_finite(value) for value in self.psnr],
            "ssim_of_frames": list(self.ssim),
        }

    @classmethod
    def from_data(cls, data: Mapping) -> "ClipScore":
        """What `as_data` made."""
        decibels = [math.inf if value is None else value for value in data["psnr_of_frames"]]
        return cls(decibels, list(data["ssim_of_frames"]), data["channel"], data["crop"])


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def score_clip(
    frames: Sequence[np.ndarray], truth: Sequence[np.ndarray], on: str = "rgb", crop: int = 0, with_ssim: bool = True
) -> ClipScore:
    """PSNR and SSIM of every frame of `frames` against `truth`.

    frames, truth  (t, h, w, 3) uint8 RGB, or lists of (h, w, 3)
    on             "rgb", or "y" for BT.601 studio-range luma (not rounded)
    crop           pixels left out on each side
    Raises PortError where the numbers of frames or the sizes differ: nothing is scored in part.
    """
    if on not in CHANNELS:
        raise UsageError(f"scores are taken on 'rgb' or 'y', found {on!r}.")
    if len(frames) != len(truth) or not len(frames):
        raise PortError(f"cannot score {len(frames)} frames against {len(truth)}: the numbers must agree, at least 1.")
    score = ClipScore(channel=on, crop=crop)
    for index, (a, b) in enumerate(zip(frames, truth, strict=True)):
        _check_frame(index, a, b)
        if on == "y":
            a, b = luma(a), luma(b)
        score.psnr.append(psnr(a, b, crop))
        if with_ssim:
            score.ssim.append(ssim(a, b, crop))
    return score


def mean_of_clips(scores: Sequence[ClipScore]) -> dict[str, object]:
    """Mean over clips of their means, each clip counting the same however long it is. -> data, with what it is taken of

    Raises PortError for no clip, for clips without frames, and for clips scored on different channels or crops.
    """
    ways = {(score.channel, score.crop) for score in scores}
    if len(ways) != 1 or not all(score.frames for score in scores):
        raise PortError(
            f"cannot average {len(scores)} clips scored as {sorted(ways) or 'nothing'} on "
            f"{[score.frames for score in scores]} frames: one channel, one crop and at least 1 frame each are needed."
        )
    ((channel, crop),) = ways
    similarities = [score.mean_ssim for score in scores]
    return {
        "channel": channel,
        "crop": crop,
        "clips": len(scores),
        "frames": sum(score.frames for score in scores),
        "psnr": _finite(float(np.mean([score.mean_psnr for score in scores]))),
        "ssim": None if None in similarities else float(np.mean(similarities)),
    }


def _check_frame(index: int, a: np.ndarray, b: np.ndarray) -> None:
    for name, frame in (("frame", a), ("true frame", b)):
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
            raise PortError(
                f"{name} {index} must be (h, w, 3) uint8 RGB, found {frame.shape} {frame.dtype}. Use to_uint8 first."
            )
    if a.shape != b.shape:
        raise PortError(f"frame {index} is {a.shape[1]}x{a.shape[0]}, the true one {b.shape[1]}x{b.shape[0]}.")
