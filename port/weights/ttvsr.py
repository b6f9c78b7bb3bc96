"""TTVSR: names, shapes and published files of its weights."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from port.weights.layers import (
    BUFFERS,
    DROPPED,
    convolution,
    flow_shapes,
    rules_of,
    trunk_shapes,
    trunk_sizes,
    upsampler_shapes,
)
from port.weights.model import Model, Shapes, Spelling

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
RULES = rules_of(LAYERS)

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
    return TTVSRConfig(*trunk_sizes("TTVSR", weights, "resblocks", "2 x channels"))


def expected_shapes(config: TTVSRConfig) -> Shapes:
    """Shape of every tensor by torch name, in the order of the network; (out, in, height, width) for kernels."""
    c = config.mid_channels
    shapes = flow_shapes()
    shapes |= trunk_shapes("feat_extractor", c, 3, EXTRACTOR_BLOCKS)
    shapes |= convolution("LTAM.fusion", c, 3 * c, 3)  # fixed at 192 -> 64 in the official code: the same for C = 64
    shapes |= trunk_shapes("resblocks", c, 2 * c, config.num_blocks)
    return shapes | upsampler_shapes(c, 3)


MODEL = Model(
    name="ttvsr",
    rules=RULES,
    signature=("LTAM.", "resblocks."),
    read_config=read_config,
    expected_shapes=expected_shapes,
    dropped=DROPPED,
    official=OFFICIAL,
    spellings={"mmediting": Spelling("generator.")},
    buffers=frozenset(BUFFERS),
)
