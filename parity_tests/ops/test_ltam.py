"""Attention along trajectories, against loops written from the specification; ties; gradients through the choice."""

import numpy as np
import pytest

from parity_tests.ops.both import COLUMNS, Recorded, random_like, relative_l2, worst
from parity_tests.ops.by_hand import cut_by_hand, enlarged_by_hand

S, C = 4, 4
SCALES = ("s1", "s2", "s3")
SHAPES = {"fusion.weight": (C, 3 * C, 3, 3), "fusion.bias": (C,)}


class Case:
    """Inputs of one call: a query, an anchor, m keyframes (features and propagated features) and where paths meet them."""

    def __init__(self, rng, n=2, size=(32, 40), m=3):
        h, w = size
        self.size, self.grid, self.m = size, (h // S, w // S), m
        self.query, self.anchor = (rng.standard_normal((n, C, h, w)).astype(np.float32) for _ in range(2))
        self.feats, self.props = (
            [rng.standard_normal((n, C, h, w)).astype(np.float32) for _ in range(m)] for _ in range(2)
        )
        # keyframes resemble the query, so that the best match decides by content and not by chance
        self.feats = [0.6 * self.query + feat for feat in self.feats]
        x, y = (rng.integers(0, size, (n, m, *self.grid)) for size in self.grid[::-1])
        self.locations = np.stack([x, y], axis=2).reshape(n, 2 * m, *self.grid).astype(np.float32)
        self.weights = random_like(rng, SHAPES)

    def arrays(self):
        """What gradients are taken by."""
        return [self.query, self.anchor, *self.feats, *self.props]

    def built(self, side):
        return side.fill(side.module("ltam").LTAM(C, S), self.weights)

    def call(self, side, net, tensors):
        """Run a column on `arrays()` as tensors."""
        keyframes = side.module("ltam").Keyframes()
        for feat, prop in zip(tensors[2 : 2 + self.m], tensors[2 + self.m :], strict=True):
            keyframes.append(*net.tokenize(feat, prop))
        return net(tensors[0], tensors[1], keyframes, side.tensor(self.locations))

    def run(self, side):
        """-> (output, arg-max, similarities) of a column"""
        net, seen = self.built(side), Recorded(side)
        net.probe = seen
        out = side.array(self.call(side, net, [side.tensor(array) for array in self.arrays()]))
        return out, seen.decisions["start/argmax"].reshape(-1, *self.grid), seen.values["start/corr"]


def ltam_by_hand(case, pick=np.argmax):
    """The specification in loops and float64. -> (output, winner (n, rows, columns), similarities (n, m, rows, columns))"""
    n, _, h, w = case.query.shape
    index = [unit(cut_by_hand(feat.astype(np.float64))) for feat in case.feats]
    values = {
        "s1": [cut_by_hand(prop.astype(np.float64)) for prop in case.props],
        "s2": [enlarged_by_hand(prop, S, 6) for prop in case.props],
        "s3": [enlarged_by_hand(prop, S, 8) for prop in case.props],
    }
    query = unit(cut_by_hand(case.query.astype(np.float64)))
    picture, gain = np.zeros((n, 3 * C, h, w)), np.zeros((n, 1, h, w))
    winner, similarity = np.zeros((n, *case.grid), int), np.zeros((n, case.m, *case.grid))
    for b, i, j in np.ndindex(n, *case.grid):
        met = [tuple(case.locations[b, 2 * k : 2 * k + 2, i, j].astype(int)) for k in range(case.m)]  # (x, y)
        similarity[b, :, i, j] = [query[b, :, i, j] @ index[k][b, :, y, x] for k, (x, y) in enumerate(met)]
        k = winner[b, i, j] = pick(similarity[b, :, i, j])
        x, y = met[k]
        here = (slice(i * S, (i + 1) * S), slice(j * S, (j + 1) * S))
        gain[b, 0, *here] = similarity[b, k, i, j]
        fetched = np.concatenate([values[scale][k][b, :, y, x].reshape(C, S, S) for scale in SCALES])
        picture[b, :, *here] = fetched
    fused = conv_by_hand(picture, case.weights["fusion.weight"], case.weights["fusion.bias"])
    return case.anchor + fused * gain, winner, similarity


def unit(tokens):
    return tokens / np.maximum(np.sqrt((tokens**2).sum(axis=1, keepdims=True)), 1e-12)


def conv_by_hand(x, weight, bias):
    """3x3, zero padding, float64."""
    h, w = x.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    taps = [
        np.einsum("nchw,oc->nohw", padded[:, :, ky : ky + h, kx : kx + w], weight[:, :, ky, kx].astype(np.float64))
        for ky, kx in np.ndindex(3, 3)
    ]
    return sum(taps) + bias[:, None, None]


# Sums of 64 (tokens) and 108 (fusion) products in float32: about sqrt(108) * 6e-8 = 6e-7 of the rms in the mean and five
# times that in the worst of 10,000 elements; measured 5e-7.
CLOSE = 5e-6


@pytest.mark.parametrize("size", [(32, 40), (34, 43)])
@pytest.mark.parametrize("m", [1, 3])
def test_attention_is_that_of_the_specification(side, size, m, seeded):
    case = Case(seeded, size=size, m=m)
    expected, winner, similarity = ltam_by_hand(case)
    out, chosen, _ = case.run(side)
    best = np.sort(similarity, axis=1)
    assert m == 1 or (best[:, -1] - best[:, -2]).min() > 1e-5  # no near-tie that float32 may decide either way
    assert np.array_equal(chosen, winner)
    assert worst(expected, out) <= CLOSE


def test_several_keyframes_win(seeded):
    """The case above is worth something: each of the three keyframes wins at least a tenth of the tokens."""
    counts = np.bincount(ltam_by_hand(Case(seeded))[1].ravel(), minlength=3)
    assert counts.min() > counts.sum() / 10


def test_leftover_rows_and_columns_keep_the_anchor(side, seeded):
    """Folding leaves zeros there, in the similarity as well: 34 = 8 * 4 + 2 and 43 = 10 * 4 + 3."""
    case = Case(seeded, size=(34, 43))
    out = case.run(side)[0]
    assert np.array_equal(out[:, :, 32:], case.anchor[:, :, 32:])
    assert np.array_equal(out[..., 40:], case.anchor[..., 40:])
    assert (out[:, :, :32, :40] != case.anchor[:, :, :32, :40]).mean() > 0.99


def swap_x_and_y(case):
    case.locations = case.locations.reshape(2, -1, 2, *case.grid)[:, :, ::-1].reshape(case.locations.shape)
    case.locations = np.minimum(case.locations, min(case.grid) - 1)


def forget_the_length(case):
    case.feats = [feat * scale for feat, scale in zip(case.feats, (1.0, 0.0, 1.0), strict=True)]


def exchange_keyframes(case):
    case.props = case.props[::-1]


@pytest.mark.parametrize("mistake", [swap_x_and_y, forget_the_length, exchange_keyframes])
def test_the_loops_see_mistakes_in_the_inputs(mistake, seeded):
    case = Case(seeded)
    expected = ltam_by_hand(case)[0]
    mistake(case)
    assert worst(expected, ltam_by_hand(case)[0]) > 0.1


def test_the_loops_see_a_wrong_winner(seeded):
    case = Case(seeded)
    assert worst(ltam_by_hand(case)[0], ltam_by_hand(case, pick=np.argmin)[0]) > 0.1


def test_similarity_ignores_the_length_of_tokens(side, seeded):
    """Cosine: features 1000 times as large give the same similarities; the bound 1e-12 is far below any real length."""
    case = Case(seeded)
    before = case.run(side)[2]
    case.query = case.query * np.float32(1e-3)
    case.feats = [feat * np.float32(1e3) for feat in case.feats]
    assert np.abs(case.run(side)[2] - before).max() < 1e-6


# token counts that leave every remainder when kernels take 8 or 16 numbers at a time
@pytest.mark.parametrize("size", [(32, 32), (32, 40), (20, 28), (12, 12), (20, 52)])
def test_the_first_of_equal_keyframes_wins(side, size, seeded):
    """A still clip: three keyframes with the same index tokens but other values; nothing but the order decides."""
    case = Case(seeded, n=1, size=size, m=3)
    case.feats = [case.feats[0]] * 3
    case.locations = np.tile(case.locations[:, :2], (1, 3, 1, 1))
    out, chosen, similarity = case.run(side)
    assert np.array_equal(similarity[:, 0], similarity[:, 1]) and np.array_equal(similarity[:, 0], similarity[:, 2])
    assert not chosen.any()
    alone = Case(seeded, n=1, size=size, m=1)
    alone.query, alone.anchor, alone.weights = case.query, case.anchor, case.weights
    alone.feats, alone.props, alone.locations = case.feats[:1], case.props[:1], case.locations[:, :2]
    assert worst(alone.run(side)[0], out) <= CLOSE


def test_of_two_equal_best_the_first_wins(side, seeded):
    """Keyframe 1 and 2 are equal and better than keyframe 0: the winner is 1."""
    case = Case(seeded, n=1)
    case.feats = [-case.query, case.query, case.query]
    y, x = np.mgrid[: case.grid[0], : case.grid[1]]
    case.locations = np.tile(np.stack([x, y])[None], (1, 3, 1, 1)).astype(np.float32)
    chosen, similarity = case.run(side)[1:]
    assert np.array_equal(similarity[:, 1], similarity[:, 2])
    assert (chosen == 1).all()
    np.testing.assert_allclose(similarity[:, :2].mean(axis=2), [[-1, 1]], atol=1e-6)


def gradients(side, case, cotangent):
    """Of sum(output * cotangent) by every input and by the fusion's weights."""
    net, given = case.built(side), side.tensor(cotangent)
    return side.gradients(lambda *tensors: (case.call(side, net, tensors) * given).sum(), case.arrays(), net)


def both_gradients(case, rng):
    cotangent = rng.standard_normal(case.query.shape).astype(np.float32)
    return [gradients(COLUMNS[name](), case, cotangent) for name in COLUMNS]


# Like the forward bound: sums of up to 2560 products (weights of the fusion: every pixel), of either sign; measured 1e-6.
GRADIENT = 5e-6


@pytest.mark.parametrize("size", [(32, 40), (34, 43)])
def test_gradients_through_the_choice_agree(size, seeded):
    case = Case(seeded, size=size)
    (value, by_input, by_weight), (ms_value, ms_by_input, ms_by_weight) = both_gradients(case, seeded)
    assert abs(value - ms_value) <= 1e-5 * abs(value) + 1e-3
    for position, (a, b) in enumerate(zip(by_input, ms_by_input, strict=True)):
        assert np.abs(a).max() > 0, position  # the choice cuts no path: query, anchor, all keyframes
        assert relative_l2(a, b) <= GRADIENT, position
    assert by_weight.keys() == ms_by_weight.keys() == SHAPES.keys()
    for name in by_weight:
        assert relative_l2(by_weight[name], ms_by_weight[name]) <= GRADIENT, name


def test_gradient_by_the_query_is_that_of_the_specification(seeded):
    """Central differences of the loops in float64, on a few elements; the choice does not move within the step."""
    case = Case(seeded, n=1)
    cotangent = seeded.standard_normal(case.query.shape)
    _, by_input, _ = gradients(COLUMNS["torch_ref"](), case, cotangent.astype(np.float32))
    case.query = case.query.astype(np.float64)
    for where in [(0, 0, 3, 5), (0, 3, 17, 20), (0, 2, 31, 39)]:
        numbers = []
        for step in (1e-5, -1e-5):
            case.query[where] += step
            numbers.append((ltam_by_hand(case)[0] * cotangent).sum())
            case.query[where] -= step
        assert by_input[0][where] == pytest.approx((numbers[0] - numbers[1]) / 2e-5, rel=1e-3, abs=1e-4)


def test_an_empty_token_has_similarity_zero_and_no_nan(side, seeded):
    """All-zero tokens in query and keyframes: similarity 0, finite gradients everywhere."""
    case = Case(seeded, n=1)
    for array in (case.query, *case.feats):
        array[:, :, 8:16, 12:20] = 0
    case.locations[:, 0::2, 2:4, 3:5], case.locations[:, 1::2, 2:4, 3:5] = 3, 2  # empty meets empty
    out, _, similarity = case.run(side)
    assert np.array_equal(out[:, :, 8:16, 12:20], case.anchor[:, :, 8:16, 12:20])
    assert not similarity.reshape(1, 3, *case.grid)[:, :, 2:4, 3:5].any()
    _, by_input, by_weight = gradients(side, case, np.ones_like(case.query))
    for gradient in (*by_input, *by_weight.values()):
        assert np.isfinite(gradient).all()
    assert not by_input[0][:, :, 8:16, 12:20].any()  # nothing to gain from what has no direction


def test_an_empty_query_that_meets_something_agrees_too(seeded):
    """Divided by 1e-12 there: the gradient by the query is huge, finite, and the same in both columns."""
    case = Case(seeded, n=1)
    case.query[:, :, 8:16, 12:20] = 0
    (_, reference, _), (_, found, _) = both_gradients(case, seeded)
    assert 1e9 < np.abs(reference[0][:, :, 8:16, 12:20]).max() < 1e15
    assert relative_l2(reference[0], found[0]) <= GRADIENT
    for array in (reference[0], found[0]):
        array[:, :, 8:16, 12:20] = 0
    assert relative_l2(reference[0], found[0]) <= GRADIENT
