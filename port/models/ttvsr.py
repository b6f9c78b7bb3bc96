"""TTVSR: defaults, limits and input checks, the same for the reference and the port."""

from port.console import warn
from port.errors import PortError

SCALE = 4  # the network enlarges by four in each direction
OFFICIAL_CHANNELS = 64  # mid channels of every published checkpoint
MIN_SIZE = 64  # pixels; smaller frames leave SPyNet and the attention too little to look at
TOKEN_STRIDE = 4
KEYFRAME_STRIDE = 3
NUM_BLOCKS = 60
LRELU_SLOPE = 0.1
# the official training recipe for REDS
RATE, BETAS, LAST_RATE = 2e-4, (0.9, 0.99), 1e-7
FLOW_RATE = 0.125  # of the rate, for the flow network
PERIOD, FROZEN = 400_000, 5_000  # iterations of the cosine; of these with the flow network frozen
VALUE_MARGIN = 0.5  # frames may leave [0, 1] by this much (noise, sharpening) before a warning


def check_config(mid_channels: int, num_blocks: int, token_stride: int, keyframe_stride: int) -> None:
    """Refuse a network that cannot exist. Raises PortError naming the argument.

    The token stride must be a multiple of 4: the larger tokens are padded by a quarter and a half of it.
    """
    for name, value, least in (
        ("mid_channels", mid_channels, 1),
        ("num_blocks", num_blocks, 1),
        ("keyframe_stride", keyframe_stride, 1),
    ):
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise PortError(f"TTVSR: {name} must be a whole number of at least {least}, found {value!r}.")
    if not isinstance(token_stride, int) or token_stride < 4 or token_stride % 4:
        raise PortError(
            f"TTVSR: token_stride must be a multiple of 4, found {token_stride!r}: larger tokens are padded by a "
            "quarter and a half of it. The published networks use 4."
        )


def check_frames(shape: tuple[int, ...], dtype: str, token_stride: int = TOKEN_STRIDE, wanted: str = "float32") -> None:
    """Refuse frames the network cannot take.

    shape  expected (n, t, 3, h, w) with n, t >= 1 and h, w >= 64
    dtype  name of the element type; a floating one is expected
    wanted the element type of the network's weights, which the frames must have
    Raises PortError saying what was found and what to do.
    """
    if len(shape) != 5:
        raise PortError(
            f"TTVSR: frames must have five axes (n, t, 3, h, w), found {len(shape)}: {tuple(shape)}. "
            "Add the missing ones, for example frames[None] for a batch of one."
        )
    if shape[2] != 3:
        raise PortError(
            f"TTVSR: frames must have 3 channels (RGB) on axis 2, found shape {tuple(shape)}. "
            "Frames stored as (t, h, w, 3) must be moved to (t, 3, h, w) first."
        )
    if shape[0] < 1 or shape[1] < 1:
        raise PortError(f"TTVSR: frames hold no picture: shape {tuple(shape)} (n, t, 3, h, w).")
    if "float" not in dtype.lower():
        raise PortError(
            f"TTVSR: frames must be floating point in [0, 1], found {dtype}. Convert 8-bit pictures by x / 255 in float32."
        )
    found, wanted = (name.lower().removeprefix("torch.") for name in (dtype, wanted))
    if found != wanted:
        raise PortError(
            f"TTVSR: the frames are {found}, the network's weights {wanted}. Convert the frames to {wanted}."
        )
    least = max(MIN_SIZE, 2 * token_stride)
    if min(shape[3:]) < least:
        raise PortError(
            f"TTVSR: frames must be at least {least}x{least} pixels, found {shape[4]}x{shape[3]}. "
            "`infer` reflects small frames up to that size and crops the result."
        )


def check_values(lowest: float, highest: float) -> None:
    """Warn of values far outside [0, 1]; refuse those that are not finite.

    lowest, highest  extremes over all frames; NaN where any element is NaN
    """
    if not (abs(lowest) < float("inf") and abs(highest) < float("inf")):
        raise PortError("TTVSR: frames hold NaN or infinite values. Check how they were read.")
    if lowest < -VALUE_MARGIN or highest > 1 + VALUE_MARGIN:
        hint = " Divide 8-bit values by 255." if highest > 2 else ""
        warn(f"TTVSR expects RGB in [0, 1]; these frames reach from {lowest:.3g} to {highest:.3g}.{hint}")


# Parts whose results reach nothing but a named value of the same step (feat_prop, frame)
REPLACEABLE = ("resblocks", "fusion", "upsample1", "upsample2", "conv_hr", "conv_last")

# Parts that may compute in 16 bits. Not the flow network and the attention, which deal in coordinates, nor the fusion: one
# convolution of 1x1, whose weights tell what type the frames must have.
HALF_PARTS = ("feat_extractor", "resblocks", "upsample1", "upsample2", "conv_hr", "conv_last")

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
