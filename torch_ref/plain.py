"""TTVSR written down plainly, step by step as the official algorithm is described: the baseline of `port bench`.

Nothing is saved here that the description does not save: tokens of every scale are sampled at every keyframe before one of
them is chosen, index tokens are normalised again at every frame, the buffers are restacked at every frame, and patches are
cut out and laid back by unfold and fold. The layers, and what is the same in `torch_ref/ttvsr.py`, come from there.

Source: TTVSR, arXiv 2204.04216, section 3, and docs/networks.md. No official code.
"""

import torch
import torch.nn.functional as F
from torch import nn

from port.models import ttvsr as facts
from port.weights.convert import load_checkpoint
from torch_ref.blocks import PixelShufflePack, ResidualTrunk, conv3x3, lrelu
from torch_ref.checkpoint import load
from torch_ref.networks import fill
from torch_ref.spynet import SPyNet


class PlainTTVSR(nn.Module):
    """The network. `net(lrs)`: (n, t, 3, h, w) RGB in [0, 1] -> (n, t, 3, 4h, 4w), not clamped.

    Parameter names are those of the official checkpoints. Frames are not checked.
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
        self.LTAM = PlainLTAM(mid_channels, token_stride)
        self.resblocks = ResidualTrunk(2 * mid_channels, mid_channels, num_blocks)
        self.fusion = nn.Conv2d(3 * mid_channels, mid_channels, 1)
        self.upsample1 = PixelShufflePack(mid_channels, mid_channels)
        self.upsample2 = PixelShufflePack(mid_channels, 64)
        self.conv_hr = conv3x3(64, 64)
        self.conv_last = conv3x3(64, 3)

    def forward(self, lrs):
        n, t, c, h, w = lrs.shape
        flows_forward, flows_backward = self._flows(lrs)
        feats = self.feat_extractor(lrs.reshape(-1, c, h, w)).view(n, t, -1, h, w)
        flow_to = {i: flows_backward[:, i] for i in range(t - 1)}
        backward = self._propagate(feats, list(range(t - 1, -1, -1)), flow_to, range(t - 1, 0, -self.keyframe_stride))
        if flows_forward is None:  # mirror-extended: the same pairs come by in reverse
            flow_to = {i: flows_backward[:, -i] for i in range(1, t)}
        else:
            flow_to = {i: flows_forward[:, i - 1] for i in range(1, t)}
        forward = self._propagate(feats, list(range(t)), flow_to, range(0, t, self.keyframe_stride))
        return torch.stack([self._upsample(backward[i], feats[:, i], forward[i], lrs[:, i]) for i in range(t)], dim=1)

    def _flows(self, lrs):
        """Forward (None of a mirror-extended clip) and backward flows, each (n, t-1, 2, h, w)."""
        n, t, c, h, w = lrs.shape
        if t == 1:
            return lrs.new_zeros(n, 0, 2, h, w), lrs.new_zeros(n, 0, 2, h, w)
        first, second = lrs[:, :-1].reshape(-1, c, h, w), lrs[:, 1:].reshape(-1, c, h, w)
        backward = self.spynet(first, second).view(n, t - 1, 2, h, w)
        halves = torch.chunk(lrs, 2, dim=1)
        if t % 2 == 0 and bool((halves[0] == halves[1].flip(1)).all()):
            return None, backward
        return self.spynet(second, first).view(n, t - 1, 2, h, w), backward

    def _propagate(self, feats, order, flow_to, keyframes):
        """One direction. flow_to: frame -> flow to the one before it in `order`, (n, 2, h, w) -> by frame (n, c, h, w)"""
        n, t, c, h, w = feats.shape
        s = self.token_stride
        fresh = pixel_grid(h // s, w // s, feats).permute(2, 0, 1)[None].repeat(n, 1, 1, 1)  # (n, 2, h/S, w/S)
        locations = fresh
        index, s1, s2, s3 = [], [], [], []  # of each keyframe (n, c*S*S, h/S, w/S)
        prop, out = feats.new_zeros(n, c, h, w), [None] * t
        for step, i in enumerate(order):
            if step > 0:
                flow = flow_to[i]
                prop = warped(prop, flow, "bilinear")
                token_flow = F.adaptive_avg_pool2d(flow, (h // s, w // s)) / s
                locations = warped(locations, token_flow, "nearest")
                stacked = [torch.stack(tokens, dim=1) for tokens in (index, s1, s2, s3)]
                prop = self.LTAM(feats[:, i], prop, *stacked, locations)
                if i in keyframes:
                    locations = torch.cat([locations, fresh], dim=1)
            prop = self.resblocks(torch.cat([feats[:, i], prop], dim=1))
            out[i] = prop
            if i in keyframes:
                index.append(self._patches(feats[:, i]))
                s1.append(self._patches(prop))
                s2.append(self._patches(self._wider(prop, 3 * s // 2)))
                s3.append(self._patches(self._wider(prop, 2 * s)))
        return out

    def _patches(self, x):
        """S x S patches side by side. (n, c, h, w) -> (n, c*S*S, h/S, w/S)"""
        s, (h, w) = self.token_stride, x.shape[2:]
        return F.unfold(x, s, stride=s).view(x.shape[0], -1, h // s, w // s)

    def _wider(self, x, side):
        """Overlapping patches of side x side, laid side by side and averaged back to the size of x. (n, c, h, w), the same"""
        s, (h, w) = self.token_stride, x.shape[2:]
        patches = F.unfold(x, side, stride=s, padding=(side - s) // 2)
        laid = F.fold(patches, (h * side // s, w * side // s), side, stride=side)
        return F.adaptive_avg_pool2d(laid, (h, w))

    def _upsample(self, backward, feat, forward, lr):
        """(n, c, h, w) three times, lr (n, 3, h, w) -> (n, 3, 4h, 4w)"""
        x = lrelu(self.fusion(torch.cat([backward, feat, forward], dim=1)))
        x = lrelu(self.upsample2(lrelu(self.upsample1(x))))
        x = self.conv_last(lrelu(self.conv_hr(x)))
        return x + F.interpolate(lr, scale_factor=4, mode="bilinear", align_corners=False)


class PlainLTAM(nn.Module):
    """The attention along trajectories: everything is sampled at all m keyframes, then one of them wins at each token."""

    def __init__(self, channels, stride):
        super().__init__()
        self.stride = stride
        self.fusion = conv3x3(3 * channels, channels)

    def forward(self, query, anchor, index, s1, s2, s3, locations):
        """query, anchor (n, c, h, w); index, s1..s3 (n, m, c*S*S, h/S, w/S); locations (n, 2m, h/S, w/S) -> (n, c, h, w)"""
        n, m, k, rows, columns = index.shape
        size, s = anchor.shape[2:], self.stride
        places = locations.view(n, m, 2, rows, columns).permute(0, 1, 3, 4, 2)
        limits = torch.tensor([max(columns - 1, 1), max(rows - 1, 1)]).to(places)
        grid = (2.0 * places / limits - 1.0).reshape(n * m, rows, columns, 2)
        index, s1, s2, s3 = (
            F.grid_sample(tokens.view(n * m, k, rows, columns), grid, "nearest", "zeros", align_corners=True)
            .view(n, m, k, rows * columns) for tokens in (index, s1, s2, s3)
        )  # fmt: skip
        index = F.normalize(index, dim=2)
        query = F.normalize(F.unfold(query, s, stride=s), dim=1)
        match = (index * query[:, None]).sum(dim=2)  # (n, m, tokens)
        corr, winner = match.max(dim=1)
        chosen = winner[:, None, None].expand(-1, 1, k, -1)
        values = [F.fold(tokens.gather(1, chosen)[:, 0], size, s, stride=s) for tokens in (s1, s2, s3)]
        gain = F.fold(corr[:, None].expand(-1, k, -1), size, s, stride=s)
        return anchor + self.fusion(torch.cat(values, dim=1)) * gain


def pixel_grid(h, w, like):
    """Coordinates (x, y) of every pixel. -> (h, w, 2)"""
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    return torch.stack([x, y], dim=2).to(like)


def warped(x, flow, mode):
    """x (n, c, h, w) sampled at (grid + flow), flow (n, 2, h, w) in pixels, border padding, align_corners True."""
    h, w = x.shape[2:]
    x_limit, y_limit = max(w - 1, 1), max(h - 1, 1)
    place = pixel_grid(h, w, x) + flow.permute(0, 2, 3, 1)
    grid = torch.stack([2.0 * place[..., 0] / x_limit - 1.0, 2.0 * place[..., 1] / y_limit - 1.0], dim=3)
    return F.grid_sample(x, grid, mode, "border", align_corners=True)


def load_plain(path, **strides):
    """The plain network in evaluation mode with the weights of a file. Raises PortError as load_network does."""
    found = load_checkpoint(path, load, "ttvsr")
    return fill(PlainTTVSR(**vars(found.config), **strides), found).eval()
