"""Clips of a data set: the frames of low resolution and those of the ground truth, side by side."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from port.errors import PortError
from port.video.pictures import list_pictures


@dataclass(frozen=True, slots=True)
class Frames(Sequence):
    """Paths of files in one folder. As paths, the million frames of Vimeo-90K would take a gigabyte in every process."""

    folder: str
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return tuple(Path(self.folder, name) for name in self.names[index])
        return Path(self.folder, self.names[index])


@dataclass(frozen=True)
class ClipPair:
    """One clip: paths of its frames in display order.

    name  as the data set names it: `000`, `00001/0001`, `calendar`
    lq    low resolution
    gt    ground truth, as many as `lq` and in the same order; empty where there is none
    """

    name: str
    lq: Sequence[Path]
    gt: Sequence[Path] = ()


@dataclass(frozen=True)
class ClipFolders:
    """Where a clip lies, before anything of it was looked at.

    gt      None where there is no ground truth
    frames  file names where the data set prescribes them; None: all pictures of the folder
    """

    name: str
    lq: Path
    gt: Path | None = None
    frames: tuple[str, ...] | None = None


def pair_frames(clip: ClipFolders) -> ClipPair:
    """The frames of a clip. Raises PortError where low resolution and truth do not hold the same frames.

    Prescribed names are taken as they are, without a look at the disk: of Vimeo-90K that would be a million looks.
    """
    for folder in filter(None, (clip.lq, clip.gt)):
        if not clip.frames and not folder.is_dir():
            raise PortError(
                f"clip {clip.name}: there is no folder {folder}. Complete the data set, or leave the clip out."
            )
    if clip.frames:
        return ClipPair(
            clip.name, Frames(str(clip.lq), clip.frames), Frames(str(clip.gt), clip.frames) if clip.gt else ()
        )
    lq = list_pictures(clip.lq)
    if not lq:
        raise PortError(f"clip {clip.name}: there is no picture in {clip.lq}.")
    gt = list_pictures(clip.gt) if clip.gt else []
    if clip.gt and (difference := unpaired(lq, gt)):
        raise PortError(
            f"clip {clip.name}: {difference} ({clip.lq} and {clip.gt}). Complete it, or leave the clip out."
        )
    return ClipPair(clip.name, _frames(clip.lq, lq), _frames(clip.gt, gt) if clip.gt else ())


def _frames(folder: Path, paths: Sequence[Path]) -> Frames:
    return Frames(str(folder), tuple(path.name for path in paths))


def unpaired(lq: Sequence[Path], gt: Sequence[Path]) -> str | None:
    """In words, which frames only one side holds; None where every frame has its partner.

    Frames belong together by name, or where the names differ, by their number counted from the first frame of their side.
    """
    if [path.stem for path in lq] == [path.stem for path in gt] or (gt and _counted(lq) == _counted(gt) is not None):
        return None
    left, right = {path.stem for path in lq}, {path.stem for path in gt}
    words = [f"{len(lq)} frames of low resolution, {len(gt)} of the truth"]
    for side, missing in (("low resolution", right - left), ("the truth", left - right)):
        if missing and len(missing) < max(len(left), len(right)):  # otherwise the names have nothing in common
            words.append(f"{side} lacks {shortened(sorted(missing))}")
    return "; ".join(words)


def _counted(paths: Sequence[Path]) -> list[int] | None:
    """Frame numbers from 0, or None where a name ends in no number."""
    numbers = [frame_number(path) for path in paths]
    return None if None in numbers else [number - numbers[0] for number in numbers]


def frame_number(path: Path) -> int | None:
    """The number a file's name ends in; None if it ends in none."""
    found = re.search(r"[0-9]+$", path.stem)
    return int(found[0]) if found else None


def subfolders(folder: Path) -> dict[str, Path]:
    """Folders in a folder by name, sorted; hidden ones are passed over."""
    try:
        return {path.name: path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")}
    except OSError as error:
        raise PortError(f"cannot read the folder {folder}: {error.strerror}.") from error


def shortened(names: Sequence[object], limit: int = 5) -> str:
    """The first few of many names, and how many more there are."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(str(name) for name in names[:limit]) + more
