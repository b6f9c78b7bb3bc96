"""REDS as its zip files unpack, regrouped: the original validation clips 000..029 become 240..269."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from port import console
from port.data.clips import shortened, subfolders
from port.errors import PortError
from port.files import explain_os_error, make_folder

TRAIN, VALIDATION = 240, 30  # clips of the original training and validation sets
# what each zip unpacks to below train/ or val/, and its place in the layout of the seed page
SIDES = {"{}_sharp": "trainval_sharp", "{}_sharp_bicubic/X4": "trainval_sharp_bicubic/X4"}


@dataclass(frozen=True)
class Step:
    """One clip folder and the place it is to be found at."""

    source: Path
    target: Path


def regroup(source: Path, target: Path | None = None, copy: bool = False, quiet: bool = False) -> dict[str, object]:
    """Link (or copy) clips so that one folder holds 000..269, for truth and low resolution.

    source  where the zips were unpacked: it holds train/train_sharp, val/val_sharp and so on
    target  None: only the validation clips are added, to the training folders (layout of the official repository); otherwise
            all clips are put into trainval_sharp and trainval_sharp_bicubic/X4 there (layout of the seed page)
    copy    copies instead of relative links
    -> counts of clips `linked` or `copied`, and `kept`: those that were there as they should be
    Raises PortError where a place is taken by something else; nothing is changed then.
    """
    steps = list(plan(source, target))
    todo = [step for step in steps if not is_done(step)]
    if taken := [step.target for step in todo if step.target.exists() or step.target.is_symlink()]:
        raise PortError(
            f"regroup: {shortened(taken)} is there already and not what would be put there. Nothing was changed; "
            "move it away, or name another target folder."
        )
    with console.progress(quiet) as display:
        for step in display.track(todo, description="copying" if copy else "linking"):
            make_folder(step.target.parent)
            try:
                _copy(step) if copy else _link(step)
            except OSError as error:
                hint = "" if copy else " If this disk cannot hold links, use --copy."
                raise PortError(explain_os_error(error, step.target) + hint) from error
    return {"linked": 0 if copy else len(todo), "copied": len(todo) if copy else 0, "kept": len(steps) - len(todo)}


def plan(source: Path, target: Path | None) -> Iterator[Step]:
    """What has to be where."""
    found = False
    for pattern, regrouped in SIDES.items():
        train, val = (_unpacked(source, kind, pattern.format(kind)) for kind in ("train", "val"))
        if not train or not val:
            continue
        found = True
        clips = _numbered(val, VALIDATION)
        place = target / regrouped if target else train
        yield from (Step(path, place / f"{TRAIN + int(name):03d}") for name, path in clips.items())
        if target:
            yield from (Step(path, place / name) for name, path in _numbered(train, TRAIN).items())
    if not found:
        raise PortError(
            f"regroup: {source} holds no unpacked REDS. Looked for train/train_sharp with val/val_sharp, and "
            "train/train_sharp_bicubic/X4 with val/val_sharp_bicubic/X4; found "
            f"{shortened(list(subfolders(source))) or 'no folder'}. Unpack the zip files of REDS there."
        )


def _unpacked(source: Path, kind: str, folder: str) -> Path | None:
    """The folder of a zip, with or without the folder that the zip has around it."""
    return next((place for place in (source / kind / folder, source / folder) if place.is_dir()), None)


def _numbered(folder: Path, count: int) -> dict[str, Path]:
    """The clips 000.. of a folder; a warning for those that are missing."""
    there = subfolders(folder)
    wanted = [f"{index:03d}" for index in range(count)]
    if missing := [name for name in wanted if name not in there]:
        console.warn(f"regroup: {folder} lacks {shortened(missing)}")
    return {name: there[name] for name in wanted if name in there}


def is_done(step: Step) -> bool:
    """Whether the target is the source, or a folder with files of the same names and sizes."""
    if not step.target.is_dir():
        return False
    return step.target.resolve() == step.source.resolve() or _listing(step.target) == _listing(step.source)


def _listing(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in folder.iterdir()}


def _link(step: Step) -> None:
    """Relative, so that the data set can be moved as a whole."""
    step.target.symlink_to(
        os.path.relpath(step.source.resolve(), step.target.parent.resolve()), target_is_directory=True
    )


def _copy(step: Step) -> None:
    """A folder gets its name when all of it is there."""
    draft = step.target.with_name(f".{step.target.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        shutil.copytree(step.source, draft)
        draft.rename(step.target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
