"""Clip and weights for the small TTVSR of the self-test: moving texture, flows of a few pixels, a recurrence that forgets."""

from functools import lru_cache

import numpy as np

FRAMES, SIDE, SCALE = 3, 64, 4
MOVE = (2.3, -3.1)  # rows and columns per frame, in pixels of the small pictures
FLOW_GAIN, FLOW_BIAS = 0.5, 0.12  # of what the last layer of each level adds to the flow


def clip() -> tuple[np.ndarray]:
    """-> (frames (1, t, 3, h, w) in [0, 1], float32)"""
    return (target().reshape(1, FRAMES, 3, SIDE, SCALE, SIDE, SCALE).mean((4, 6)),)


@lru_cache(maxsize=1)
def target() -> np.ndarray:
    """The clip in high resolution, which the loss compares with. (1, t, 3, 4h, 4w) in [0, 1], float32"""
    rows, columns = np.meshgrid(np.arange(SIDE * SCALE), np.arange(SIDE * SCALE), indexing="ij")
    waves = np.random.default_rng(12).uniform(-1, 1, (3, 24, 4))
    down, right = (SCALE * step for step in MOVE)
    return np.stack([_texture(rows + down * k, columns + right * k, waves) for k in range(FRAMES)])[None].astype(np.float32)


def _texture(rows: np.ndarray, columns: np.ndarray, waves: np.ndarray) -> np.ndarray:
    """Sums of waves of 12 pixels and longer. -> (3, h, w) in [0, 1]"""
    down, right, start, height = np.moveaxis(waves, -1, 0)[..., None, None]  # each (3, waves, 1, 1)
    phase = 0.5 * (down * rows + right * columns) + 9 * start
    return 0.5 + 0.5 * np.tanh((np.sin(phase) * height).sum(1) / 2)


def values(shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """name -> array, float32; mean and std are ImageNet's, as in every checkpoint."""
    rng = np.random.default_rng(13)
    return {name: _value(rng, name, shape).astype(np.float32) for name, shape in shapes.items()}


def _value(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    if name in ("spynet.mean", "spynet.std"):
        known = (0.485, 0.456, 0.406) if name.endswith("mean") else (0.229, 0.224, 0.225)
        return np.array(known).reshape(shape)
    last_of_flow = name.startswith("spynet") and ".1.conv." in name
    if name.endswith("bias"):
        return rng.uniform(-1, 1, shape) * (FLOW_BIAS if last_of_flow else 0.05)
    drawn = rng.standard_normal(shape) * (FLOW_GAIN if last_of_flow else gain(name)) / np.sqrt(np.prod(shape[1:]))
    return without_mean(drawn) if name == "feat_extractor.main.0.weight" else drawn


def without_mean(kernel: np.ndarray) -> np.ndarray:
    """The first layer sees detail and little of the brightness, which would make all tokens look alike."""
    return kernel - 0.95 * kernel.mean(axis=(1, 2, 3), keepdims=True)


def gain(name: str) -> float:
    """Standard deviation of a kernel times the root of its fan-in: about 1.4 keeps the scale through a ReLU."""
    if name.startswith("feat_extractor.main.0"):
        return 5.0
    if name.endswith("conv2.weight") or name.startswith(("resblocks.main.0", "LTAM")):
        return 0.6
    return 0.4 if name.startswith("conv_last") else 1.3
