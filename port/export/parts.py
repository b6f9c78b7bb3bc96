"""The parts that TTVSR is exported as: what each takes and gives. The same for MindIR and ONNX.

Only the recurrence over frames stays outside, since its length is that of the clip. Every part has fixed shapes and a batch
of one. All arrays are float32 but `count` and `winner`, which are int32.
"""

from dataclasses import dataclass

from port.errors import PortError
from port.models import ttvsr as facts

SCALES = ("s1", "s2", "s3")
INTEGERS = ("count", "winner")


@dataclass(frozen=True)
class Sizes:
    """What fixes the shapes of all parts.

    width, height  of the frames that go in, pixels
    keyframes      how many keyframes there is room for in each direction
    """

    width: int
    height: int
    mid_channels: int
    num_blocks: int
    token_stride: int
    keyframe_stride: int
    keyframes: int

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise PortError(f"export: {name} must be a whole number of at least 1, found {value!r}.")
        facts.check_config(self.mid_channels, self.num_blocks, self.token_stride, self.keyframe_stride)
        facts.check_frames((1, 1, 3, self.height, self.width), "float32", self.token_stride)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of tokens."""
        return self.height // self.token_stride, self.width // self.token_stride

    @property
    def max_frames(self) -> int:
        """The longest clip whose keyframes find room: the last frame of either direction need not be kept."""
        return self.keyframes * self.keyframe_stride + 1


@dataclass(frozen=True)
class Part:
    """Names and shapes of what goes in and comes out, in order."""

    inputs: dict[str, tuple[int, ...]]
    outputs: dict[str, tuple[int, ...]]


def parts_of(sizes: Sizes) -> dict[str, Part]:
    """Name -> part, in the order in which a clip meets them."""
    frame = (1, 3, sizes.height, sizes.width)
    flow = (1, 2, sizes.height, sizes.width)
    features = (1, sizes.mid_channels, sizes.height, sizes.width)
    rows, columns = sizes.grid
    numbers = sizes.mid_channels * sizes.token_stride**2  # in a token
    locations = (1, 2 * sizes.keyframes, rows, columns)
    one = dict.fromkeys(("index", *SCALES), (rows * columns, numbers))
    stored = dict.fromkeys(one, (sizes.keyframes * rows * columns, numbers))
    enlarged = (1, 3, facts.SCALE * sizes.height, facts.SCALE * sizes.width)
    return {
        "flow": Part({"ref": frame, "supp": frame}, {"flow": flow}),
        "features": Part({"frame": frame}, {"feat": features}),
        "follow": Part(
            {"prop": features, "flow": flow, "locations": locations}, {"warped": features, "moved": locations}
        ),
        "attention": Part(
            {"feat": features, "anchor": features, **stored, "locations": locations, "count": (1,)},
            {"attended": features, "winner": (1, rows * columns)},
        ),
        "trunk": Part({"feat": features, "prop": features}, {"propagated": features}),
        "tokens": Part({"feat": features, "prop": features}, {f"{name}_token": shape for name, shape in one.items()}),
        "upsample": Part({"backward": features, "feat": features, "forward": features, "lr": frame}, {"hr": enlarged}),
    }


def dtype_of(name: str) -> str:
    """The element type of an input or output."""
    return "int32" if name in INTEGERS else "float32"
