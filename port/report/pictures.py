"""The frames a reviewer looks at: input, both outputs, their difference made visible, ground truth."""

import io
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

WIDEST = 960  # pixels; larger outputs are shown reduced by a whole number
JPEG_QUALITY = 88
HIGHEST_POWER = 12  # of the amplification: smaller differences than 1e-12 are far below float32
NOT_A_NUMBER = np.array((255, 0, 255), np.uint8)  # magenta, which neither a photograph nor a grey difference shows
TITLES = {
    "input": "Input, enlarged without smoothing",
    "reference": "Reference",
    "port": "Port",
    "difference": "Difference",
    "truth": "Ground truth",
}


@dataclass(frozen=True)
class Picture:
    """One picture, encoded."""

    kind: str  # a key of TITLES
    frame: int
    title: str
    jpeg: bytes
    width: int
    height: int

    @property
    def file_name(self) -> str:
        """Where it lies beside report.md."""
        return f"frame-{self.frame:03d}-{self.kind}.jpg"


@dataclass(frozen=True)
class FrameStrip:
    """All pictures of one frame of the clip, and what is to be said about them."""

    frame: int
    chosen: str
    pictures: list[Picture]
    remark: str


def make_strips(frames: dict[str, np.ndarray | None]) -> list[FrameStrip]:
    """Pictures of the middle frame and of the one where the outputs differ most.

    frames: input (t, 3, h, w), reference and port (t, 3, 4h, 4w) float, truth (t, 4h, 4w, 3) uint8; the last three may
    be None, and the port's of another shape.
    """
    reference, port = frames["reference"], frames["port"]
    if reference is None or not len(reference):
        return []
    difference = difference_of(reference, port)
    chosen = choose_frames(len(reference), difference)
    factor = amplification(difference) if difference is not None else 1
    return [_strip(index, why, frames, difference, factor) for index, why in chosen.items()]


def difference_of(reference: np.ndarray, port: np.ndarray | None) -> np.ndarray | None:
    """Largest of the three channels' absolute differences. (t, 3, h, w) twice -> (t, h, w) float64, or None"""
    if port is None or port.shape != reference.shape:
        return None
    return np.abs(reference.astype(np.float64) - port).max(axis=1)


def choose_frames(total: int, difference: np.ndarray | None) -> dict[int, str]:
    """Which frames are shown, and why, in the order of the clip."""
    middle = total // 2
    chosen = {middle: "middle of the clip"}
    if difference is not None and difference.any():
        worst = int(np.where(np.isfinite(difference), difference, np.inf).max(axis=(1, 2)).argmax())
        apart = "where the outputs differ most"
        chosen[worst] = f"{chosen[middle]} and {apart}" if worst == middle else apart
    return dict(sorted(chosen.items()))


def amplification(difference: np.ndarray) -> int:
    """The power of ten that makes a difference visible: it brings the 99th percentile as near to 1 as it can.

    Pixels without any difference do not count, lest a difference in few places stay invisible; at least 1.
    """
    seen = difference[np.isfinite(difference) & (difference > 0)]
    if not seen.size:
        return 1
    high = float(np.quantile(seen, 0.99))
    return 10 ** min(max(0, round(-math.log10(high))), HIGHEST_POWER)


def amplified(difference: np.ndarray, factor: int) -> np.ndarray:
    """(h, w) -> (h, w, 3) uint8: grey, black where equal, white from 1/factor on, magenta where not a number."""
    finite = np.isfinite(difference)
    levels = np.rint(np.clip(np.where(finite, difference, 0) * factor, 0, 1) * 255).astype(np.uint8)
    return np.where(finite[..., None], levels[..., None], NOT_A_NUMBER)


def viewable(frame: np.ndarray) -> np.ndarray:
    """A frame of a network as a picture. (3, h, w) float -> (h, w, 3) uint8, magenta where not a number"""
    pixels = frame.transpose(1, 2, 0)
    finite = np.isfinite(pixels).all(axis=2, keepdims=True)
    levels = np.rint(np.clip(np.where(finite, pixels, 0), 0, 1) * 255)
    return np.where(finite, levels, NOT_A_NUMBER).astype(np.uint8)


def _strip(index: int, why: str, frames: dict, difference: np.ndarray | None, factor: int) -> FrameStrip:
    reference, port, truth = frames["reference"], frames["port"], frames["truth"]
    height, width = reference.shape[2:]
    step = -(-width // WIDEST)
    pictures = []

    def add(kind: str, pixels: np.ndarray, title: str = "", reduce: int = step) -> None:
        pictures.append(_encode(kind, index, title or TITLES[kind], pixels, reduce))

    add("input", _enlarged(viewable(frames["input"][index]), width, height))
    add("reference", viewable(reference[index]))
    if port is not None and port.ndim == 4 and port.shape[1] == 3 and index < len(port):
        add("port", viewable(port[index]))
    if difference is not None:
        largest = _largest_of_blocks(difference[index], step)
        add("difference", amplified(largest, factor), _difference_title(factor), reduce=1)
    if truth is not None and index < len(truth):
        add("truth", truth[index])
    return FrameStrip(index, why, pictures, _remark(port, difference, index, factor, step))


def _difference_title(factor: int) -> str:
    return f"|reference \u2212 port| x {factor:,}".replace(",", "\u202f")


def _remark(port: np.ndarray | None, difference: np.ndarray | None, index: int, factor: int, step: int) -> str:
    """What the difference picture shows, in words."""
    reduced = f" Shown at 1/{step} of their size." if step > 1 else ""
    if difference is None:
        why = "gave no frames" if port is None else f"gave frames of another shape {tuple(port.shape)}"
        return f"There is no difference picture: the port {why}.{reduced}"
    largest = difference[index].max()
    if largest == 0:
        return f"The two outputs are identical in this frame: the difference is black throughout.{reduced}"
    lost = int((~np.isfinite(difference[index])).sum())
    if lost:
        return f"{lost:,} pixels are NaN or infinite and shown in magenta.{reduced}"
    return (
        f"Difference: black is equal, white a difference of {1 / factor:g} or more in outputs that range from 0 to 1; "
        f"the largest here is {largest:.2g}.{reduced}"
    )


def _largest_of_blocks(values: np.ndarray, step: int) -> np.ndarray:
    """Reduce by a whole number, keeping the largest of each block: an average would hide a single wrong pixel."""
    if step == 1:
        return values
    h, w = values.shape
    padded = np.pad(values, ((0, -h % step), (0, -w % step)), mode="edge")
    return padded.reshape(padded.shape[0] // step, step, padded.shape[1] // step, step).max(axis=(1, 3))


def _enlarged(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.NEAREST))


def _encode(kind: str, frame: int, title: str, pixels: np.ndarray, step: int) -> Picture:
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if step > 1:
        image = image.reduce(step)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return Picture(kind, frame, title, buffer.getvalue(), *image.size)
