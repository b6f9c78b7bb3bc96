"""BI or BD of a whole tree of frames: parallel, resumable, nothing half-written."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from port import console
from port.degrade.blur import STEP, blur_down
from port.degrade.imresize import imresize, resized
from port.errors import PortError, UsageError
from port.files import make_folder, write_json
from port.video.clip import PICTURES
from port.video.pictures import picture_size, read_picture, write_picture
from port.workers import spread

SETTINGS = "degradation.json"  # in the target: which settings made the frames there


@dataclass(frozen=True)
class Degradation:
    """How low resolution is made.

    kind     "bi" or "bd"
    scale    by which width and height are divided; of BD always 4
    modcrop  first cut the frame, at the right and below, to a multiple of the scale
    """

    kind: str
    scale: float = STEP
    modcrop: bool = False

    def __post_init__(self):
        if self.kind == "bd" and self.scale != STEP:
            raise UsageError(f"BD is defined for x{STEP} only: its blur goes with every {STEP}th pixel. Use bi.")
        if not 1 < self.scale < 1e4:
            raise UsageError(f"--scale is the factor by which frames become smaller: above 1, found {self.scale:g}.")
        if self.modcrop and self.scale != int(self.scale):
            raise UsageError(f"--modcrop needs a whole --scale, found {self.scale:g}.")

    def cropped(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of what is kept of a frame."""
        return tuple(n - n % int(self.scale) for n in size) if self.modcrop else size

    def size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of the low resolution of a frame. BI rounds up, BD down, as their MATLAB originals do."""
        return tuple(n // STEP if self.kind == "bd" else resized(n, 1 / self.scale) for n in self.cropped(size))

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """(h, w, 3) uint8 -> (*size, 3) uint8"""
        h, w = self.cropped(frame.shape[:2])
        frame = frame[:h, :w]
        return blur_down(frame) if self.kind == "bd" else imresize(frame, 1 / self.scale)


def degrade_tree(source: Path, target: Path, how: Degradation, workers: int, quiet: bool = False) -> dict[str, object]:
    """Make `target` a tree like `source` with PNG frames of low resolution; finished ones are kept.

    -> counts of frames `made`, `redone` (older than their source, of another size, or unreadable) and `kept`; `failed`:
    what was wrong with unreadable sources, which do not stop the others; `uneven`: sources whose size is no multiple
    """
    start = time.perf_counter()
    tasks = frame_tasks(source, target)
    claim(target, how)
    for folder in sorted({made.parent for _, made in tasks}):
        make_folder(folder)
    outcomes = []
    with console.progress(quiet) as display:
        bar = display.add_task(how.kind.upper(), total=len(tasks))
        for outcome in spread(partial(degrade_frame, how), tasks, workers):
            outcomes.append(outcome)
            display.advance(bar)
    counts = {word: sum(outcome[0] == word for outcome in outcomes) for word in ("made", "redone", "kept")}
    return {
        **asdict(how),
        "frames": len(tasks),
        **counts,
        "failed": sorted(text for word, text in outcomes if word == "failed"),
        "uneven": sum(word != "failed" and text == "uneven" for word, text in outcomes),
        "seconds": round(time.perf_counter() - start, 2),
    }


def degrade_frame(how: Degradation, task: tuple[Path, Path]) -> tuple[str, str]:
    """Make one frame unless it is there. -> what was done, and `uneven` or the reason of a failure"""
    source, target = task
    try:
        size = picture_size(source)
        word = state(source, target, how.size(size))
        if word != "kept":
            low = how(read_picture(source))
    except PortError as error:
        return "failed", str(error)
    if word != "kept":
        write_picture(target, low, lasting=False)  # lost in a power cut, it is made again
    return word, "uneven" if any(n % how.scale for n in how.cropped(size)) else ""


def state(source: Path, target: Path, size: tuple[int, int]) -> str:
    """`made` where the target is missing, `redone` where it is stale, `kept` where it is as it should be."""
    if not target.exists():
        return "made"
    try:
        fits = picture_size(target) == size
    except PortError:
        fits = False
    return "kept" if fits and target.stat().st_mtime >= source.stat().st_mtime else "redone"


def frame_tasks(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """(frame, its low resolution) of all pictures in a folder and the folders below. Raises PortError if there is none."""
    if not source.is_dir():
        raise PortError(f"cannot read {source}: there is no such folder. Name a folder of frames, or of clip folders.")
    inside, whole = target.resolve(), source.resolve()
    if inside == whole or whole in inside.parents:
        raise UsageError(f"the target {target} lies in the source {source}. Name a folder beside it.")
    tasks = [(path, (target / path.relative_to(source)).with_suffix(".png")) for path in pictures_below(source)]
    if not tasks:
        raise PortError(f"cannot read {source}: no picture in it or below ({' '.join(PICTURES)}).")
    if len({made for _, made in tasks}) < len(tasks):
        raise PortError(f"{source} holds pictures that differ in their extension only; keep one of each.")
    return tasks


def pictures_below(folder: Path) -> Iterator[Path]:
    """All pictures in a folder and below, sorted folder by folder; links are followed, hidden names passed over."""
    for name, folders, files in os.walk(folder, followlinks=True):
        place = Path(name)
        if place.resolve() in [above.resolve() for above in place.parents if above.is_relative_to(folder)]:
            folders.clear()  # a link back up: all of it has been seen on the way here
            continue
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        yield from (place / file for file in sorted(files) if is_picture(file))


def is_picture(file: str) -> bool:
    """By its name."""
    return Path(file).suffix.lower() in PICTURES and not file.startswith(".")


def claim(target: Path, how: Degradation) -> None:
    """Record the settings in the target. Raises PortError where frames lie there that others made."""
    record = make_folder(target) / SETTINGS
    if record.exists():
        try:
            earlier = json.loads(record.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise PortError(f"cannot read {record} ({error}). Name another folder.") from error
        if earlier != asdict(how):
            raise PortError(f"{target} holds frames made with {earlier}, asked for {asdict(how)}. Name another folder.")
    elif next(pictures_below(target), None):
        raise PortError(f"{target} holds pictures that this command has not made. Name another folder.")
    write_json(record, asdict(how))
