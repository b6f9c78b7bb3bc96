"""Vid4, UDM10 and any folder of clips: one folder of frames per clip, and a folder of such folders per side."""

from itertools import product
from pathlib import Path

from port.console import note
from port.data.clips import ClipFolders, shortened, subfolders
from port.data.layout import Layout, check_root, find_layout
from port.errors import PortError
from port.video.pictures import list_pictures

VID4 = ("calendar", "city", "foliage", "walk")
UDM10 = ("archpeople", "archwall", "auditorium", "band", "caffe", "camera", "clap", "lake", "photography", "polyflow")
TRUTH = ("HR", "GT")
UNNAMED = ("LQ", "LR")  # folders whose name does not tell the degradation
LOW = {"BD": ("BD", "BDx4", *UNNAMED), "BI": ("BI", "BIx4", *UNNAMED)}


def find_benchmark(name: str, root: Path, degradation: str) -> list[ClipFolders]:
    """All clips of `HR` or `GT`, and of the folder of that degradation. One side of a clip may be missing."""
    layouts = [Layout(lq, gt, degradation) for lq, gt in product(LOW[degradation], TRUTH)]
    layout = find_layout(f"{name} ({degradation})", root, layouts)
    if layout.lq in UNNAMED:
        note(f"{name}: {root / layout.lq} does not tell its degradation; taken for {degradation}")
    return find_folder(root / layout.lq, root / layout.gt, name)


def find_folder(lq: Path, gt: Path | None = None, name: str = "folder") -> list[ClipFolders]:
    """The clips in a folder, or the folder itself where it holds frames; `gt` is built alike. One side may be missing."""
    check_root(name, lq)
    if gt is not None:
        check_root(name, gt)
    if list_pictures(lq):
        return [ClipFolders(lq.resolve().name, lq, gt)]
    clips = subfolders(lq)
    if not clips:
        raise PortError(f"{name}: {lq} holds neither frames nor folders of frames.")
    if not any(list_pictures(folder) for folder in clips.values()):
        raise PortError(
            f"{name}: {lq} holds {shortened(list(clips))}, and none of these holds frames. Name the folder right above "
            "the clips; the ground truth is named apart from it."
        )
    if gt is None:
        return [ClipFolders(clip, folder) for clip, folder in clips.items()]
    return [ClipFolders(clip, lq / clip, gt / clip) for clip in sorted(clips.keys() | subfolders(gt).keys())]
