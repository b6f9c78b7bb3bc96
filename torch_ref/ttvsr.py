"""TTVSR: video super-resolution by attention along trajectories (Liu et al., CVPR 2022, arXiv 2204.04216)."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from port.models import ttvsr as facts
from port.parity.probe import PASSIVE
from torch_ref.blocks import PixelShufflePack, ResidualTrunk, conv3x3, lrelu
from torch_ref.ltam import LTAM, Keyframes
from torch_ref.spynet import SPyNet
from torch_ref.warp import flow_warp, identity_locations, warp_locations


class TTVSR(nn.Module):
    """The network. `net(lrs)`: (n, t, 3, h, w) RGB in [0, 1] -> (n, t, 3, 4h, 4w), not clamped.

    Parameter names are those of the official checkpoints. Raises PortError for frames that it cannot take.
    """

    def __init__(
        self,
        mid_channels=facts.OFFICIAL_CHANNELS,
        num_blocks=facts.NUM_BLOCKS,
        token_stride=facts.TOKEN_STRIDE,
        keyframe_stride=facts.KEYFRAME_STRIDE,
    ):
        super().__init__()
        facts.check_config(mid_channels, num_blocks, token_stride, keyframe_stride)
        self.mid_channels = mid_channels
        self.token_stride = token_stride
        self.keyframe_stride = keyframe_stride
        self.spynet = SPyNet()
        self.feat_extractor = ResidualTrunk(3, mid_channels, 5)
        self.LTAM = LTAM(mid_channels, token_stride)
        self.resblocks = ResidualTrunk(2 * mid_channels, mid_channels, num_blocks)
        self.fusion = nn.Conv2d(3 * mid_channels, mid_channels, 1)
        self.upsample1 = PixelShufflePack(mid_channels, mid_channels)
        self.upsample2 = PixelShufflePack(mid_channels, 64)
        self.conv_hr = conv3x3(64, 64)
        self.conv_last = conv3x3(64, 3)
        self.watch(PASSIVE)

    def watch(self, probe):
        """Show every named value to `probe` from now on."""
        self.probe = self.LTAM.probe = probe

    def compile_parts(self):
        """Compile what has no data-dependent control flow; the recurrence over frames stays eager.

        Needs a C++ compiler. Hooks do not fire inside compiled parts.
        """
        self.spynet.compile()
        self.feat_extractor.compile()
        self.resblocks.compile()
        self._upsample = torch.compile(self._upsample)

    def recompute_parts(self):
        """Keep no activations inside the parts below: the way back computes them again. Same values, less memory, more time."""
        for part in (self.spynet, self.feat_extractor, self.resblocks):
            part.forward = computed_again(part.forward)
        self._upsample = computed_again(self._upsample)
        attend = computed_again(self.LTAM.forward)
        # Keyframes are added to later; computed again, the attention must see those of now.
        self.LTAM.forward = lambda query, anchor, met, places: attend(query, anchor, met.so_far(), places)

    def forward(self, lrs):
        facts.check_frames(tuple(lrs.shape), str(lrs.dtype), self.token_stride, str(self.fusion.weight.dtype))
        facts.check_values(float(lrs.min()), float(lrs.max()))
        t = lrs.shape[1]
        flows_backward, flows_forward = self._flows(lrs)
        feats = self._features(lrs)
        steps = [(i, flows_backward[:, i] if i < t - 1 else None) for i in reversed(range(t))]
        backward = self._propagate("bwd", feats, steps, self._backward_keyframes(t))
        steps = [(i, flows_forward[:, i - 1] if i > 0 else None) for i in range(t)]
        forward = self._propagate("fwd", feats, steps, self._forward_keyframes(t))
        frames = []
        for i in range(t):
            self.probe.step(f"up.{i:02d}")
            frame = self._upsample(backward[i], feats[:, i], forward[i], lrs[:, i])
            frames.append(self.probe("frame", frame))
        return torch.stack(frames, dim=1)

    def _flows(self, lrs):
        """Flow from each frame to the next and back. (n, t, 3, h, w) -> two (n, t-1, 2, h, w)"""
        n, t, c, h, w = lrs.shape
        self.probe.step("flows")
        if t == 1:
            return lrs.new_zeros(n, 0, 2, h, w), lrs.new_zeros(n, 0, 2, h, w)
        first, second = lrs[:, :-1].reshape(-1, c, h, w), lrs[:, 1:].reshape(-1, c, h, w)
        backward = self.probe("flows_backward", self.spynet(first, second).view(n, t - 1, 2, h, w))
        if self._is_mirror_extended(lrs):
            return backward, backward.flip(1)
        forward = self.probe("flows_forward", self.spynet(second, first).view(n, t - 1, 2, h, w))
        return backward, forward

    def _is_mirror_extended(self, lrs):
        """Whether the second half is the first half reversed, for the whole batch: then flows repeat, too."""
        t = lrs.shape[1]
        return t % 2 == 0 and torch.equal(lrs[:, : t // 2], lrs[:, t // 2 :].flip(1))

    def _features(self, lrs):
        """(n, t, 3, h, w) -> (n, t, c, h, w)"""
        n, t, c, h, w = lrs.shape
        self.probe.step("features")
        return self.feat_extractor(lrs.reshape(-1, c, h, w)).view(n, t, -1, h, w)

    def _backward_keyframes(self, t):
        return range(t - 1, 0, -self.keyframe_stride)

    def _forward_keyframes(self, t):
        return range(0, t, self.keyframe_stride)

    def _propagate(self, name, feats, steps, keyframe_indices):
        """Carry features along the clip in one direction.

        feats (n, t, c, h, w); steps: (frame, flow (n, 2, h, w) to the frame before it in this direction, or None)
        -> list over frames of (n, c, h, w)
        """
        n, t, _, h, w = feats.shape
        grid = (h // self.token_stride, w // self.token_stride)
        fresh = identity_locations(n, *grid, like=feats)
        keyframes, locations = Keyframes(), fresh[:, :0]
        prop = torch.zeros_like(feats[:, 0])
        propagated = [None] * t
        for i, flow in steps:
            self.probe.step(f"{name}.{i:02d}")
            if flow is not None:
                prop, locations = self._follow(prop, locations, flow, grid)
                prop = self.probe("ltam_out", self.LTAM(feats[:, i], prop, keyframes, locations))
            prop = self.resblocks(torch.cat([feats[:, i], prop], dim=1))
            propagated[i] = prop = self.probe("feat_prop", prop)
            if i in keyframe_indices:
                keyframes.append(*self.LTAM.tokenize(feats[:, i], prop))
                locations = torch.cat([locations, fresh], dim=1)
        return propagated

    def _follow(self, prop, locations, flow, grid):
        """Warp the propagated features and the keyframes' location maps to the next frame."""
        prop = self.probe("warped_feat_prop", flow_warp(prop, flow))
        token_flow = self.probe("token_flow", F.adaptive_avg_pool2d(flow, grid) / self.token_stride)
        return prop, self.probe.decide("location", warp_locations(locations, token_flow))

    def _upsample(self, backward, feat, forward, lr):
        """Fuse both directions and enlarge. (n, c, h, w) three times, lr (n, 3, h, w) -> (n, 3, 4h, 4w)"""
        x = lrelu(self.fusion(torch.cat([backward, feat, forward], dim=1)))
        x = lrelu(self.upsample1(x))
        x = lrelu(self.upsample2(x))
        x = self.conv_last(lrelu(self.conv_hr(x)))
        return x + F.interpolate(lr, size=x.shape[2:], mode="bilinear", align_corners=False)


def computed_again(method):
    """The method, keeping its inputs instead of everything in between until the way back has passed."""
    return lambda *inputs: checkpoint(method, *inputs, use_reentrant=False, preserve_rng_state=False)
