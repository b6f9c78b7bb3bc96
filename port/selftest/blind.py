"""What the method cannot see: mistakes that these inputs do not reach, and how small a mistake may be before it is lost."""

from dataclasses import dataclass

from port.selftest import attention, choices, resample, vision
from port.selftest.fault import Control, control


@dataclass(frozen=True)
class Blind:
    """A mistake that computes the same on the inputs at hand. `why` says so, `probe` which input would show it."""

    case: Control
    why: str
    probe: str


def _blind(network: str, name: str, old: str, new: str, why: str, probe: str, file: str = "") -> Blind:
    return Blind(control(network, name, old, new, why, file), why, probe)


BLIND = (
    _blind("choices", "clip_by_value's gradient on the bound", choices.BOUNDED, "ops.clip_by_value(x, 0, 1)",
           "no element of the input lies exactly on a bound", "values equal to a bound, as a saturated picture has them"),
    _blind("vision", "slope of the leaky ReLU's gradient at zero", "nn.LeakyReLU(0.1)", "type('Leaky', (nn.Cell,), {'construct': lambda self, x: ops.select(x >= 0, x, 0.1 * x)})()",
           "no activation is exactly zero", "dead units or zero padding before the activation"),
    _blind("attention", "another constant to hide with", "-1e9", "-1e5",
           "both vanish in the softmax", "scores of the size of the constant"),
    _blind("choices", "ties of the largest broken the other way", "x.argmax(-1)", "7 - x.flip((1,)).argmax(-1)",
           "no row has two largest elements", "rows with equal elements"),
    _blind("resample", "flow's frame not checked", resample.WARP, resample.WARP.replace("positions,", "ops.clamp(positions, -3, 3),"),
           "no position lies that far outside", "flows longer than the picture"),
    _blind("vision", "a branch never taken", "x = self.act(self.norm(self.stem(x)))", "x = self.act(self.norm(self.stem(x))) if x.shape[2] < 64 else x",
           "these pictures have 16 rows", "one run with every size the network is meant for"),
    _blind("vision", "dropout's random numbers", "nn.Dropout(p=0.0)", "nn.Dropout(p=0.0, dtype=__import__('mindspore').float32)",
           "two frameworks draw different numbers from one seed, so pairs are compared with a rate of zero", "masks saved from one side and given to both"),
    _blind("ttvsr", "halves of locations rounded up", "F.round(F.clamp(pixels, 0, size - 1))", "F.floor(F.clamp(pixels, 0, size - 1) + 0.5)",
           "no token's path ends exactly half-way between two tokens", "flows of half a token, as in parity_tests/ops/test_warp.py", "warp.py"),
    _blind("ttvsr", "last of the best keyframes", "similarity.argmax(axis=1)", "(similarity.shape[1] - 1 - similarity.flip((1,)).argmax(axis=1))",
           "no two keyframes are equally similar", "a clip that stands still", "ltam.py"),
    _blind("ttvsr", "epsilon of the unit length", "min=1e-24", "min=1e-8",
           "every token is longer than 1e-4", "tokens of a black or flat picture", "ltam.py"),
    _blind("ttvsr", "flows of a mirrored clip not reversed", "backward.flip((1,))", "backward",
           "the clip is not its own mirror image", "a clip followed by itself in reverse, as in the golden cases", "vsr.py"),
)  # fmt: skip


@dataclass(frozen=True)
class Sweep:
    """A mistake of decreasing size: the smallest that is still seen is reported."""

    name: str
    network: str
    old: str
    new: str  # with {size}
    sizes: tuple[float, ...]

    def cases(self) -> list[tuple[float, Control]]:
        """(size, changed port), the largest first."""
        return [
            (size, control(self.network, f"{self.name}, {size:g}", self.old, self.new.replace("{size}", repr(size)), ""))
            for size in self.sizes
        ]


SIZES = (1e-3, 1e-4, 1e-5, 3e-6, 1e-6, 1e-7)
SWEEPS = (
    Sweep("factor 1 + size between two modules", "vision", "self.dilated(self.average(x))", "self.dilated(self.average(x) * (1 + {size}))", SIZES),
    Sweep("offset of size between two modules", "vision", "self.dilated(self.average(x))", "self.dilated(self.average(x) + {size})", SIZES),
    Sweep("one element of a value off by size", "choices", "y = self.last(y)", "y = self.last(y + {size} * ops.eye(8, 8))", SIZES),
    Sweep("epsilon of the layer norm off by size", "attention", attention.NORM, attention.NORM.replace("1e-5", "1e-5 + {size}"), SIZES),
    Sweep("learning rate off by the factor 1 + size", "vision", "learning_rate=0.05", "learning_rate=0.05 * (1 + {size})", SIZES),
    Sweep("weight decay of size", "vision", vision.OPTIMIZER, vision.OPTIMIZER.replace("momentum=0.9", "momentum=0.9, weight_decay={size}"), SIZES),
)  # fmt: skip
