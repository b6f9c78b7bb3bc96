"""BasicVSR: defaults, limits and input checks, the same for the reference and the port."""

from port.models import vsr

TITLE = "BasicVSR"
OFFICIAL_CHANNELS = vsr.OFFICIAL_CHANNELS
NUM_BLOCKS = 30  # of each direction, in every published checkpoint
OPTIONS: dict[str, int] = {}  # the weights hold everything


def check_config(mid_channels: int, num_blocks: int) -> None:
    """Refuse a network that cannot exist. Raises PortError naming the argument."""
    vsr.check_counts(TITLE, mid_channels=mid_channels, num_blocks=num_blocks)


def check_options() -> None:
    """There are none."""


def least_side(**_: int) -> int:
    """The smallest side in pixels that the network takes."""
    return vsr.MIN_SIZE


def check_frames(shape: tuple[int, ...], dtype: str, wanted: str = "float32") -> None:
    """Refuse frames the network cannot take, see port/models/vsr.py. Raises PortError."""
    vsr.check_frames(TITLE, shape, dtype, wanted)


def check_values(lowest: float, highest: float) -> None:
    """Refuse values that are not finite, warn of those far outside [0, 1], see port/models/vsr.py."""
    vsr.check_values(TITLE, lowest, highest)


def steps_of(frames: int, wanted: int | None = None) -> int:
    """Steps the network enters: the flows, each frame backward, and the first `wanted` (all) forward and upsampled."""
    return 1 + frames + 2 * (frames if wanted is None else wanted)


def detail_steps(frames: int) -> str:
    """Steps in which every module runs once or more: the last of each direction, with the most behind it."""
    return f"flows,bwd.00,fwd.{frames - 1:02d},up.00"


# Parts whose results reach nothing but a named value of the same step (feat_prop, frame)
REPLACEABLE = (
    "backward_resblocks", "forward_resblocks", "fusion", "upsample1", "upsample2", "conv_hr", "conv_last",
)  # fmt: skip

# Parts that may compute in 16 bits. Not the flow network, which deals in coordinates, nor the fusion: one convolution of
# 1x1, whose weights tell what type the frames must have.
HALF_PARTS = ("backward_resblocks", "forward_resblocks", "upsample1", "upsample2", "conv_hr", "conv_last")
HALF_FROM = ("upsample1",)  # what they give stays in 16 bits, and so does all up to the sum with the enlarged frame

# Who computes the values that no module returns, as a person would look for it in the network's files.
VALUE_SOURCES = {
    "flows_backward": "spynet",
    "flows_forward": "spynet",
    "warped_feat_prop": "flow_warp",
    "feat_prop": "backward_resblocks or forward_resblocks",
    "frame": "_upsample",
}

# What a verification says nothing about, in words
NOT_COMPARED: tuple[str, ...] = ()
