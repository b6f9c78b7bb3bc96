"""TTVSR from its exported parts: the recurrence over frames on arrays, the same for both columns.

Knows neither networks nor weights. Shows the values that `ttvsr.py` shows to its probe, by the same names.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from port.errors import PortError
from port.export.parts import SCALES, Sizes, parts_of
from port.models import ttvsr as facts
from port.parity.probe import PASSIVE, Probe

# A part's name and its inputs -> its outputs. What `hold` has returned may be given in an array's place.
RunPart = Callable[..., tuple[np.ndarray, ...]]


class Driver:
    """driver(lrs): (1, t, 3, h, w) float32 RGB in [0, 1] -> (1, t, 3, 4h, 4w), not clamped.

    run   runs a part by name on arrays
    hold  what makes an array quick to give more than once, such as a tensor on the device
    Raises PortError for frames of another size and for clips with more keyframes than there is room for.
    """

    def __init__(self, sizes: Sizes, run: RunPart, hold: Callable[[np.ndarray], object] = np.asarray):
        self.sizes, self.run, self.hold = sizes, run, hold
        self.probe: Probe = PASSIVE

    def __call__(self, lrs: np.ndarray, probe: Probe = PASSIVE) -> np.ndarray:
        check_clip(lrs.shape, self.sizes)
        facts.check_frames(lrs.shape, str(lrs.dtype), self.sizes.token_stride)
        facts.check_values(float(lrs.min()), float(lrs.max()))
        self.probe = probe
        frames = [np.ascontiguousarray(lrs[:, i]) for i in range(lrs.shape[1])]
        t, stride = len(frames), self.sizes.keyframe_stride
        flows_backward, flows_forward = self._flows(frames)
        probe.step("features")
        feats = [self.run("features", frame)[0] for frame in frames]
        steps = [(i, flows_backward[i] if i < t - 1 else None) for i in reversed(range(t))]
        backward = self._propagate("bwd", feats, steps, range(t - 1, 0, -stride))
        steps = [(i, flows_forward[i - 1] if i > 0 else None) for i in range(t)]
        forward = self._propagate("fwd", feats, steps, range(0, t, stride))
        enlarged = []
        for i in range(t):
            probe.step(f"up.{i:02d}")
            (frame,) = self.run("upsample", backward[i], feats[i], forward[i], frames[i])
            enlarged.append(probe("frame", frame))
        return np.stack(enlarged, axis=1)

    def _flows(self, frames: Sequence[np.ndarray]) -> tuple[list, list]:
        """Flow from each frame to the next and back; a clip whose second half mirrors the first needs one of them."""
        self.probe.step("flows")
        if len(frames) == 1:
            return [], []
        pairs = list(pairwise(frames))
        backward = [self.run("flow", first, second)[0] for first, second in pairs]
        self.probe("flows_backward", np.stack(backward, axis=1))
        if is_mirror_extended(frames):
            return backward, backward[::-1]
        forward = [self.run("flow", second, first)[0] for first, second in pairs]
        self.probe("flows_forward", np.stack(forward, axis=1))
        return backward, forward

    def _propagate(self, name: str, feats: Sequence[np.ndarray], steps: Sequence[tuple], keyframes: range) -> list:
        """Carry features along the clip in one direction; steps: (frame, flow to the frame before it, or None)."""
        stored = Stored(self.sizes, self.hold)
        prop = np.zeros_like(feats[0])
        propagated = [prop] * len(feats)
        for i, flow in steps:
            self.probe.step(f"{name}.{i:02d}")
            if flow is not None:
                prop = self._attend(feats[i], prop, flow, stored)
            (prop,) = self.run("trunk", feats[i], prop)
            propagated[i] = prop = self.probe("feat_prop", prop)
            if i in keyframes and i != steps[-1][0]:  # nothing looks at a keyframe of the last step
                stored.append(self.run("tokens", feats[i], prop))
        return propagated

    def _attend(self, feat: np.ndarray, prop: np.ndarray, flow: np.ndarray, stored: "Stored") -> np.ndarray:
        """Follow the flow to this frame and look at the keyframes met so far."""
        warped, moved = self.run("follow", prop, flow, stored.locations)
        self.probe("warped_feat_prop", warped)
        stored.move(moved)
        self.probe.decide("location", moved[:, : 2 * stored.count])
        count = np.array([stored.count], np.int32)
        attended, winner = self.run("attention", feat, warped, *stored.held, stored.locations, count)
        self.probe.decide("argmax", winner)
        return self.probe("ltam_out", attended)


class Stored:
    """The keyframes' tokens and location maps, with room for as many as were exported; what is not there is zero."""

    def __init__(self, sizes: Sizes, hold: Callable[[np.ndarray], object]):
        shapes = parts_of(sizes)["attention"].inputs
        self.hold, self.count = hold, 0
        self.tokens = [np.zeros(shapes[name], np.float32) for name in ("index", *SCALES)]
        self.held: list[object] = []
        self.locations = np.zeros(shapes["locations"], np.float32)
        rows, columns = sizes.grid
        self.fresh = np.stack(np.meshgrid(np.arange(columns), np.arange(rows))).astype(np.float32)  # x, then y

    def append(self, tokens: Sequence[np.ndarray]) -> None:
        """Add one keyframe, at every place of its own grid."""
        count = len(tokens[0])
        for room, new in zip(self.tokens, tokens, strict=True):
            room[self.count * count : (self.count + 1) * count] = new
        self.held = [self.hold(room) for room in self.tokens]
        self.locations[0, 2 * self.count : 2 * self.count + 2] = self.fresh
        self.count += 1

    def move(self, locations: np.ndarray) -> None:
        """Where the paths pass the keyframes, one frame later."""
        self.locations = np.array(locations)


def is_mirror_extended(frames: Sequence[np.ndarray]) -> bool:
    """Whether the second half is the first half reversed."""
    t = len(frames)
    return t % 2 == 0 and all(np.array_equal(frames[i], frames[t - 1 - i]) for i in range(t // 2))


def check_clip(shape: Sequence[int], sizes: Sizes) -> None:
    """Refuse clips that the parts were not exported for. shape (1, t, 3, h, w)"""
    t, height, width = shape[1], shape[3], shape[4]
    if (width, height) != (sizes.width, sizes.height):
        raise PortError(
            f"the clip is {width}x{height}, the parts were exported for {sizes.width}x{sizes.height}. Export the weights "
            f"again with --size {width}x{height}."
        )
    if t > sizes.max_frames:
        needed = -(-(t - 1) // sizes.keyframe_stride)
        raise PortError(
            f"the clip has {t} frames, hence {needed} keyframes; the parts have room for {sizes.keyframes} "
            f"({sizes.max_frames} frames). Take fewer with --max-frames, or export with --keyframes {needed}."
        )
