"""Weights to start from, drawn by numpy: the same in both columns for a seed. TTVSR's own initialisation (docs/networks.md)."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from port.errors import PortError
from port.weights import tensors_file
from port.weights.raw import RawCheckpoint
from port.weights.ttvsr import TTVSRConfig, expected_shapes

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, RGB
RESIDUAL = 0.1  # residual branches start small
FLOW = "spynet."


def initial_weights(config: TTVSRConfig, seed: int) -> dict[str, np.ndarray]:
    """name -> float32 array, names of the reference."""
    rng = np.random.default_rng([seed, 0x7756])
    shapes = expected_shapes(config)
    return {name: _drawn(rng, name, shape, shapes[_kernel(name)]) for name, shape in shapes.items()}


def _kernel(name: str) -> str:
    return name.removesuffix("bias") + "weight" if name.endswith("bias") else name


def _drawn(rng: np.random.Generator, name: str, shape: tuple[int, ...], kernel: tuple[int, ...]) -> np.ndarray:
    if name in ("spynet.mean", "spynet.std"):
        return np.array(MEAN if name.endswith("mean") else STD, np.float32).reshape(shape)
    fan_in = math.prod(kernel[1:])
    flow, residual = name.startswith(FLOW), ".main.2." in name
    if flow or residual or ".upsample_conv." in name:  # kaiming-normal for ReLU, biases of zero
        if name.endswith("bias"):
            return np.zeros(shape, np.float32)
        fan = kernel[0] * math.prod(kernel[2:]) if flow else fan_in
        return (rng.standard_normal(shape) * math.sqrt(2 / fan) * (RESIDUAL if residual else 1)).astype(np.float32)
    bound = 1 / math.sqrt(fan_in)  # PyTorch's default, for kernels and biases alike
    return rng.uniform(-bound, bound, shape).astype(np.float32)


def with_flow(weights: Mapping[str, np.ndarray], path: Path, raw: RawCheckpoint) -> dict[str, np.ndarray]:
    """The flow network taken from another checkpoint: SPyNet alone, or any network that holds one.

    Raises PortError where it is not all there.
    """
    names = [name for name in weights if name.startswith(FLOW) and name not in ("spynet.mean", "spynet.std")]
    found = {name.rpartition("spynet.")[2]: array for name, array in raw.tensors.items() if "basic_module." in name}
    taken = {}
    for name in names:
        array = found.get(name.removeprefix(FLOW))
        if array is None or array.shape != weights[name].shape:
            what = "it lacks" if array is None else f"the shape {array.shape} does not fit"
            raise PortError(
                f"--flow {path} holds no flow network for TTVSR: {what} {name}. Name a checkpoint of SPyNet."
            )
        taken[name] = array.astype(np.float32)
    return {**weights, **taken}


def write_initial(path: Path, config: TTVSRConfig, seed: int, flow: Path | None, load) -> None:
    """Draw and write them. flow: checkpoint with a flow network, read by `load` unless it is .safetensors"""
    weights = initial_weights(config, seed)
    if flow:
        raw = (tensors_file.load if flow.suffix == tensors_file.SUFFIX else load)(flow)
        weights = with_flow(weights, flow, raw)
    tensors_file.save(path, weights)
