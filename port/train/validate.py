"""Scores of the network in training, on whole frames of a set."""

from collections.abc import Callable, Sequence

import numpy as np

from port.data.clips import ClipPair
from port.errors import PortError
from port.metrics.levels import to_uint8
from port.metrics.score import score_clip
from port.video.pictures import read_picture

Upscale = Callable[[np.ndarray], np.ndarray]  # (1, t, 3, h, w) float32 in [0, 1] -> (1, t, 3, 4h, 4w)


def validate(
    upscale: Upscale, clips: Sequence[ClipPair], frames: int, channel: str, rank: int, ranks: int, mean: Callable
) -> tuple[dict[str, object], np.ndarray | None]:
    """PSNR and SSIM over the clips, shared out over the processes. -> figures, a picture of the first clip (on rank 0)

    frames  how many of each clip, 0 for all
    mean    of an array over all processes
    """
    scores, picture = np.zeros((len(clips), 3)), None
    for index in range(rank, len(clips), ranks):
        clip = clips[index]
        lq, gt = (np.stack([read_picture(path) for path in paths[: frames or None]]) for paths in (clip.lq, clip.gt))
        output = as_pictures(upscale(as_input(lq))[0])
        score = score_clip(output, gt, on=channel)
        scores[index] = score.mean_psnr, score.mean_ssim, len(gt)
        if index == 0:
            picture = beside(lq[len(lq) // 2], output[len(lq) // 2], gt[len(lq) // 2])
    psnr, ssim, counted = mean(scores).T * ranks
    if not len(clips):
        raise PortError("the validation set holds no clips.")
    figures = {"psnr": float(psnr.mean()), "ssim": float(ssim.mean()), "clips": len(clips), "frames": round(counted.sum()),
               "channel": channel, "crop": 0}  # fmt: skip
    return figures, picture


def as_input(frames: np.ndarray) -> np.ndarray:
    """(t, h, w, 3) uint8 -> (1, t, 3, h, w) float32 in [0, 1]"""
    return np.ascontiguousarray(frames.transpose(0, 3, 1, 2), np.float32)[None] / np.float32(255)


def as_pictures(frames: np.ndarray) -> np.ndarray:
    """(t, 3, h, w) nominally in [0, 1] -> (t, h, w, 3) uint8"""
    return to_uint8(np.ascontiguousarray(frames.transpose(0, 2, 3, 1)))


def beside(lq: np.ndarray, output: np.ndarray, gt: np.ndarray) -> np.ndarray:
    """Input (its pixels enlarged), output and truth side by side. All (h, w, 3) uint8 -> (4h, 12w, 3)"""
    scale = gt.shape[0] // lq.shape[0]
    return np.concatenate([lq.repeat(scale, 0).repeat(scale, 1), output, gt], axis=1)
