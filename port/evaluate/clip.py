"""One clip: read, through the network, scored."""

from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from port.data.clips import ClipPair
from port.errors import PortError
from port.evaluate.centre import SEPTUPLET, centre_frame, mirrored_twice
from port.evaluate.conditions import Conditions
from port.files import make_folder
from port.metrics.levels import to_uint8
from port.metrics.score import score_clip
from port.models.ttvsr import TOKEN_STRIDE
from port.parity.probe import Probe
from port.stream.network import Timed, Upscale, crop_output, prepare
from port.video.clip import Clip, check_bytes
from port.video.pictures import read_picture, read_pictures, write_picture


def evaluate_clip(
    clip: ClipPair, conditions: Conditions, upscale: Upscale, probe: Probe, save: Path | None = None
) -> dict[str, object]:
    """Enlarge and score a clip whose frames are those to be taken (`taken`). -> the record that is kept of it

    save  folder for the frames that were scored, as SAVE/CLIP/NAME.png
    seconds of the record is the time of the network, from the array it is given to the array it returns.
    """
    centre = conditions.scored == "centre"
    frames = read_frames(clip.lq)
    given = Clip(mirrored_twice(frames) if centre else frames, None, [])
    with _memory_errors(clip.name, given.frames):
        lrs = prepare(given, conditions.token_stride or TOKEN_STRIDE)
        made = Timed(upscale, lrs, probe)
        output = (crop_output(frame[:, None], 1, given.frames.shape[1:3]) for frame in made)
        # picture by picture: 100 frames of 1280x720 are 1.1 GB in float32
        scored = as_pictures([centre_frame(np.concatenate(list(output), axis=1))] if centre else output)
        truth = scored_paths(clip.gt, conditions)
        score = score_clip(scored, [read_picture(path) for path in truth], conditions.channel, conditions.crop)
    for path, picture in zip(pictures_of(clip, conditions, save), scored if save else (), strict=True):
        make_folder(path.parent)
        write_picture(path, picture, lasting=False)
    h, w = frames.shape[1:3]
    return {"clip": clip.name, **score.as_data(), "input_frames": len(given.frames), "input_size": [w, h],
            "output_size": [scored[0].shape[1], scored[0].shape[0]], "seconds": round(made.seconds, 4)}  # fmt: skip


def taken(clip: ClipPair, conditions: Conditions) -> ClipPair:
    """The frames of a clip that are read."""
    if conditions.max_frames is None:
        return clip
    return ClipPair(clip.name, clip.lq[: conditions.max_frames], clip.gt[: conditions.max_frames])


def scored_paths(paths: Sequence[Path], conditions: Conditions) -> list[Path]:
    """Those of the read frames that are scored."""
    return list(paths) if conditions.scored == "all" else [paths[SEPTUPLET // 2]]


def pictures_of(clip: ClipPair, conditions: Conditions, save: Path | None) -> list[Path]:
    """Where the scored frames are written, by the names of the input; none without `save`."""
    return [save / clip.name / f"{path.stem}.png" for path in scored_paths(clip.lq, conditions)] if save else []


def fed_frames(clip: ClipPair, conditions: Conditions) -> int:
    """How many frames the network is given."""
    return len(clip.lq) if conditions.scored == "all" else 4 * SEPTUPLET


def read_frames(paths: Sequence[Path]) -> np.ndarray:
    """Pictures of one size. -> (t, h, w, 3) uint8"""
    pictures = read_pictures(paths)
    first = next(pictures)
    check_bytes(len(paths), first.nbytes, paths[0].parent)
    frames = np.empty((len(paths), *first.shape), np.uint8)
    frames[0] = first
    for index, frame in enumerate(pictures, start=1):
        frames[index] = frame
    return frames


def as_pictures(frames: Iterable[np.ndarray]) -> list[np.ndarray]:
    """(1, 1, 3, h, w) each, nominally in [0, 1] -> (h, w, 3) uint8, one after the other to save memory"""
    return [to_uint8(np.ascontiguousarray(frame[0, 0].transpose(1, 2, 0))) for frame in frames]


@contextmanager
def _memory_errors(name: str, frames: np.ndarray):
    """Say what to do when memory runs out; frameworks report that in classes of their own."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "memory" not in str(error).lower():
            raise
        t, h, w, _ = frames.shape
        raise PortError(
            f"clip {name}: not enough memory for {t} frames of {w}x{h} as a whole, as the score asks for. Use fewer "
            "--devices at once or a larger machine; --max-frames takes fewer frames and says so in the result."
        ) from error
