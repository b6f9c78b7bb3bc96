"""Location-aware trajectory attention: each token looks along its path through the keyframes and takes the best match.

Source: TTVSR, arXiv 2204.04216, section 3.
"""

import torch
import torch.nn.functional as F
from torch import nn

from port.parity.probe import PASSIVE
from torch_ref.blocks import conv3x3
from torch_ref.device import capacity, laid_out_as, own_pages
from torch_ref.tokens import enlarged_tokens, pixels_to_tokens, tokens_to_pixels

SCALES = ("s1", "s2", "s3")  # patches of 1, 1.5 and 2 token strides
ABSENT = -2.0  # below every cosine
AT_ONCE = 2**21  # numbers of keyframes' index tokens fetched together: 8 MiB, of which the heap keeps every size it ever had


class Keyframes:
    """Tokens of the keyframes met so far, oldest first, a token to a row: (m * n * tokens, c*S*S)."""

    def __init__(self, room=0):
        """room: memory is set apart for so many keyframes and written in place, without gradients; 0: joined as they come"""
        self.room, self.count = room, 0
        self.index = None  # what queries are compared with, of unit length
        self.values = {}  # scale -> what they fetch

    def append(self, index, values):
        """Add one keyframe. index, values[scale] (n, c*S*S, h/S, w/S)"""
        index, values = as_stored(index, values)
        self.index = self._below(self.index, index)
        for scale in SCALES:
            self.values[scale] = self._below(self.values.get(scale), values[scale])
        self.count += 1

    def _below(self, stored, new):
        if not self.room:
            return new if stored is None else torch.cat([stored, new])
        if stored is None:
            stored = own_pages((self.room * len(new), new.shape[1]), new)
        stored[self.count * len(new) : (self.count + 1) * len(new)] = new
        return stored

    def so_far(self):
        """The keyframes of now, which those that come later leave alone."""
        held = Keyframes()
        held.index, held.values = self.index, dict(self.values)
        return held


def as_stored(index, values):
    """Tokens of one keyframe as they are kept, index tokens of unit length. (n, c*S*S, h/S, w/S) -> (n * tokens, c*S*S)"""
    return F.normalize(_as_rows(index), dim=1, eps=1e-12), {scale: _as_rows(values[scale]) for scale in SCALES}


def _as_rows(tokens):
    """(n, k, h/S, w/S) -> (n * tokens, k)"""
    return tokens.flatten(2).transpose(1, 2).reshape(-1, tokens.shape[1])


def _count(number, like):
    """0, 1, 2, ... on the device of `like`, which holds places."""
    return torch.arange(number, device=like.device)


class LTAM(nn.Module):
    """The attention and its fusion. The maximum over keyframes is hard: one keyframe wins at each token."""

    def __init__(self, channels, stride):
        super().__init__()
        self.stride = stride
        self.at_once = capacity() * AT_ONCE
        self.fusion = conv3x3(3 * channels, channels)
        self.probe = PASSIVE

    def tokenize(self, feat, prop):
        """Tokens of a keyframe from its features and its propagated features, both (n, c, h, w).

        -> index tokens, {scale: value tokens}, all (n, c*S*S, h/S, w/S)
        """
        s = self.stride
        index = self.probe("token_index", pixels_to_tokens(feat, s))
        s1 = self.probe("token_s1", pixels_to_tokens(prop, s))
        s2 = self.probe("token_s2", enlarged_tokens(prop, s, 3 * s // 2))
        s3 = self.probe("token_s3", enlarged_tokens(prop, s, 2 * s))
        return index, {"s1": s1, "s2": s2, "s3": s3}

    def forward(self, query, anchor, keyframes, locations):
        """query, anchor (n, c, h, w); m keyframes; locations (n, 2m, h/S, w/S), whole numbers -> (n, c, h, w)"""
        return self.attend(query, anchor, keyframes.index, keyframes.values, locations)[0]

    def attend(self, query, anchor, index, stored, locations, count=None):
        """The same on the keyframes' tokens as they are stored.

        index, stored[scale] (m * n * tokens, c*S*S), or longer
        count  int32 (1,): only the first so many keyframes are there, the others are room for more; None: all are there
        -> (n, c, h, w), the winner at each token (n, tokens)
        """
        rows = self._rows(locations)  # (n, m, tokens)
        similarity = self.probe("corr", self._similarity(query, index, rows))  # (n, m, tokens)
        if count is not None:
            places = _count(rows.shape[1], rows)[None, :, None]
            similarity = torch.where(places < count, similarity, torch.full_like(similarity, ABSENT))
        winner = self.probe.decide("argmax", similarity.argmax(dim=1))  # (n, tokens)
        corr = torch.gather(similarity, 1, winner[:, None])  # (n, 1, tokens)
        corr = self.probe("corr_soft", corr.unflatten(2, locations.shape[2:]))
        values = self._winning_values(stored, rows, winner, locations.shape[2:], anchor.shape[2:])
        gain = tokens_to_pixels(corr.repeat(1, self.stride**2, 1, 1), self.stride, anchor.shape[2:])
        return anchor + self.fusion(laid_out_as(anchor, torch.cat(values, dim=1))) * gain, winner

    def _rows(self, locations):
        """Where each token's path passes each keyframe, as a row of what is stored. -> (n, m, tokens)"""
        n, m, columns = locations.shape[0], locations.shape[1] // 2, locations.shape[3]
        position = (locations[:, 1::2] * columns + locations[:, 0::2]).long().flatten(2)
        # keyframe by keyframe, of each the clips of the batch
        first = _count(m, position)[None, :] * n + _count(n, position)[:, None]
        return position + first[:, :, None] * position.shape[2]

    def _similarity(self, query, index, rows):
        """Cosine between each token and the index token on its path, for every keyframe."""
        n, m, tokens = rows.shape
        unit = F.normalize(_as_rows(pixels_to_tokens(query, self.stride)), dim=1, eps=1e-12)
        few = max(1, self.at_once // unit.numel())
        rows, similar = rows.transpose(0, 1).reshape(m, -1), []
        for k in range(0, m, few):
            some = rows[k : k + few]
            met = index.index_select(0, some.flatten()).view(some.shape[0], n * tokens, -1)
            similar.append((met * unit).sum(dim=2))
        return torch.cat(similar).view(m, n, tokens).transpose(0, 1)

    def _winning_values(self, stored, rows, winner, grid, size):
        """The winner's tokens of each scale, pixels back in their places: three (n, c, h, w)."""
        n, _, count = rows.shape
        won = torch.gather(rows, 1, winner[:, None]).flatten()
        values = []
        for scale in SCALES:
            tokens = stored[scale].index_select(0, won).view(n, count, -1).transpose(1, 2).unflatten(2, grid)
            values.append(self.probe(f"value_{scale}", tokens_to_pixels(tokens, self.stride, size)))
        return values
