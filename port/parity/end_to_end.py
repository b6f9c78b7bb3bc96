"""The frames that came out: the port's against the reference's, and both against ground truth."""

import math

import numpy as np

from port.errors import PortError
from port.metrics.levels import to_uint8
from port.metrics.psnr import psnr_float
from port.metrics.score import score_clip
from port.parity.measure import finite
from port.parity.tolerance import Tolerances


def compare_frames(
    reference: np.ndarray,
    imposed: np.ndarray | None,
    free: np.ndarray | None,
    truth: np.ndarray | None,
    limits: Tolerances,
) -> dict[str, object]:
    """The end-to-end stage of the report.

    reference, imposed, free  (t, 3, h, w) float32, unclamped; None where a run broke off
    truth                     (t, h, w, 3) uint8, or None
    psnr_between is taken with peak 1 on the frames as they are, decisions imposed; the scores against ground truth on
    8-bit RGB, no border left out, running freely, mean over the frames.
    """
    result: dict[str, object] = {"limit": limit_in_words(limits, truth is not None), "scored_on": "RGB, 8 bits, crop 0"}
    reasons = []
    if unusable := _unusable(imposed, reference):
        reasons.append(f"the imposed run gave {unusable}")
    else:
        between = psnr_float(reference, imposed)
        result |= {
            "psnr_between": finite(between),
            "identical": math.isinf(between),
            "max_abs": float(np.abs(reference - imposed).max()),
        }
        if not between >= limits.psnr_between_db:
            reasons.append(f"outputs agree to {between:.2f} dB only, at least {limits.psnr_between_db:g} is asked")
    if unusable := _unusable(free, reference):
        reasons.append(f"the free run gave {unusable}")
    else:
        result |= {
            "psnr_between_free": finite(psnr_float(reference, free)),
            "max_abs_free": float(np.abs(reference - free).max()),
        }
        if truth is not None:
            result |= _against_truth(reference, free, truth)
            if not abs(result["psnr_delta_db"]) <= limits.psnr_delta_db:
                reasons.append(f"PSNR differs by {result['psnr_delta_db']:+.5f} dB, limit {limits.psnr_delta_db:g}")
    missing = dict.fromkeys(("psnr_between", "max_abs", "psnr_reference", "psnr_port", "psnr_delta_db", "ssim_delta"))
    return {"verdict": "fail" if reasons else "pass", "reasons": reasons, **missing, **result}


def _unusable(frames: np.ndarray | None, reference: np.ndarray) -> str | None:
    """Why frames cannot be scored, or None."""
    if frames is None:
        return "no frames: it broke off"
    if frames.shape != reference.shape:
        return f"frames of shape {frames.shape}, the reference {reference.shape}"
    bad = int(frames.size - np.isfinite(frames).sum())
    return f"frames with {bad} NaN or infinite values" if bad else None


def limit_in_words(limits: Tolerances, with_truth: bool) -> str:
    """What the stage asks for."""
    asked = f"PSNR between the outputs >= {limits.psnr_between_db:g} dB, decisions imposed"
    return asked + (f"; PSNR to ground truth within {limits.psnr_delta_db:g} dB, free" if with_truth else "")


def _against_truth(reference: np.ndarray, free: np.ndarray, truth: np.ndarray) -> dict[str, object]:
    expected = (reference.shape[0], *reference.shape[2:], 3)
    if truth.shape != expected:
        raise PortError(
            f"ground truth has {truth.shape[0]} frames of {truth.shape[2]}x{truth.shape[1]}, the outputs "
            f"{expected[0]} of {expected[2]}x{expected[1]}. Give the frames the input was made from."
        )
    ref, port = (score_clip(to_uint8(frames.transpose(0, 2, 3, 1)), truth) for frames in (reference, free))
    return {
        "psnr_reference": ref.mean_psnr,
        "psnr_port": port.mean_psnr,
        "psnr_delta_db": 0.0
        if port.mean_psnr == ref.mean_psnr
        else port.mean_psnr - ref.mean_psnr,  # both may be infinite
        "ssim_reference": ref.mean_ssim,
        "ssim_port": port.mean_ssim,
        "ssim_delta": port.mean_ssim - ref.mean_ssim,
        "frames": len(truth),
    }
