"""The way back and the training of a clip's network, on a patch of it: a pair of networks as any other.

A training step sees patches of 64x64, and every tensor of every module is compared: the whole clip would take days.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from port.files import make_folder, write_text
from port.models.vsr import MIN_SIZE
from port.parity.pair_start import capture_side
from port.parity.pair_verify import Compared, compare_folders
from port.weights import tensors_file

FRAMES, SIDE = 3, MIN_SIZE  # the least that an attention can choose in: two keyframes before the last frame
KEYFRAMES = {"ttvsr": {"keyframe_stride": 1}, "basicvsr": {}}  # every frame one, so that two compete
FROZEN_SHARE = 0.25  # of the steps, with the flow network frozen, so that its thaw is seen
PAIR = '''"""{model} on a patch of a clip, written by `python -m port verify {model} --stages ...`."""

from importlib import import_module
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
OPTIONS = {options!r}
STEPS = {steps}
GRADIENTS_AT = {gradients_at!r}
COMPILE = False
COMPILE_REASON = "graph mode would unroll frames and blocks; the parts that users compile are compared on the clip"
half = lambda column: import_module(f"{{column}}.recipe")
target = np.load(HERE / "target.npy")
inputs = lambda: np.load(HERE / "input.npy")
torch_net = lambda: half("torch_ref").network(HERE / "weights.safetensors", "{model}", **OPTIONS)
ms_net = lambda: half("ms_model").network(HERE / "port.ckpt", "{model}", **OPTIONS)
torch_loss = lambda output, inputs: half("torch_ref").loss(output, target)
ms_loss = lambda output, inputs: half("ms_model").loss(output, target)
torch_optimizer = lambda net: half("torch_ref").Recipe(net, period=STEPS, frozen={frozen})
ms_optimizer = lambda net: half("ms_model").Recipe(net, period=STEPS, frozen={frozen})
'''


@dataclass(frozen=True)
class Patch:
    """The middle of the first frames. input (1, t, 3, 64, 64), target (1, t, 3, 256, 256), float32 in [0, 1]"""

    input: np.ndarray
    target: np.ndarray
    made_from: str


def cut_patch(frames: np.ndarray, truth: np.ndarray | None) -> Patch:
    """frames (t, 3, h, w) float32; truth (t, 4h, 4w, 3) uint8, or None: then the target is the input enlarged."""
    top, left = ((size - SIDE) // 2 for size in frames.shape[2:])
    cut = np.ascontiguousarray(frames[:FRAMES, :, top : top + SIDE, left : left + SIDE])
    if truth is None:
        target, made_from = cut.repeat(4, axis=2).repeat(4, axis=3), "the input enlarged"
    else:
        rows, columns = (slice(4 * start, 4 * (start + SIDE)) for start in (top, left))
        pixels = truth[:FRAMES, rows, columns].transpose(0, 3, 1, 2)
        target, made_from = np.ascontiguousarray(pixels, np.float32) / np.float32(255), "ground truth"
    return Patch(cut[None], target[None], made_from)


def write_pair(job, steps: int) -> Path:
    """The pair's file with all it needs beside it, in the work folder of a `verify.Job`; `port.ckpt` is there already."""
    folder = make_folder(job.work / "patch")
    patch = cut_patch(job.frames, job.truth)
    np.save(folder / "input.npy", patch.input)
    np.save(folder / "target.npy", patch.target)
    held = tensors_file.load(job.work / "reference" / "reference" / "weights.safetensors").tensors
    tensors_file.save(folder / "weights.safetensors", held)
    (folder / "port.ckpt").unlink(missing_ok=True)
    (folder / "port.ckpt").symlink_to(job.work / "port.ckpt")
    frozen = max(1, int(steps * FROZEN_SHARE))
    text = PAIR.format(
        model=job.model, options={**job.options(), **KEYFRAMES[job.model]}, steps=steps, frozen=frozen,
        gradients_at=sorted({0, frozen, steps - 1}),
    )  # fmt: skip
    write_text(folder / "pair.py", text)
    return folder / "pair.py"


def verify_patch(job, steps: int) -> Compared:
    """Capture both sides of the patch and compare: forward, backward, and `steps` optimiser steps."""
    pair, folder = write_pair(job, steps), job.work / "patch"
    how = {"quiet": job.quiet, "trace_limit": job.trace_limit}
    capture_side("torch", pair, folder / "reference", folder / "reference", **how)
    capture_side("ms", pair, folder / "port", folder / "reference", **how)
    return compare_folders(folder / "reference", folder / "port")
