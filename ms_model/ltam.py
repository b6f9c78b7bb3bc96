"""Location-aware trajectory attention: each token looks along its path through the keyframes and takes the best match.

Source: TTVSR, arXiv 2204.04216, section 3.
"""

import mindspore
import mindspore.ops as F
from mindspore import nn

from ms_model.blocks import conv3x3
from ms_model.device import capacity, own_pages
from ms_model.tokens import enlarged_tokens, pixels_to_tokens, tokens_to_pixels
from port.parity.probe import PASSIVE

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
            return new if stored is None else F.cat([stored, new])
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
    return _unit(_as_rows(index)), {scale: _as_rows(values[scale]) for scale in SCALES}


def _as_rows(tokens):
    """(n, k, h/S, w/S) -> (n * tokens, k)"""
    return tokens.flatten(start_dim=2).swapaxes(1, 2).reshape(-1, tokens.shape[1])


def _count(number, like):
    """0, 1, 2, ... of the type of `like`, which holds places."""
    return F.arange(number).astype(like.dtype)


def _unit(tokens):
    """Each token divided by its length, or by 1e-12 if that is larger. (p, k) -> (p, k)"""
    # Not L2Normalize (epsilon 1e-4) and not ops.norm (NaN gradient at zero). The bound goes under the root, so that the
    # length of an all-zero token has the gradient zero, as in PyTorch.
    squares = (tokens * tokens).sum(axis=1, keepdims=True)
    return tokens / F.sqrt(F.clamp(squares, min=1e-24))


class LTAM(nn.Cell):
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

    def construct(self, query, anchor, keyframes, locations):
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
            similarity = F.where(places < count, similarity, F.full_like(similarity, ABSENT))
        winner = self.probe.decide("argmax", similarity.argmax(axis=1).astype(mindspore.int32))  # (n, tokens)
        corr = F.gather_elements(similarity, 1, winner[:, None])  # (n, 1, tokens)
        corr = self.probe("corr_soft", corr.reshape(corr.shape[:2] + locations.shape[2:]))
        values = self._winning_values(stored, rows, winner, locations.shape[2:], anchor.shape[2:])
        gain = tokens_to_pixels(corr.tile((1, self.stride**2, 1, 1)), self.stride, anchor.shape[2:])
        return anchor + self.fusion(F.cat(values, axis=1)) * gain, winner

    def _rows(self, locations):
        """Where each token's path passes each keyframe, as a row of what is stored. -> (n, m, tokens)"""
        n, m, columns = locations.shape[0], locations.shape[1] // 2, locations.shape[3]
        position = (locations[:, 1::2] * columns + locations[:, 0::2]).astype(mindspore.int32).flatten(start_dim=2)
        # keyframe by keyframe, of each the clips of the batch
        first = _count(m, position)[None, :] * n + _count(n, position)[:, None]
        return position + first[:, :, None] * position.shape[2]

    def _similarity(self, query, index, rows):
        """Cosine between each token and the index token on its path, for every keyframe."""
        n, m, tokens = rows.shape
        unit = _unit(_as_rows(pixels_to_tokens(query, self.stride)))
        few = max(1, self.at_once // unit.size)
        rows, similar = rows.swapaxes(0, 1).flatten(), []
        units = unit.tile((min(few, m), 1))  # of two axes: products and sums over three take five times as long here
        for some in rows.split(units.shape[0]):
            met = F.gather(index, some, 0)
            similar.append((met * units[: some.shape[0]]).sum(axis=1))
        return F.cat(similar).reshape(m, n, tokens).swapaxes(0, 1)

    def _winning_values(self, stored, rows, winner, grid, size):
        """The winner's tokens of each scale, pixels back in their places: three (n, c, h, w)."""
        n, _, count = rows.shape
        won = F.gather_elements(rows, 1, winner[:, None]).flatten()
        values = []
        for scale in SCALES:
            tokens = F.gather(stored[scale], won, 0).reshape(n, count, -1).swapaxes(1, 2)
            tokens = tokens.reshape(tokens.shape[:2] + grid)
            values.append(self.probe(f"value_{scale}", tokens_to_pixels(tokens, self.stride, size)))
        return values
