"""A data set looked through from end to end: what is missing, odd or unreadable."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from port import console
from port.data.clips import ClipFolders, frame_number, shortened, unpaired
from port.data.sets import expected_clips, find_clips, set_facts
from port.errors import PortError
from port.video.pictures import list_pictures, picture_size, read_picture
from port.workers import spread

SCALE = 4
SIDES = ("low resolution", "truth")


@dataclass(frozen=True)
class Problem:
    """What is wrong with a clip. kind: `missing`, `unpaired`, `size` or `unreadable`."""

    clip: str
    kind: str
    text: str


@dataclass(frozen=True)
class Thoroughness:
    """How clips are looked at.

    frames  that a clip must have; None: any number
    fast    read the heads of pictures only: sizes, but no damage further down
    """

    frames: int | None
    fast: bool = False


def check_set(
    name: str,
    root: Path,
    split: str | None = None,
    degradation: str | None = None,
    gt: Path | None = None,
    subset: bool = False,
    fast: bool = False,
    workers: int = 0,
    quiet: bool = False,
) -> dict[str, object]:
    """Look through a data set; arguments as of `open_set`. -> counts of `clips` and `frames`, and `problems` as dicts

    subset  that not all clips and frames of the published set are there is no problem
    Raises PortError where the set cannot be found at all.
    """
    start = time.perf_counter()
    clips = find_clips(name, root, split, degradation, gt)
    problems = [] if subset else list(missing_clips(name, split, clips))
    look = partial(check_clip, Thoroughness(None if subset else set_facts(name).frames, fast))
    frames = 0
    with console.progress(quiet) as display:
        bar = display.add_task("clips", total=len(clips))
        for found, count in spread(look, clips, workers):
            problems += found
            frames += count
            display.advance(bar)
    return {
        "name": name,
        "root": str(root),
        "clips": len(clips),
        "frames": frames,
        "fast": fast,
        "problems": [
            asdict(problem) for problem in sorted(problems, key=lambda each: (each.clip, each.kind, each.text))
        ],
        "seconds": round(time.perf_counter() - start, 2),
    }


def missing_clips(name: str, split: str | None, clips: Sequence[ClipFolders]) -> Iterator[Problem]:
    """Clips of the published set that are not there."""
    wanted, there = expected_clips(name, split), {clip.name for clip in clips}
    if wanted and (missing := [each for each in wanted if each not in there]):
        yield Problem("", "missing", f"{len(missing)} of {len(wanted)} clips: {shortened(missing)}")
    count = set_facts(name).clips
    if not wanted and count and split in (None, set_facts(name).split) and len(there) != count:
        yield Problem("", "missing", f"the list names {len(there)} clips, the published one {count}")


def check_clip(how: Thoroughness, clip: ClipFolders) -> tuple[list[Problem], int]:
    """-> what is wrong, and how many files were looked at"""
    problems, sizes, files = [], {}, {}
    for side, folder in zip(SIDES, (clip.lq, clip.gt), strict=True):
        if folder is None:
            continue
        if not folder.is_dir():
            problems.append(("missing", f"there is no folder {folder}"))
            continue
        files[side], absent = frames_there(folder, clip.frames)
        if absent:
            problems.append(("missing", f"{side}: {shortened(absent)} not in {folder}"))
        elif how.frames and len(files[side]) != how.frames:
            problems.append(("missing", f"{side}: {len(files[side])} of {how.frames} frames in {folder}"))
        sizes[side], bad = measured(files[side], how.fast)
        problems += [("unreadable", text) for text in bad]
        problems += [("size", f"{side}: {text}") for text in odd_sizes(sizes[side])]
    if len(files) == 2 and not clip.frames and (difference := unpaired(*files.values())):
        problems.append(("unpaired", difference))
    if len(sizes) == 2 and all(sizes.values()) and (text := wrong_scale(*map(usual, sizes.values()))):
        problems.append(("size", text))
    return [Problem(clip.name, kind, text) for kind, text in problems], sum(map(len, files.values()))


def frames_there(folder: Path, prescribed: Sequence[str] | None) -> tuple[list[Path], list[str]]:
    """Frames of a folder, and names or numbers of those that should be there: prescribed, or between first and last."""
    if prescribed:
        there = [folder / name for name in prescribed if (folder / name).is_file()]
        return there, [name for name in prescribed if folder / name not in there]
    paths = list_pictures(folder)
    numbers = [frame_number(path) for path in paths]
    if not paths or None in numbers:
        return paths, [] if paths else ["any frame"]
    gaps = sorted(set(range(min(numbers), max(numbers))) - set(numbers))
    return paths, [f"frame {number}" for number in gaps]


def measured(paths: Sequence[Path], fast: bool) -> tuple[dict[str, tuple[int, int]], list[str]]:
    """(height, width) by file name, and what is wrong with unreadable files."""
    sizes, bad = {}, []
    for path in paths:
        try:
            sizes[path.name] = picture_size(path) if fast else read_picture(path).shape[:2]
        except PortError as error:
            bad.append(str(error))
    return sizes, bad


def usual(sizes: dict[str, tuple[int, int]]) -> tuple[int, int]:
    """The size that most frames have."""
    return Counter(sizes.values()).most_common(1)[0][0]


def odd_sizes(sizes: dict[str, tuple[int, int]]) -> Iterator[str]:
    """In words, frames that are not as large as the others."""
    odd = [f"{name} is {w}x{h}" for name, (h, w) in sizes.items() if (h, w) != usual(sizes)]
    if odd:
        h, w = usual(sizes)
        yield f"{shortened(odd)}; the others are {w}x{h}"


def wrong_scale(low: tuple[int, int], truth: tuple[int, int]) -> str | None:
    """In words, that the truth is not four times the low resolution; None if it is."""
    if truth == (SCALE * low[0], SCALE * low[1]):
        return None
    expected = f"{SCALE * low[1]}x{SCALE * low[0]}"
    return f"truth is {truth[1]}x{truth[0]}, {SCALE} times the low resolution {low[1]}x{low[0]} is {expected}"
