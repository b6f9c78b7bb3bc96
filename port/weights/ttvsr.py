"""TTVSR: names, shapes and published files of its weights."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from port.errors import PortError
from port.weights.model import Model, Shapes
from port.weights.rules import RuleTable

MAX_BLOCKS = 1000  # published networks have 60; a stray index must not ask for a table of any size
FLOW_LEVELS = 6
FLOW_CHANNELS = (8, 32, 64, 32, 16, 2)  # of the five 7x7 convolutions of a level
EXTRACTOR_BLOCKS = 5

# Convolutions, torch name -> MindSpore name. ms_model keeps the official names, so every line is an identity today; the
# shapes need no change either (both frameworks store (out, in, height, width)).
LAYERS = {
    "spynet.basic_module.{}.basic_module.{}.conv": "spynet.basic_module.{}.basic_module.{}.conv",
    "feat_extractor.main.0": "feat_extractor.main.0",
    "feat_extractor.main.2.{}.conv1": "feat_extractor.main.2.{}.conv1",
    "feat_extractor.main.2.{}.conv2": "feat_extractor.main.2.{}.conv2",
    "LTAM.fusion": "LTAM.fusion",
    "resblocks.main.0": "resblocks.main.0",
    "resblocks.main.2.{}.conv1": "resblocks.main.2.{}.conv1",
    "resblocks.main.2.{}.conv2": "resblocks.main.2.{}.conv2",
    "fusion": "fusion",
    "upsample1.upsample_conv": "upsample1.upsample_conv",
    "upsample2.upsample_conv": "upsample2.upsample_conv",
    "conv_hr": "conv_hr",
    "conv_last": "conv_last",
}
# Buffers in torch. MindSpore leaves buffers out of its checkpoints, so ms_model keeps them as frozen parameters.
BUFFERS = {"spynet.mean": "spynet.mean", "spynet.std": "spynet.std"}
RULES = RuleTable({f"{a}.{part}": f"{b}.{part}" for a, b in LAYERS.items() for part in ("weight", "bias")} | BUFFERS)

DROPPED = {"step_counter": "counts training steps; the network never reads it"}

# Read off a public listing of the two files; a file that differs may be a pointer or a copy saved again.
OFFICIAL = {
    "ad5cf4851304358047e88cdec6ca7c35263a0979": "TTVSR_REDS.pth",
    "f89d8ddf2c676c7c29c1ae5e80c3857dd565a6b9": "TTVSR_Vimeo90K.pth",
}


@dataclass(frozen=True)
class TTVSRConfig:
    """The sizes that a checkpoint fixes; the two strides leave no trace in the weights."""

    mid_channels: int
    num_blocks: int


def read_config(weights: Mapping[str, np.ndarray]) -> TTVSRConfig:
    """Read channels and blocks off the tensors. Raises PortError if `resblocks` tells neither."""
    first = weights.get("resblocks.main.0.weight")
    if first is None or first.ndim != 4 or first.shape[0] < 1:
        found = "it is missing" if first is None else f"its shape is {first.shape}"
        raise PortError(
            "TTVSR: the number of channels is read off 'resblocks.main.0.weight' (channels, 2 x channels, 3, 3), "
            f"but {found}."
        )
    indices = [int(match[1]) for name in weights if (match := re.match(r"resblocks\.main\.2\.(\d{1,9})\.", name))]
    if not indices or max(indices) >= MAX_BLOCKS:
        found = f"the last index is {max(indices)}" if indices else "there are none"
        raise PortError(
            "TTVSR: the number of residual blocks is read off 'resblocks.main.2.{}.conv1.weight', "
            f"but {found} (expected 1 to {MAX_BLOCKS} blocks)."
        )
    return TTVSRConfig(mid_channels=first.shape[0], num_blocks=1 + max(indices))


def expected_shapes(config: TTVSRConfig) -> Shapes:
    """Shape of every tensor by torch name, in the order of the network; (out, in, height, width) for kernels."""
    c = config.mid_channels
    shapes: Shapes = {"spynet.mean": (1, 3, 1, 1), "spynet.std": (1, 3, 1, 1)}
    for level in range(FLOW_LEVELS):
        for i in range(len(FLOW_CHANNELS) - 1):
            name = f"spynet.basic_module.{level}.basic_module.{i}.conv"
            shapes |= _convolution(name, FLOW_CHANNELS[i + 1], FLOW_CHANNELS[i], 7)
    shapes |= _trunk("feat_extractor", c, 3, EXTRACTOR_BLOCKS)
    shapes |= _convolution("LTAM.fusion", c, 3 * c, 3)  # fixed at 192 -> 64 in the official code: the same for C = 64
    shapes |= _trunk("resblocks", c, 2 * c, config.num_blocks)
    shapes |= _convolution("fusion", c, 3 * c, 1)
    shapes |= _convolution("upsample1.upsample_conv", 4 * c, c, 3)
    shapes |= _convolution("upsample2.upsample_conv", 4 * 64, c, 3)
    shapes |= _convolution("conv_hr", 64, 64, 3)
    shapes |= _convolution("conv_last", 3, 64, 3)
    return shapes


def _trunk(name: str, c: int, entering: int, blocks: int) -> Shapes:
    """A convolution, an activation (index 1, no weights) and residual blocks."""
    shapes = _convolution(f"{name}.main.0", c, entering, 3)
    for i in range(blocks):
        for conv in ("conv1", "conv2"):
            shapes |= _convolution(f"{name}.main.2.{i}.{conv}", c, c, 3)
    return shapes


def _convolution(name: str, leaving: int, entering: int, side: int) -> Shapes:
    return {f"{name}.weight": (leaving, entering, side, side), f"{name}.bias": (leaving,)}


MODEL = Model(
    name="ttvsr",
    rules=RULES,
    signature=("LTAM.", "resblocks."),
    read_config=read_config,
    expected_shapes=expected_shapes,
    dropped=DROPPED,
    official=OFFICIAL,
    file_prefix="generator.",
    buffers=frozenset(BUFFERS),
)
