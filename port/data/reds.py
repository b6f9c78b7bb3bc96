"""REDS: 240 training and 30 validation clips of 100 frames, regrouped as 000..269; REDS4 are four of them."""

from pathlib import Path

from port.console import warn
from port.data.clips import ClipFolders, shortened, subfolders
from port.data.layout import Layout, find_layout
from port.errors import PortError

REDS4 = ("000", "011", "015", "020")
CLIPS = tuple(f"{index:03d}" for index in range(270))
TRAINING = tuple(name for name in CLIPS if name not in REDS4)
LAYOUTS = (
    Layout("trainval_sharp_bicubic/X4", "trainval_sharp", "regrouped in folders of its own"),
    Layout("train/train_sharp_bicubic/X4", "train/train_sharp", "regrouped among the training clips"),
)
ONLY_REDS4 = (Layout("sharp_bicubic", "GT"), Layout("BIx4", "GT"), Layout("LQ", "GT"))


SPLITS = {"train": TRAINING, "test": REDS4, "all": CLIPS}


def find_reds(root: Path, split: str) -> list[ClipFolders]:
    """The clips of a split: `train` all but REDS4, `test` REDS4, `all`. One side of a clip may be missing.

    Of `test` all four are given in any case; of the others those that are there, with a warning for the rest.
    """
    layout = find_layout("reds4" if split == "test" else "reds", root, (*LAYOUTS, *ONLY_REDS4 * (split == "test")))
    lq, gt = root / layout.lq, root / layout.gt
    there, wanted = subfolders(lq).keys() | subfolders(gt).keys(), SPLITS[split]
    found = [name for name in wanted if name in there or split == "test"]
    missing = [name for name in wanted if name not in found]
    if not found:
        raise PortError(f"reds: {lq} holds none of the clips {wanted[0]} to {wanted[-1]}.")
    if missing:
        advice = " 240 to 269 are the validation clips: see `python -m port data regroup`." if "240" in missing else ""
        warn(f"reds: {len(found)} of {len(wanted)} clips are in {root}; {shortened(missing)} are not.{advice}")
    return [ClipFolders(name, lq / name, gt / name) for name in found]
