"""Finding the folders of a data set below its root, and saying well what was looked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from port.data.clips import shortened, subfolders
from port.errors import PortError


@dataclass(frozen=True)
class Layout:
    """Two folders below the root of a data set; `label` says where they come from or what they hold (`BI`, `BD`)."""

    lq: str
    gt: str
    label: str = ""

    def fits(self, root: Path) -> bool:
        """Whether both are there."""
        return (root / self.lq).is_dir() and (root / self.gt).is_dir()

    def __str__(self) -> str:
        return f"{self.lq} with {self.gt}"


def find_layout(name: str, root: Path, layouts: Sequence[Layout]) -> Layout:
    """The first layout that is there. Raises PortError with what was looked for, what is there, and the nearest fit."""
    check_root(name, root)
    for layout in layouts:
        if layout.fits(root):
            return layout
    raise PortError(
        f"{name}: {root} does not look like it. Looked for {_listed(layouts)}. "
        f"Found {shortened(list(subfolders(root))) or 'no folder'}. {_advice(root, layouts)}"
    )


def _listed(layouts: Sequence[Layout]) -> str:
    """All layouts in words; where every first folder goes with every second one, both are named once."""
    lq, gt = (list(dict.fromkeys(names)) for names in zip(*((each.lq, each.gt) for each in layouts), strict=True))
    if len(lq) * len(gt) == len(layouts):
        return f"{' or '.join(lq)}, with {' or '.join(gt)}"
    return "; or ".join(map(str, layouts))


def check_root(name: str, root: Path) -> None:
    """Raise PortError where the root of a data set is no folder."""
    if not root.is_dir():
        what = "it is no folder" if root.exists() else "there is no such folder"
        raise PortError(f"{name}: cannot use {root}: {what}. Name the folder that holds the data set.")


def _advice(root: Path, layouts: Sequence[Layout]) -> str:
    """What to do: another root that fits, or the half that is missing."""
    root = root.resolve()
    for near in (*subfolders(root).values(), *root.parents[:3]):
        if fitting := [layout for layout in layouts if layout.fits(near)]:
            return f"{near} holds {fitting[0]}: name that folder."
    for layout in layouts:
        for there, missing in ((layout.gt, layout.lq), (layout.lq, layout.gt)):
            if (root / there).is_dir():
                return f"{there} is there, {missing} is missing: add it."
    return "Name the folder that holds these."
