"""Small data sets in the layouts of the real ones: textures that move, and their BI or BD by the toolkit's own degradations.

made_clip       frames of a drifting texture, (t, h, w, 3) uint8
make_reds       REDS in the layout of the seed page or of the official repository
make_vimeo90k   Vimeo-90K with its lists
make_benchmark  Vid4 or UDM10: HR (or GT) and BD (or another name)
"""

from pathlib import Path

import numpy as np

from port.data.reds import LAYOUTS
from port.data.vimeo90k import FRAMES
from port.degrade.blur import blur_down
from port.degrade.imresize import imresize
from port.video.pictures import write_picture

SIZE = (96, 128)  # of the truth, height and width
DEGRADE = {"BI": imresize, "BD": blur_down}


def made_clip(seed, frames=3, size=SIZE, drift=1.5):
    """Waves and blotches that move by `drift` pixels a frame, differently for each seed and colour. (t, h, w, 3) uint8"""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]].astype(float)
    shown = np.zeros((frames, *size, 3))
    for _ in range(6):
        fy, fx = rng.uniform(-0.6, 0.6, 2)
        dy, dx = rng.uniform(-drift, drift, 2)
        colour, phase = rng.uniform(-1, 1, 3), rng.uniform(0, 6)
        for t in range(frames):
            shown[t] += np.sign(np.sin(fy * (y + t * dy) + fx * (x + t * dx) + phase))[..., None] * colour
            shown[t] += np.sin(fy / 3 * (y + t * dy) - fx / 3 * (x + t * dx))[..., None] * colour[::-1]
    return np.clip(np.rint(128 + 25 * shown), 0, 255).astype(np.uint8)


def write_pair(gt_folder, lq_folder, seed, names, size=SIZE, degradation="BI"):
    """One clip of truth and its low resolution, with frames called `names`."""
    gt_folder, lq_folder = Path(gt_folder), Path(lq_folder)
    for folder in (gt_folder, lq_folder):
        folder.mkdir(parents=True, exist_ok=True)
    for name, frame in zip(names, made_clip(seed, len(names), size), strict=True):
        write_picture(gt_folder / f"{name}.png", frame, lasting=False)
        write_picture(lq_folder / f"{name}.png", DEGRADE[degradation](frame), lasting=False)


def make_reds(root, clips=("000", "001", "002", "011", "015", "020"), frames=3, size=SIZE, layout=0, originals=()):
    """REDS-shaped: `layout` 0 as on the seed page, 1 as in the official repository. `originals`: clips of val/ besides."""
    root, chosen = Path(root), LAYOUTS[layout]
    names = [f"{index:08d}" for index in range(frames)]
    for clip in clips:
        write_pair(root / chosen.gt / clip, root / chosen.lq / clip, int(clip), names, size)
    for clip in originals:
        gt, lq = root / "val/val_sharp" / clip, root / "val/val_sharp_bicubic/X4" / clip
        write_pair(gt, lq, 1000 + int(clip), names, size)
    return root


def make_vimeo90k(root, train=("00001/0001", "00001/0002"), test=("00002/0001",), size=SIZE, degradation="BD"):
    """Vimeo-90K-shaped, in the official repository's layout."""
    root, names = Path(root), [Path(name).stem for name in FRAMES]
    for seed, clip in enumerate((*train, *test)):
        gt, lq = root / "sequences" / clip, root / f"sequences_{degradation}" / clip
        write_pair(gt, lq, seed, names, size, degradation)
    for file, listed in (("sep_trainlist.txt", train), ("sep_testlist.txt", test)):
        (root / file).write_text("".join(f"{clip}\n" for clip in listed), encoding="utf-8")
    return root


def make_benchmark(root, clips=("calendar", "city"), frames=3, first=2, size=SIZE, gt="HR", lq="BD", degradation="BD"):
    """Vid4- or UDM10-shaped; frames are called frame_0002.png and so on, as in Vid4."""
    root, names = Path(root), [f"frame_{index:04d}" for index in range(first, first + frames)]
    for seed, clip in enumerate(clips):
        write_pair(root / gt / clip, root / lq / clip, seed, names, size, degradation)
    return root
