"""TTVSR: video super-resolution by attention along trajectories (Liu et al., CVPR 2022, arXiv 2204.04216)."""

import torch
import torch.nn.functional as F

from port.allocator import give_back_freed_memory
from port.models import ttvsr as facts
from port.models.vsr import enlarged_at_once, spans
from torch_ref.blocks import ResidualTrunk
from torch_ref.device import capacity
from torch_ref.ltam import LTAM, Keyframes
from torch_ref.vsr import VideoSR, backward_steps, computed_again, forward_steps, set_aside
from torch_ref.warp import flow_warp, identity_locations, warp_locations

TIDY = 8  # keyframes after which freed memory goes back: the heap keeps more and more of it between what is in use


class TTVSR(VideoSR):
    """The network. `net(lrs)`: (n, t, 3, h, w) RGB in [0, 1] -> (n, t, 3, 4h, 4w), not clamped.

    Parameter names are those of the official checkpoints. Raises PortError for frames that it cannot take.
    """

    facts = facts

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
        self.directions = "apart"  # or "together": as one batch of two, for more memory
        self.feat_extractor = ResidualTrunk(3, mid_channels, 5)
        self.LTAM = LTAM(mid_channels, token_stride)
        self.resblocks = ResidualTrunk(2 * mid_channels, mid_channels, num_blocks)
        self.add_upsampler(3, mid_channels)

    def watch(self, probe):
        """Show every named value to `probe` from now on."""
        self.probe = self.LTAM.probe = probe

    def parts(self):
        """Modules without data-dependent control flow, in which most of the time is spent."""
        return self.spynet, self.feat_extractor, self.resblocks

    def recompute_parts(self):
        """Keep no activations inside the parts: the way back computes them again. Same values, less memory, more time."""
        super().recompute_parts()
        attend = computed_again(self.LTAM.forward)
        # Keyframes are added to later; computed again, the attention must see those of now.
        self.LTAM.forward = lambda query, anchor, met, places: attend(query, anchor, met.so_far(), places)

    def _frames(self, lrs, in_place=False):
        self.check(lrs, token_stride=self.token_stride)
        t = lrs.shape[1]
        flows_backward, flows_forward = self._flows(lrs)
        feats = self._features(lrs, in_place)
        if in_place:
            give_back_freed_memory()  # what came before, or runs of many frames, took more than what follows needs
        if self.directions == "together":
            yield from self._frames_together(lrs, feats, flows_backward, flows_forward, in_place)
            return
        steps = backward_steps(flows_backward, t)
        backward = self._propagate("bwd", feats, steps, self._backward_keyframes(t), in_place)
        backward = {i: set_aside(prop, in_place) for i, prop in backward}
        steps = forward_steps(flows_forward, t)
        for i, forward in self._propagate("fwd", feats, steps, self._forward_keyframes(t), in_place):
            self.probe.step(f"up.{i:02d}")
            taken = backward.pop(i), feats.pop(i), forward, lrs[:, i]  # out of what is kept: nothing looks at them any more
            yield self.probe("frame", self._upsampled(in_place, *taken))

    def _frames_together(self, lrs, feats, flows_backward, flows_forward, in_place):
        """The same with both directions as one batch: they share their weights and meet keyframes at the same steps."""
        t, kept = len(feats), {}
        flows = [torch.cat([flows_backward[:, t - 1 - k], flows_forward[:, k - 1]]) for k in range(1, t)]
        steps = list(zip(range(t), [None, *flows], strict=True))
        for i, both in self._propagate("bwd", BothWays(feats), steps, self._forward_keyframes(t), in_place):
            self.probe.step(f"fwd.{i:02d}")
            kept["bwd", t - 1 - i], kept["fwd", i] = both.chunk(2)
        n, _, _, h, w = lrs.shape
        for first, end in enlarged_at_once(t, n * h * w, capacity()):
            self.probe.step(f"up.{first:02d}")
            taken = [(kept.pop(("bwd", i)), feats.pop(i), kept.pop(("fwd", i)), lrs[:, i]) for i in range(first, end)]
            enlarged = self._upsampled(in_place, *map(torch.cat, zip(*taken, strict=True)))
            for i, frame in enumerate(enlarged.split(n), first):
                if i > first:
                    self.probe.step(f"up.{i:02d}")
                yield self.probe("frame", frame)

    def _features(self, lrs, in_place=False):
        """Of every frame, a few at a time, or of a long clip when they are asked for. (n, t, 3, h, w) -> frame: (n, c, h, w)"""
        n, t, c, h, w = lrs.shape
        self.probe.step("features")
        kept = facts.are_features_kept(n * t * h * w, self.mid_channels, capacity())
        if in_place and self.directions != "together" and not kept:
            return facts.OnDemand(self.feat_extractor, lrs)
        feats = {}
        for a, b in spans(t, n * h * w, capacity()):
            run = self.feat_extractor(lrs[:, a:b].reshape(-1, c, h, w)).view(n, b - a, -1, h, w)
            feats |= {a + i: set_aside(run[:, i], in_place) for i in range(b - a)}
        return feats

    def _backward_keyframes(self, t):
        return range(t - 1, 0, -self.keyframe_stride)

    def _forward_keyframes(self, t):
        return range(0, t, self.keyframe_stride)

    def _propagate(self, name, feats, steps, keyframe_indices, in_place):
        """Carry features along the clip in one direction.

        feats (n, c, h, w) of each frame; steps: (frame, flow (n, 2, h, w) to the frame before it in this direction, or None)
        in_place: keyframes are kept where there is room for all from the beginning, without gradients
        -> (frame, (n, c, h, w)) in the order of the steps
        """
        first = feats[steps[0][0]]
        n, _, h, w = first.shape
        grid = (h // self.token_stride, w // self.token_stride)
        fresh = identity_locations(n, *grid, like=first)
        keyframes, locations = Keyframes(len(keyframe_indices) if in_place else 0), fresh[:, :0]
        prop = torch.zeros_like(first)
        for i, flow in steps:
            self.probe.step(f"{name}.{i:02d}")
            feat = feats[i]  # once: some are computed, or joined, when they are asked for
            if flow is not None:
                prop, locations = self._follow(prop, locations, flow, grid)
                prop = self.probe("ltam_out", self.LTAM(feat, prop, keyframes, locations))
            prop = self.resblocks(torch.cat([feat, prop], dim=1))
            prop = self.probe("feat_prop", prop)
            if i in keyframe_indices:
                keyframes.append(*self.LTAM.tokenize(feat, prop))
                locations = torch.cat([locations, fresh], dim=1)
                if in_place and keyframes.count % TIDY == 0:
                    give_back_freed_memory()
            yield i, prop

    def _follow(self, prop, locations, flow, grid):
        """Warp the propagated features and the keyframes' location maps to the next frame."""
        prop = self.probe("warped_feat_prop", flow_warp(prop, flow))
        token_flow = self.probe("token_flow", F.adaptive_avg_pool2d(flow, grid) / self.token_stride)
        return prop, self.probe.decide("location", warp_locations(locations, token_flow))

    def _upsample(self, backward, feat, forward, lr):
        """Fuse both directions and enlarge. (n, c, h, w) three times, lr (n, 3, h, w) -> (n, 3, 4h, 4w)"""
        return self._enlarge(torch.cat([backward, feat, forward], dim=1), lr)


class BothWays:
    """Features in the order of steps: of the backward pass, and of the forward one behind it in the batch. (2n, c, h, w)"""

    def __init__(self, feats):
        self.feats = feats

    def __getitem__(self, step):
        return torch.cat([self.feats[len(self.feats) - 1 - step], self.feats[step]])
