"""REDS: 240 training and 30 validation clips of 100 frames, regrouped as 000..269; REDS4 are four of them."""

import re
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


def find_reds(root: Path, split: str) -> list[ClipFolders]:
    """The clips of a split: `train` all but REDS4, `test` REDS4, `all`."""
    layout = find_layout("reds4" if split == "test" else "reds", root, (*LAYOUTS, *ONLY_REDS4 * (split == "test")))
    lq, gt = (_numbered(root / folder) for folder in (layout.lq, layout.gt))
    wanted = {"train": TRAINING, "test": REDS4, "all": CLIPS}[split]
    both = [name for name in wanted if name in lq and name in gt]
    missing = [name for name in wanted if name not in both]
    if (split == "test" and missing) or not both:
        raise PortError(f"reds: clip {shortened(missing)} is not in both {root / layout.lq} and {root / layout.gt}.")
    if missing:
        advice = " 240..269 are the validation clips: `python -m port data regroup`" if "240" in missing else ""
        warn(f"reds: {len(both)} of {len(wanted)} clips are in {root}; {shortened(missing)} are not.{advice}")
    return [ClipFolders(name, lq[name], gt[name]) for name in both]


def _numbered(folder: Path) -> dict[str, Path]:
    """Clip folders by name; what is not called by three digits is no clip of REDS."""
    return {name: path for name, path in subfolders(folder).items() if re.fullmatch("[0-9]{3}", name)}
