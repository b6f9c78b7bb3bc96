"""BasicVSR: features carried along the clip in both directions (Chan et al., CVPR 2021, arXiv 2012.02181)."""

import torch

from port.models import basicvsr as facts
from torch_ref.blocks import ResidualTrunk
from torch_ref.vsr import VideoSR, backward_steps, forward_steps, set_aside
from torch_ref.warp import flow_warp


class BasicVSR(VideoSR):
    """The network. `net(lrs)`: (n, t, 3, h, w) RGB in [0, 1] -> (n, t, 3, 4h, 4w), not clamped.

    Parameter names are those of mmediting. Raises PortError for frames that it cannot take.
    """

    facts = facts

    def __init__(self, mid_channels=facts.OFFICIAL_CHANNELS, num_blocks=facts.NUM_BLOCKS):
        super().__init__()
        facts.check_config(mid_channels, num_blocks)
        self.mid_channels = mid_channels
        self.backward_resblocks = ResidualTrunk(3 + mid_channels, mid_channels, num_blocks)
        self.forward_resblocks = ResidualTrunk(3 + mid_channels, mid_channels, num_blocks)
        self.add_upsampler(2, mid_channels)

    def parts(self):
        """Modules without data-dependent control flow, in which most of the time is spent."""
        return self.spynet, self.backward_resblocks, self.forward_resblocks

    def _frames(self, lrs, in_place=False):
        self.check(lrs)
        t = lrs.shape[1]
        flows_backward, flows_forward = self._flows(lrs)
        backward = self._propagate("bwd", self.backward_resblocks, lrs, backward_steps(flows_backward, t))
        backward = {i: set_aside(prop, in_place) for i, prop in backward}
        steps = forward_steps(flows_forward, t)
        for i, forward in self._propagate("fwd", self.forward_resblocks, lrs, steps):
            self.probe.step(f"up.{i:02d}")
            yield self.probe("frame", self._upsampled(in_place, backward.pop(i), forward, lrs[:, i]))

    def _propagate(self, name, trunk, lrs, steps):
        """Carry features along the clip in one direction, which knows nothing of the other.

        lrs (n, t, 3, h, w); steps: (frame, flow (n, 2, h, w) to the frame before it in this direction, or None)
        -> (frame, (n, c, h, w)) in the order of the steps
        """
        n, _, _, h, w = lrs.shape
        prop = lrs.new_zeros(n, self.mid_channels, h, w)
        for i, flow in steps:
            self.probe.step(f"{name}.{i:02d}")
            if flow is not None:
                prop = self.probe("warped_feat_prop", flow_warp(prop, flow, padding="zeros"))
            prop = trunk(torch.cat([lrs[:, i], prop], dim=1))
            prop = self.probe("feat_prop", prop)
            yield i, prop

    def _upsample(self, backward, forward, lr):
        """Fuse both directions and enlarge. (n, c, h, w) twice, lr (n, 3, h, w) -> (n, 3, 4h, 4w)"""
        return self._enlarge(torch.cat([backward, forward], dim=1), lr)
