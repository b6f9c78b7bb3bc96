"""Shapes of the layers that video super-resolution networks have in common, by torch name."""

import re
from collections.abc import Mapping

import numpy as np

from port.errors import PortError
from port.weights.model import Shapes
from port.weights.rules import RuleTable

MAX_BLOCKS = 1000  # published networks have up to 60; a stray index must not ask for a table of any size
FLOW_LEVELS = 6
FLOW_CHANNELS = (8, 32, 64, 32, 16, 2)  # of the five 7x7 convolutions of a level

# Buffers in torch. MindSpore leaves buffers out of its checkpoints, so ms_model keeps them as frozen parameters.
BUFFERS = {"spynet.mean": "spynet.mean", "spynet.std": "spynet.std"}
DROPPED = {"step_counter": "counts training steps; the network never reads it"}


def rules_of(layers: Mapping[str, str]) -> RuleTable:
    """A rule for weight and bias of each layer, and for the buffers of the flow network."""
    return RuleTable({f"{a}.{part}": f"{b}.{part}" for a, b in layers.items() for part in ("weight", "bias")} | BUFFERS)


def trunk_sizes(title: str, weights: Mapping[str, np.ndarray], trunk: str, entering: str) -> tuple[int, int]:
    """Channels and blocks of a trunk, read off its tensors. Raises PortError if it tells neither.

    entering  channels that enter it, in words
    """
    first = weights.get(f"{trunk}.main.0.weight")
    if first is None or first.ndim != 4 or first.shape[0] < 1:
        found = "it is missing" if first is None else f"its shape is {first.shape}"
        raise PortError(
            f"{title}: the number of channels is read off '{trunk}.main.0.weight' (channels, {entering}, 3, 3), "
            f"but {found}."
        )
    pattern = re.compile(rf"{trunk}\.main\.2\.(\d{{1,9}})\.")
    indices = [int(match[1]) for name in weights if (match := pattern.match(name))]
    if not indices or max(indices) >= MAX_BLOCKS:
        found = f"the last index is {max(indices)}" if indices else "there are none"
        raise PortError(
            f"{title}: the number of residual blocks is read off '{trunk}.main.2.{{}}.conv1.weight', "
            f"but {found} (expected 1 to {MAX_BLOCKS} blocks)."
        )
    return first.shape[0], 1 + max(indices)


def flow_shapes() -> Shapes:
    """SPyNet."""
    shapes: Shapes = {"spynet.mean": (1, 3, 1, 1), "spynet.std": (1, 3, 1, 1)}
    for level in range(FLOW_LEVELS):
        for i in range(len(FLOW_CHANNELS) - 1):
            name = f"spynet.basic_module.{level}.basic_module.{i}.conv"
            shapes |= convolution(name, FLOW_CHANNELS[i + 1], FLOW_CHANNELS[i], 7)
    return shapes


def trunk_shapes(name: str, c: int, entering: int, blocks: int) -> Shapes:
    """A convolution, an activation (index 1, no weights) and residual blocks."""
    shapes = convolution(f"{name}.main.0", c, entering, 3)
    for i in range(blocks):
        for conv in ("conv1", "conv2"):
            shapes |= convolution(f"{name}.main.2.{i}.{conv}", c, c, 3)
    return shapes


def upsampler_shapes(c: int, entering: int) -> Shapes:
    """`entering` features fused into one, which is enlarged twice by two."""
    shapes = convolution("fusion", c, entering * c, 1)
    shapes |= convolution("upsample1.upsample_conv", 4 * c, c, 3)
    shapes |= convolution("upsample2.upsample_conv", 4 * 64, c, 3)
    return shapes | convolution("conv_hr", 64, 64, 3) | convolution("conv_last", 3, 64, 3)


def convolution(name: str, leaving: int, entering: int, side: int) -> Shapes:
    """A square kernel and its bias."""
    return {f"{name}.weight": (leaving, entering, side, side), f"{name}.bias": (leaving,)}
