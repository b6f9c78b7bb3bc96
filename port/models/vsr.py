"""What the video super-resolution networks have in common: sizes, limits, checks of their input."""

from port.console import warn
from port.errors import PortError

SCALE = 4  # the networks enlarge by four in each direction
OFFICIAL_CHANNELS = 64  # mid channels of every published checkpoint
FLOW_MULTIPLE = 32  # pixels; SPyNet resizes frames up to the next multiple of it along each side
MIN_SIZE = 64  # pixels; smaller frames leave SPyNet too little to look at
LRELU_SLOPE = 0.1
CHUNK = 2**16  # pixels that flow network and feature extractor are given at once: one frame of 320x180, some 50 MB in between
BAND = 2**15  # pixels of a frame that are enlarged at once: some 0.5 GB in between; half of 320x180, whose ends cost 4 %
CAPACITY = 8  # times as much at once on a device of its own: launches count there, and memory is its own
BAND_ROWS = 40  # at least: of them a tenth is computed twice
BAND_MARGIN = 2  # rows above and below a band on which its enlarged rows depend: one for each of two scales, one for the last
VALUE_MARGIN = 0.5  # frames may leave [0, 1] by this much (noise, sharpening) before a warning


def spans(count: int, pixels: int, capacity: int = 1) -> list[tuple[int, int]]:
    """Cut `count` frames of `pixels` pixels each (those of a whole batch) into runs [first, last) of at most CHUNK pixels.

    capacity: times CHUNK, 1 on a CPU and CAPACITY elsewhere. Runs differ by one frame at most, so that compiled parts meet
    two shapes and no more; a frame is never cut.
    """
    return _evenly(count, max(1, capacity * CHUNK // pixels))


def enlarged_at_once(count: int, pixels: int, capacity: int = 1) -> list[tuple[int, int]]:
    """The same for the upsampler where all frames are known before the first is enlarged: runs of at most BAND pixels.

    On a CPU, where launches count little and memory much, one frame after the other.
    """
    return _evenly(count, max(1, capacity * BAND // pixels) if capacity > 1 else 1)


def _evenly(count: int, most: int) -> list[tuple[int, int]]:
    runs = -(-count // most)
    return [(count * k // runs, count * (k + 1) // runs) for k in range(runs)]


def bands(height: int, width: int, capacity: int = 1) -> list[tuple[int, int, int, int]]:
    """Cut a frame into bands of rows of up to BAND pixels (times `capacity`), or BAND_ROWS rows where frames are wide.

    -> (top, bottom, first, last): computed are rows [top, bottom) and kept [first, last). What is computed is of the same
    height in all, so that compiled parts meet one shape.
    """
    count = -(-height // max(capacity * BAND // width, BAND_ROWS))
    rows = -(-height // count)
    tall = min(height, rows + 2 * BAND_MARGIN) if rows < height else height
    tops = [min(max(first - BAND_MARGIN, 0), height - tall) for first in range(0, height, rows)]
    return [(top, top + tall, k * rows, min((k + 1) * rows, height)) for k, top in enumerate(tops)]


def check_counts(title: str, **counts: int) -> None:
    """Refuse sizes that are no whole numbers from 1 on. Raises PortError naming the argument."""
    for name, value in counts.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise PortError(f"{title}: {name} must be a whole number of at least 1, found {value!r}.")


def check_frames(
    title: str, shape: tuple[int, ...], dtype: str, wanted: str = "float32", least: int = MIN_SIZE
) -> None:
    """Refuse frames that a network cannot take.

    title   name of the network, for messages
    shape   expected (n, t, 3, h, w) with n, t >= 1 and h, w >= least
    dtype   name of the element type; a floating one is expected
    wanted  the element type of the network's weights, which the frames must have
    Raises PortError saying what was found and what to do.
    """
    if len(shape) != 5:
        raise PortError(
            f"{title}: frames must have five axes (n, t, 3, h, w), found {len(shape)}: {tuple(shape)}. "
            "Add the missing ones, for example frames[None] for a batch of one."
        )
    if shape[2] != 3:
        raise PortError(
            f"{title}: frames must have 3 channels (RGB) on axis 2, found shape {tuple(shape)}. "
            "Frames stored as (t, h, w, 3) must be moved to (t, 3, h, w) first."
        )
    if shape[0] < 1 or shape[1] < 1:
        raise PortError(f"{title}: frames hold no picture: shape {tuple(shape)} (n, t, 3, h, w).")
    if "float" not in dtype.lower():
        raise PortError(
            f"{title}: frames must be floating point in [0, 1], found {dtype}. Convert 8-bit pictures by x / 255 in float32."
        )
    found, wanted = (name.lower().removeprefix("torch.") for name in (dtype, wanted))
    if found != wanted:
        raise PortError(
            f"{title}: the frames are {found}, the network's weights {wanted}. Convert the frames to {wanted}."
        )
    if min(shape[3:]) < least:
        raise PortError(
            f"{title}: frames must be at least {least}x{least} pixels, found {shape[4]}x{shape[3]}. "
            "`infer` reflects small frames up to that size and crops the result."
        )


def check_values(title: str, lowest: float, highest: float) -> None:
    """Warn of values far outside [0, 1]; refuse those that are not finite.

    lowest, highest  extremes over all frames; NaN where any element is NaN
    """
    if not (abs(lowest) < float("inf") and abs(highest) < float("inf")):
        raise PortError(f"{title}: frames hold NaN or infinite values. Check how they were read.")
    if lowest < -VALUE_MARGIN or highest > 1 + VALUE_MARGIN:
        hint = " Divide 8-bit values by 255." if highest > 2 else ""
        warn(f"{title} expects RGB in [0, 1]; these frames reach from {lowest:.3g} to {highest:.3g}.{hint}")
