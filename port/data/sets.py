"""The data sets by name: where their clips are, and how results on them are counted."""

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from port.data.benchmarks import UDM10, VID4, find_benchmark, find_folder
from port.data.clips import ClipFolders, ClipPair, pair_frames
from port.data.reds import REDS4, SPLITS, TRAINING, find_reds
from port.data.vimeo90k import find_vimeo90k
from port.errors import UsageError

DEGRADATIONS = ("BI", "BD")


@dataclass(frozen=True)
class SetFacts:
    """What publications on a data set agree about.

    split        which clips are meant where none is named
    channel      what is scored: "rgb", or "y" (BT.601 studio range, not rounded); see port/metrics/score.py
    crop         pixels left out on each side before scoring
    degradation  how low resolution was made: "BI" (MATLAB's bicubic), "BD" (Gaussian and every fourth pixel), None unknown
    scored       "all" frames, or "centre": frame 4 of 7, from an input mirrored to 28
    clips        number of clips of `split`; None where any number will do
    frames       per clip; None where clips differ
    """

    name: str
    split: str
    channel: str
    degradation: str | None
    crop: int = 0
    scored: str = "all"
    clips: int | None = None
    frames: int | None = None


SETS = {
    facts.name: facts
    for facts in (
        SetFacts("reds", "train", "rgb", "BI", clips=len(TRAINING), frames=100),
        SetFacts("reds4", "test", "rgb", "BI", clips=len(REDS4), frames=100),
        SetFacts("vimeo90k", "train", "y", "BD", scored="centre", clips=64612, frames=7),
        SetFacts("vimeo90k_t", "test", "y", "BD", scored="centre", clips=7824, frames=7),
        SetFacts("vid4", "test", "y", "BD", clips=len(VID4)),
        SetFacts("udm10", "test", "y", "BD", clips=len(UDM10)),
        SetFacts("folder", "all", "rgb", None),
    )
}


def set_facts(name: str) -> SetFacts:
    """The facts of a data set. Raises UsageError with the nearest name for one that is not known."""
    if name not in SETS:
        near = get_close_matches(name, SETS, 1)
        raise UsageError(
            f"there is no data set {name!r}{f' (nearest: {near[0]})' if near else ''}; known: {', '.join(SETS)}."
        )
    return SETS[name]


def expected_clips(name: str, split: str | None = None) -> tuple[str, ...] | None:
    """The clips a split should hold, by name; None where they have no fixed names."""
    facts = set_facts(name)
    if name.startswith("reds"):
        return SPLITS[split or facts.split]
    return {"vid4": VID4, "udm10": UDM10}.get(name)


def open_set(
    name: str,
    root: Path | str,
    split: str | None = None,
    degradation: str | None = None,
    gt: Path | str | None = None,
) -> list[ClipPair]:
    """The clips of a data set, sorted by name (Vimeo-90K: in the order of its list).

    name         reds, reds4, vimeo90k, vimeo90k_t, vid4, udm10, folder
    root         the folder that holds the data set; of `folder` the low-resolution clips, or the frames of one
    split        of reds and vimeo90k: train, test, all
    degradation  of Vimeo-90K, Vid4, UDM10: which low resolution, "BI" or "BD"; without it as set_facts says
    gt           of `folder`: the ground truth, laid out like `root`
    Raises PortError where folders or frames are missing, UsageError for what the data set does not have.
    """
    return [pair_frames(clip) for clip in find_clips(name, root, split, degradation, gt)]


def find_clips(
    name: str,
    root: Path | str,
    split: str | None = None,
    degradation: str | None = None,
    gt: Path | str | None = None,
) -> list[ClipFolders]:
    """As `open_set`, but only the folders: their frames are not looked at."""
    facts, root = set_facts(name), Path(root)
    split = split or facts.split
    if split not in SPLITS or (name not in ("reds", "vimeo90k") and split != facts.split):
        has = ", ".join(SPLITS) if name in ("reds", "vimeo90k") else facts.split
        raise UsageError(f"{name} has no split {split!r}; it has: {has}.")
    if gt is not None and name != "folder":
        raise UsageError(f"{name} finds its ground truth by itself; a separate one goes with `folder` only.")
    if name == "folder":
        return find_folder(root, Path(gt) if gt else None)
    degradation = (degradation or facts.degradation).upper()
    if degradation not in DEGRADATIONS or (name.startswith("reds") and degradation != "BI"):
        has = "BI" if name.startswith("reds") else " and ".join(DEGRADATIONS)
        raise UsageError(f"{name} has no degradation {degradation!r}; it has {has}.")
    if name.startswith("reds"):
        return find_reds(root, split)
    if name.startswith("vimeo90k"):
        return find_vimeo90k(root, split, degradation)
    return find_benchmark(name, root, degradation)
