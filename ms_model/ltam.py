"""Location-aware trajectory attention: each token looks along its path through the keyframes and takes the best match.

Source: TTVSR, arXiv 2204.04216, section 3.
"""

import mindspore
import mindspore.ops as F
from mindspore import nn

from ms_model.blocks import conv3x3
from ms_model.tokens import enlarged_tokens, pixels_to_tokens, tokens_to_pixels
from port.parity.probe import PASSIVE

SCALES = ("s1", "s2", "s3")  # patches of 1, 1.5 and 2 token strides
ABSENT = -2.0  # below every cosine


class Keyframes:
    """Tokens of the keyframes met so far, oldest first, laid side by side: (n, c*S*S, m * tokens)."""

    def __init__(self):
        self.index = None  # what queries are compared with, of unit length
        self.values = {}  # scale -> what they fetch

    def append(self, index, values):
        """Add one keyframe. index, values[scale] (n, c*S*S, h/S, w/S)"""
        index, values = as_stored(index, values)
        self.index = _beside(self.index, index)
        for scale in SCALES:
            self.values[scale] = _beside(self.values.get(scale), values[scale])

    def so_far(self):
        """The keyframes of now, which those that come later leave alone."""
        held = Keyframes()
        held.index, held.values = self.index, dict(self.values)
        return held


def as_stored(index, values):
    """Tokens of one keyframe as they are kept, index tokens of unit length. (n, c*S*S, h/S, w/S) -> (n, c*S*S, tokens)"""
    return _unit(index.flatten(start_dim=2)), {scale: values[scale].flatten(start_dim=2) for scale in SCALES}


def _beside(stored, new):
    return new if stored is None else F.cat([stored, new], axis=2)


def _unit(tokens):
    """Each token divided by its length, or by 1e-12 if that is larger. (n, k, p) -> (n, k, p)"""
    # Not L2Normalize (epsilon 1e-4) and not ops.norm (NaN gradient at zero). The bound goes under the root, so that the
    # length of an all-zero token has the gradient zero, as in PyTorch.
    squares = (tokens * tokens).sum(axis=1, keepdims=True)
    return tokens / F.sqrt(F.clamp(squares, min=1e-24))


def _fetch(stored, position):
    """Tokens at `position`. stored (n, k, m * tokens), position (n, p) -> (n, k, p)"""
    n, p = position.shape
    return F.gather_elements(stored, 2, position[:, None].broadcast_to((n, stored.shape[1], p)))


class LTAM(nn.Cell):
    """The attention and its fusion. The maximum over keyframes is hard: one keyframe wins at each token."""

    def __init__(self, channels, stride):
        super().__init__()
        self.stride = stride
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

        index, stored[scale] (n, c*S*S, m * tokens)
        count  int32 (1,): only the first so many keyframes are there, the others are room for more; None: all are there
        -> (n, c, h, w), the winner at each token (n, tokens)
        """
        position = self._positions(locations)  # (n, m, tokens)
        similarity = self.probe("corr", self._similarity(query, index, position))  # (n, m, tokens)
        if count is not None:
            places = F.arange(position.shape[1]).astype(mindspore.int32)[None, :, None]
            similarity = F.where(places < count, similarity, F.full_like(similarity, ABSENT))
        winner = self.probe.decide("argmax", similarity.argmax(axis=1).astype(mindspore.int32))  # (n, tokens)
        corr = F.gather_elements(similarity, 1, winner[:, None])  # (n, 1, tokens)
        corr = self.probe("corr_soft", corr.reshape(corr.shape[:2] + locations.shape[2:]))
        values = self._winning_values(stored, position, winner, locations.shape[2:], anchor.shape[2:])
        gain = tokens_to_pixels(corr.tile((1, self.stride**2, 1, 1)), self.stride, anchor.shape[2:])
        return anchor + self.fusion(F.cat(values, axis=1)) * gain, winner

    def _positions(self, locations):
        """Where each token's path passes each keyframe, as an index into its flattened grid."""
        columns = locations.shape[3]
        return (locations[:, 1::2] * columns + locations[:, 0::2]).astype(mindspore.int32).flatten(start_dim=2)

    def _similarity(self, query, index, position):
        """Cosine between each token and the index token on its path, for every keyframe."""
        n, m, tokens = position.shape
        unit = _unit(pixels_to_tokens(query, self.stride).flatten(start_dim=2))
        first = F.arange(m).astype(mindspore.int32)[None, :, None] * tokens  # where keyframe k starts
        met = _fetch(index, (position + first).flatten(start_dim=1)).reshape(n, -1, m, tokens)
        # One keyframe at a time: a sum is rounded by its place in memory, and equal keyframes must tie to the last bit.
        return F.stack([(met[:, :, k] * unit).sum(axis=1) for k in range(m)], axis=1)

    def _winning_values(self, stored, position, winner, grid, size):
        """The winner's tokens of each scale, pixels back in their places: three (n, c, h, w)."""
        position = F.gather_elements(position, 1, winner[:, None])[:, 0] + winner * position.shape[2]
        values = []
        for scale in SCALES:
            tokens = _fetch(stored[scale], position)
            tokens = tokens.reshape(tokens.shape[:2] + grid)
            values.append(self.probe(f"value_{scale}", tokens_to_pixels(tokens, self.stride, size)))
        return values
