"""Vimeo-90K: septuplets of 448x256 pixels, named by list files."""

import re
from pathlib import Path

from port.data.clips import ClipFolders
from port.data.layout import Layout, check_root, find_layout
from port.errors import PortError

FRAMES = tuple(f"im{number}.png" for number in range(1, 8))
LISTS = {"train": "sep_trainlist.txt", "test": "sep_testlist.txt"}
LISTED = re.compile("[0-9]{5}/[0-9]{4}")  # nothing else: a line becomes part of a path
# degradation -> folders of low resolution, with the truth that stands beside them in the distributions
LAYOUTS = {
    "BD": (
        Layout("sequences_BD", "sequences", "BD"),
        Layout("BDx4", "GT", "BD"),
        Layout("BD", "sequences", "BD"),
    ),
    "BI": (
        Layout("sequences_BI", "sequences", "BI"),
        Layout("BIx4", "GT", "BI"),
        Layout("BI", "sequences", "BI"),
        Layout("vimeo_septuplet_matlabLRx4/sequences", "vimeo_septuplet/sequences", "BI"),
    ),
}


def find_vimeo90k(root: Path, split: str, degradation: str) -> list[ClipFolders]:
    """The septuplets of a list file (`train`, `test`, or `all` for both), with low resolution of the degradation."""
    name = {"train": "vimeo90k", "test": "vimeo90k_t", "all": "vimeo90k"}[split]
    check_root(name, root)
    layout = find_layout(f"{name} ({degradation})", root, LAYOUTS[degradation])
    names = [line for kind in LISTS if split in (kind, "all") for line in read_list(root, LISTS[kind])]
    return [ClipFolders(line, root / layout.lq / line, root / layout.gt / line, FRAMES) for line in names]


def read_list(root: Path, file: str) -> list[str]:
    """The septuplets a list file names, in its order. Raises PortError with the line where it is no such file."""
    places = [folder / file for folder in (root, root / "vimeo_septuplet")]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise PortError(f"vimeo90k: {file} is neither in {root} nor in {places[1].parent}. It comes with the data set.")
    names = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if not line.strip():
            continue
        if not LISTED.fullmatch(line.strip()):
            raise PortError(f"{path}, line {number}: expected a septuplet such as 00001/0001, found {line[:60]!r}.")
        names.append(line.strip())
    if not names or len(set(names)) < len(names):
        raise PortError(f"{path} names {'a septuplet twice' if names else 'no septuplet'}. Take the original list.")
    return names
