"""The plain transcription computes what the network computes, shown in float64, where rounding is out of the way."""

import pytest
import torch
import torch.nn.functional as F

from parity_tests.ops.both import make_weights, relative_l2
from port.models import ttvsr as facts
from port.weights import tensors_file
from port.weights.ttvsr import TTVSRConfig
from torch_ref import plain
from torch_ref.networks import load_network
from torch_ref.plain import load_plain

# Both are float64 runs of the same formulas in another order: a roundoff of 1.1e-16 in sums of up to about 4e3 terms, through
# some 30 layers, makes 1e-13 at most in earnest. A single wrong winner, location or place of a patch changes the frames by
# more than 1e-4 (below).
BOUND = 1e-12


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("plain") / "weights.safetensors"
    tensors_file.save(path, make_weights(TTVSRConfig(16, 1)))
    return path


def frames(t, h=32, w=36, n=1, mirrored=False):
    """A moving picture with noise, float64."""
    draw = torch.Generator().manual_seed(7)
    large = F.interpolate(torch.rand(n, 3, 24, 24, generator=draw, dtype=torch.float64), size=(h + 3 * t, w + 3 * t))
    clip = torch.stack([large[:, :, 3 * i : 3 * i + h, 2 * i : 2 * i + w] for i in range(t)], dim=1)
    clip = clip * 0.8 + 0.2 * torch.rand(clip.shape, generator=draw, dtype=torch.float64)
    return torch.cat([clip, clip.flip(1)], dim=1) if mirrored else clip


CLIPS = {
    "plain": frames(4), "mirrored": frames(2, mirrored=True), "ragged batch": frames(2, h=34, w=39, n=2), "one": frames(1),
}  # fmt: skip


@pytest.fixture(scope="module")
def by_network(weights):
    """The network's frames of a clip, computed once; frames below 64 pixels are taken here, for speed."""
    net, known = load_network("ttvsr", weights, keyframe_stride=1).double(), {}

    def upscaled(name):
        with pytest.MonkeyPatch.context() as patch, torch.inference_mode():
            patch.setattr(facts, "MIN_SIZE", 16)
            if name not in known:
                known[name] = net(CLIPS[name])
        return known[name]

    return upscaled


def difference(weights, by_network, name, change=None):
    own = load_plain(weights, keyframe_stride=1).double()
    if change:
        change(own)
    with torch.inference_mode():
        return relative_l2(by_network(name), own(CLIPS[name]))


@pytest.mark.parametrize("name", CLIPS)
def test_it_is_the_network(name, weights, by_network):
    assert difference(weights, by_network, name) < BOUND


def test_the_official_stride_and_the_same_names(weights):
    net, own = load_network("ttvsr", weights), load_plain(weights)
    assert own.keyframe_stride == 3 and own.state_dict().keys() == net.state_dict().keys()


def no_gain(own):
    own.LTAM.register_forward_hook(lambda module, args, out: out * (1 + 1e-6))


def first_keyframe_wins(own):
    forward = own.LTAM.forward
    own.LTAM.forward = lambda query, anchor, *tokens: forward(
        query, anchor, tokens[0] * (torch.arange(tokens[0].shape[1]) == 0)[:, None, None, None], *tokens[1:]
    )


def averaged_evenly(own):
    own._wider = lambda x, side: x


@pytest.mark.parametrize("change", [no_gain, first_keyframe_wins, averaged_evenly])
def test_a_changed_one_is_seen(change, weights, by_network):
    assert difference(weights, by_network, "plain", change) > 1e-7 > 1e4 * BOUND


def test_bilinear_locations_are_seen(weights, by_network, monkeypatch):
    own = plain.warped
    monkeypatch.setattr(plain, "warped", lambda x, flow, mode: own(x, flow, "bilinear"))
    assert difference(weights, by_network, "plain") > 1e-4
