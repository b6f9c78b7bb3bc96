"""What the video super-resolution networks have in common: flows of a clip, and the way from features to larger frames."""

import mindspore
import mindspore.ops as F
from mindspore import Tensor, nn

from ms_model.blocks import PixelShufflePack, conv3x3, lrelu
from ms_model.device import capacity
from ms_model.spynet import SPyNet
from port.models.vsr import SCALE, bands, spans
from port.parity.probe import PASSIVE


class VideoSR(nn.Cell):
    """The common part of networks that carry features along a clip in both directions; no network by itself."""

    def __init__(self):
        super().__init__()
        self.spynet = SPyNet()

    def add_upsampler(self, entering, mid_channels):
        """The last layers: `entering` features are fused into one, which is enlarged twice by two."""
        self.fusion = nn.Conv2d(entering * mid_channels, mid_channels, 1, has_bias=True)
        self.upsample1 = PixelShufflePack(mid_channels, mid_channels)
        self.upsample2 = PixelShufflePack(mid_channels, 64)
        self.conv_hr = conv3x3(64, 64)
        self.conv_last = conv3x3(64, 3)
        self.watch(PASSIVE)

    def watch(self, probe):
        """Show every named value to `probe` from now on."""
        self.probe = probe

    def parts(self):
        """Modules without data-dependent control flow, in which most of the time is spent."""
        raise NotImplementedError

    def compile_parts(self):
        """Compile what has no data-dependent control flow; the recurrence over frames stays eager.

        Whole-network graph mode would unroll frames x blocks. Hooks do not fire inside compiled parts.
        """
        for part in self.parts():
            part.construct = mindspore.jit(part.construct)
        self._upsample = mindspore.jit(self._upsample)

    def recompute_parts(self):
        """Keep no activations inside the parts: the way back computes them again. Same values, less memory, more time."""
        for part in self.parts():
            part.construct = computed_again(part.construct)
        self._upsample = computed_again(self._upsample)

    def construct(self, lrs):
        return F.stack(list(self._frames(lrs)), axis=1)

    def frames(self, lrs):
        """The same frame by frame, each as soon as it is known, for less memory. (n, t, 3, h, w) -> t of (n, 3, 4h, 4w)

        For inference: no gradients pass, and keyframes are written in place.
        """
        return self._frames(lrs, in_place=True)

    def _frames(self, lrs, in_place=False):
        """The frames of the result, one after the other. in_place: as in `frames`"""
        raise NotImplementedError

    def check(self, lrs, **options):
        """Raises PortError for frames that the network cannot take."""
        facts = self.facts
        facts.check_frames(tuple(lrs.shape), str(lrs.dtype), wanted=str(self.fusion.weight.dtype), **options)
        facts.check_values(*_extremes(lrs))

    def _flows(self, lrs):
        """Flow from each frame to the next and back. (n, t, 3, h, w) -> two (n, t-1, 2, h, w)"""
        self.probe.step("flows")
        if lrs.shape[1] == 1:
            return None, None  # no step asks for one, and tensors without elements are not for every device
        first, second = lrs[:, :-1], lrs[:, 1:]
        backward = self.probe("flows_backward", self._flow(first, second))
        if self._is_mirror_extended(lrs):
            return backward, backward.flip((1,))
        return backward, self.probe("flows_forward", self._flow(second, first))

    def _flow(self, refs, supps):
        """Of pairs of pictures, a few at a time. (n, t, 3, h, w) twice -> (n, t, 2, h, w)"""
        n, t, c, h, w = refs.shape
        cut = spans(t, n * h * w, capacity())
        runs = [(refs[:, a:b].reshape(-1, c, h, w), supps[:, a:b].reshape(-1, c, h, w)) for a, b in cut]
        return F.cat([self.spynet(ref, supp).view(n, -1, 2, h, w) for ref, supp in runs], axis=1)

    def _is_mirror_extended(self, lrs):
        """Whether the second half is the first half reversed, for the whole batch: then flows repeat, too."""
        t = lrs.shape[1]
        return t % 2 == 0 and bool((lrs[:, : t // 2] == lrs[:, t // 2 :].flip((1,))).all())

    def _upsampled(self, in_place, *arrays):
        """What `_upsample` gives; in_place: a band of rows after the other, for less memory. -> (n, 3, 4h, 4w)

        arrays (n, c, h, w) of the same h and w, the last of them the frame
        """
        cut = bands(*arrays[-1].shape[2:], capacity())
        if not in_place or len(cut) == 1:
            return self._upsample(*arrays)
        rows = []
        for top, bottom, first, last in cut:
            band = self._upsample(*(array[:, :, top:bottom] for array in arrays))
            rows.append(band[:, :, SCALE * (first - top) : SCALE * (last - top)])
        return F.cat(rows, axis=2)

    def _enlarge(self, features, lr):
        """Fuse and enlarge. features (n, entering * c, h, w), lr (n, 3, h, w) -> (n, 3, 4h, 4w)"""
        x = lrelu(self.fusion(features))
        x = lrelu(self.upsample1(x))
        x = lrelu(self.upsample2(x))
        x = self.conv_last(lrelu(self.conv_hr(x)))
        return x + F.interpolate(lr, size=x.shape[2:], mode="bilinear", align_corners=False)


def backward_steps(flows, t):
    """(frame, flow to the frame after it, None of the last) from the last frame to the first. flows (n, t-1, 2, h, w)"""
    return [(i, flows[:, i] if i < t - 1 else None) for i in reversed(range(t))]


def forward_steps(flows, t):
    """(frame, flow to the frame before it, None of the first) from the first frame to the last. flows (n, t-1, 2, h, w)"""
    return [(i, flows[:, i - 1] if i > 0 else None) for i in range(t)]


def set_aside(tensor, in_place):
    """A tensor that waits for its turn. in_place: without gradients, in memory that goes back to the system when it is let go

    On a CPU MindSpore's pool keeps all it ever had, while keyframes lie in memory of numpy: each would grow beside the other.
    """
    if not in_place or mindspore.get_context("device_target") != "CPU":
        return tensor
    return Tensor.from_numpy(tensor.asnumpy().copy())


class Method(nn.Cell):
    """A method as a cell: mindspore.recompute takes nothing else. It holds no parameters of its own."""

    def __init__(self, method):
        super().__init__(auto_prefix=False)
        self.method = method

    def construct(self, *inputs):
        return self.method(*inputs)


def computed_again(method):
    """The method, keeping its inputs instead of everything in between until the way back has passed."""
    cell = Method(method)
    # early_stop leaves the second computation by an exception, which breaks MindSpore's stack of cells (2.10)
    return lambda *inputs: mindspore.recompute(cell, *inputs, use_reentrant=False, early_stop=False)


def _extremes(x):
    """The smallest and the largest value; NaN where any element is."""
    # min and max here pass over NaN unless it comes first; a sum does not. 0 times a finite number adds nothing.
    nothing = float((x * 0).sum())
    return float(x.min()) + nothing, float(x.max()) + nothing
