"""What the video super-resolution networks have in common: flows of a clip, and the way from features to larger frames."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from port.models.vsr import SCALE, bands, spans
from port.parity.probe import PASSIVE
from torch_ref.blocks import PixelShufflePack, conv3x3, lrelu
from torch_ref.device import capacity, own_pages
from torch_ref.spynet import SPyNet


class VideoSR(nn.Module):
    """The common part of networks that carry features along a clip in both directions; no network by itself."""

    def __init__(self):
        super().__init__()
        self.spynet = SPyNet()

    def add_upsampler(self, entering, mid_channels):
        """The last layers: `entering` features are fused into one, which is enlarged twice by two."""
        self.fusion = nn.Conv2d(entering * mid_channels, mid_channels, 1)
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

        Needs a C++ compiler. Hooks do not fire inside compiled parts.
        """
        for part in self.parts():
            part.compile()
        self._upsample = torch.compile(self._upsample)

    def recompute_parts(self):
        """Keep no activations inside the parts: the way back computes them again. Same values, less memory, more time."""
        for part in self.parts():
            part.forward = computed_again(part.forward)
        self._upsample = computed_again(self._upsample)

    def forward(self, lrs):
        return torch.stack(list(self._frames(lrs)), dim=1)

    @torch.inference_mode()
    def frames(self, lrs):
        """The same frame by frame, each as soon as it is known, for less memory. (n, t, 3, h, w) -> t of (n, 3, 4h, 4w)

        For inference: no gradients pass, and keyframes are written in place.
        """
        yield from self._frames(lrs, in_place=True)

    def _frames(self, lrs, in_place=False):
        """The frames of the result, one after the other. in_place: as in `frames`"""
        raise NotImplementedError

    def check(self, lrs, **options):
        """Raises PortError for frames that the network cannot take."""
        facts = self.facts
        facts.check_frames(tuple(lrs.shape), str(lrs.dtype), wanted=str(self.fusion.weight.dtype), **options)
        facts.check_values(float(lrs.min()), float(lrs.max()))

    def _flows(self, lrs):
        """Flow from each frame to the next and back. (n, t, 3, h, w) -> two (n, t-1, 2, h, w)"""
        n, t, _, h, w = lrs.shape
        self.probe.step("flows")
        if t == 1:
            return lrs.new_zeros(n, 0, 2, h, w), lrs.new_zeros(n, 0, 2, h, w)
        first, second = lrs[:, :-1], lrs[:, 1:]
        backward = self.probe("flows_backward", self._flow(first, second))
        if self._is_mirror_extended(lrs):
            return backward, backward.flip(1)
        return backward, self.probe("flows_forward", self._flow(second, first))

    def _flow(self, refs, supps):
        """Of pairs of pictures, a few at a time. (n, t, 3, h, w) twice -> (n, t, 2, h, w)"""
        n, t, c, h, w = refs.shape
        cut = spans(t, n * h * w, capacity())
        runs = [(refs[:, a:b].reshape(-1, c, h, w), supps[:, a:b].reshape(-1, c, h, w)) for a, b in cut]
        return torch.cat([self.spynet(ref, supp).view(n, -1, 2, h, w) for ref, supp in runs], dim=1)

    def _is_mirror_extended(self, lrs):
        """Whether the second half is the first half reversed, for the whole batch: then flows repeat, too."""
        t = lrs.shape[1]
        return t % 2 == 0 and torch.equal(lrs[:, : t // 2], lrs[:, t // 2 :].flip(1))

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
        return torch.cat(rows, dim=2)

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

    The heap keeps all it ever had, while keyframes lie apart from it: each would grow beside the other.
    """
    if not in_place or tensor.device.type != "cpu":
        return tensor
    strides = torch.empty_like(tensor, device="meta").stride()
    return own_pages(tensor.shape, tensor).as_strided(tensor.shape, strides).copy_(tensor)


def computed_again(method):
    """The method, keeping its inputs instead of everything in between until the way back has passed."""
    return lambda *inputs: checkpoint(method, *inputs, use_reentrant=False, preserve_rng_state=False)
