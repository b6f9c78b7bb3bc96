"""TTVSR: defaults, limits and input checks, the same for the reference and the port."""

from port.errors import PortError
from port.models import vsr

TITLE = "TTVSR"
SCALE = vsr.SCALE
OFFICIAL_CHANNELS = vsr.OFFICIAL_CHANNELS
MIN_SIZE = vsr.MIN_SIZE
TOKEN_STRIDE = 4
KEYFRAME_STRIDE = 3
NUM_BLOCKS = 60
KEPT_FEATURES = 2**28  # numbers, 1 GiB: 72 frames of 320x180. Features of longer clips are computed for each direction
# Constructor arguments that leave no trace in the weights, as published
OPTIONS = {"keyframe_stride": KEYFRAME_STRIDE, "token_stride": TOKEN_STRIDE}
# the official training recipe for REDS
RATE, BETAS, LAST_RATE = 2e-4, (0.9, 0.99), 1e-7
FLOW_RATE = 0.125  # of the rate, for the flow network
PERIOD, FROZEN = 400_000, 5_000  # iterations of the cosine; of these with the flow network frozen


def check_config(mid_channels: int, num_blocks: int, token_stride: int, keyframe_stride: int) -> None:
    """Refuse a network that cannot exist. Raises PortError naming the argument.

    The token stride must be a multiple of 4: the larger tokens are padded by a quarter and a half of it.
    """
    vsr.check_counts(TITLE, mid_channels=mid_channels, num_blocks=num_blocks, keyframe_stride=keyframe_stride)
    if not isinstance(token_stride, int) or token_stride < 4 or token_stride % 4:
        raise PortError(
            f"TTVSR: token_stride must be a multiple of 4, found {token_stride!r}: larger tokens are padded by a "
            "quarter and a half of it. The published networks use 4."
        )


def check_options(keyframe_stride: int = KEYFRAME_STRIDE, token_stride: int = TOKEN_STRIDE) -> None:
    """`check_config` of OPTIONS alone."""
    check_config(OFFICIAL_CHANNELS, NUM_BLOCKS, token_stride, keyframe_stride)


def least_side(token_stride: int = TOKEN_STRIDE, **_: int) -> int:
    """The smallest side in pixels that the network takes."""
    return max(MIN_SIZE, 2 * token_stride)


def check_frames(shape: tuple[int, ...], dtype: str, token_stride: int = TOKEN_STRIDE, wanted: str = "float32") -> None:
    """Refuse frames the network cannot take, see port/models/vsr.py. Raises PortError."""
    vsr.check_frames(TITLE, shape, dtype, wanted, least_side(token_stride))


def check_values(lowest: float, highest: float) -> None:
    """Refuse values that are not finite, warn of those far outside [0, 1], see port/models/vsr.py."""
    vsr.check_values(TITLE, lowest, highest)


def steps_of(frames: int, wanted: int | None = None) -> int:
    """Steps the network enters: flows and features, each frame backward, and the first `wanted` (all) forward and upsampled."""
    return 2 + frames + 2 * (frames if wanted is None else wanted)


def are_features_kept(pixels: int, channels: int, capacity: int = 1) -> bool:
    """Whether features of a whole clip of so many pixels, all frames together, are kept between the two directions.

    capacity: as of port/models/vsr.py
    """
    return pixels * channels <= capacity * KEPT_FEATURES


def most_features_kept(pixels: int, channels: int) -> int:
    """Numbers kept at most of a clip of up to so many pixels on a CPU: a shorter one may keep more than a longer one."""
    return min(pixels * channels, KEPT_FEATURES)


class OnDemand:
    """Features of a clip's frames, computed when they are asked for and kept until those of another are: (n, c, h, w).

    Each is computed twice, for either direction: one convolution in 25, where keeping them all takes a third of the memory.
    """

    def __init__(self, extract, lrs):
        self.extract, self.lrs = extract, lrs
        self.frame, self.feat = None, None

    def __getitem__(self, frame):
        if frame != self.frame:
            self.frame, self.feat = frame, self.extract(self.lrs[:, frame])
        return self.feat

    def pop(self, frame):
        """As of a dictionary."""
        return self[frame]


def detail_steps(frames: int) -> str:
    """Steps in which every module runs once or more, all keyframes competing."""
    return "flows,features,bwd.00,up.00"


# Parts whose results reach nothing but a named value of the same step (feat_prop, frame)
REPLACEABLE = ("resblocks", "fusion", "upsample1", "upsample2", "conv_hr", "conv_last")

# Parts that may compute in 16 bits. Not the flow network and the attention, which deal in coordinates, nor the fusion: one
# convolution of 1x1, whose weights tell what type the frames must have.
HALF_PARTS = ("feat_extractor", "resblocks", "upsample1", "upsample2", "conv_hr", "conv_last")
HALF_FROM = ("upsample1",)  # what they give stays in 16 bits, and so does all up to the sum with the enlarged frame

# Who computes the values that no module returns, as a person would look for it in the network's files.
VALUE_SOURCES = {
    "flows_backward": "spynet",
    "flows_forward": "spynet",
    "warped_feat_prop": "flow_warp",
    "token_flow": "_follow (pooling of the flow)",
    "location": "warp_locations",
    "corr": "LTAM (similarity)",
    "argmax": "LTAM (arg-max)",
    "corr_soft": "LTAM (similarity of the winner)",
    "value_s1": "LTAM (tokens_to_pixels)",
    "value_s2": "LTAM (tokens_to_pixels)",
    "value_s3": "LTAM (tokens_to_pixels)",
    "ltam_out": "LTAM",
    "feat_prop": "resblocks",
    "token_index": "LTAM.tokenize",
    "token_s1": "LTAM.tokenize",
    "token_s2": "LTAM.tokenize (enlarged_tokens)",
    "token_s3": "LTAM.tokenize (enlarged_tokens)",
    "frame": "_upsample",
}

# What a verification says nothing about, in words
NOT_COMPARED = ("keyframe stores handed to LTAM as such; the tokens in them are compared when they are made",)
