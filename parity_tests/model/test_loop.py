"""What the port's loop over frames leaves out: waiting for the device, compiling anew, and what an NPU does not have."""

import ast
from collections import Counter

import mindspore
import mindspore.ops as F
import numpy as np
import pytest
from mindspore import Tensor
from mindspore.graph import api

from ms_model import ttvsr
from parity_tests.docs.pages import REPO
from parity_tests.model.test_ttvsr import clip
from parity_tests.ops.both import COLUMNS

# Ways in which Python gets to know what is in a tensor: all that was launched must have been computed by then.
WAITS = ("asnumpy", "item", "tolist", "__bool__", "__int__", "__float__", "__index__")
SIDE = COLUMNS["ms_model"]()


@pytest.fixture
def waits(monkeypatch):
    """Names of WAITS as they are called."""
    called = Counter()

    def counting(name, own):
        def method(tensor, *given):
            called[name] += 1
            return own(tensor, *given)

        return method

    for name in WAITS:
        monkeypatch.setattr(Tensor, name, counting(name, getattr(Tensor, name)))
    return called


def on_an_npu(monkeypatch):
    """As the network sees it: who asks for the device is told of an NPU, which has no memory of numpy."""
    told = mindspore.get_context
    monkeypatch.setattr(mindspore, "get_context", lambda name: "Ascend" if name == "device_target" else told(name))
    monkeypatch.setattr(Tensor, "from_numpy", None)


def waits_of(net, frames, waits):
    """Over a whole clip, as `infer` has it."""
    waits.clear()
    assert len(list(net.frames(SIDE.tensor(frames)))) == frames.shape[1]
    return dict(waits)


@pytest.mark.parametrize("directions", ["apart", "together"])
def test_nothing_in_the_loop_waits_for_an_npu(directions, make_ttvsr, seeded, waits, monkeypatch):
    """The clip is checked before, and what asks for frames waits for them; between the two, no value is looked at."""
    net = make_ttvsr(keyframe_stride=1)[1]
    monkeypatch.setattr(net, "directions", directions)
    on_an_npu(monkeypatch)
    few, more = (waits_of(net, clip(seeded, t=t), waits) for t in (3, 5))
    assert few == more and sum(few.values()) < 20


def test_a_wait_in_the_loop_is_seen(make_ttvsr, seeded, waits, monkeypatch):
    """As on a CPU, where what waits for its turn is copied to memory of numpy."""
    net = make_ttvsr(keyframe_stride=1)[1]
    on_an_npu(monkeypatch)
    monkeypatch.setattr(ttvsr, "set_aside", lambda tensor, in_place: Tensor(tensor.asnumpy()))
    few, more = (waits_of(net, clip(seeded, t=t), waits) for t in (3, 5))
    assert more["asnumpy"] == few["asnumpy"] + 2 * 2  # features, and what comes back from the end, of two frames more


@pytest.mark.slow
@pytest.mark.parametrize("planted", [False, True])
def test_nothing_is_compiled_anew_as_keyframes_grow(planted, make_ttvsr, seeded):
    """Flow, features, trunk and upsampler once each, while 6 keyframes are met; the attention compiled would be more."""
    net = make_ttvsr(keyframe_stride=1)[1]
    net.compile_parts()
    if planted:
        net.LTAM._similarity = mindspore.jit(net.LTAM._similarity)
    before = set(api.ms_compile_cache)
    frames = [frame.asnumpy() for frame in net.frames(SIDE.tensor(clip(seeded, t=6)))]
    made = len(api.ms_compile_cache - before)
    assert made > 4 if planted else made == 4
    assert np.isfinite(frames).all()


NETWORKS = ("basicvsr", "blocks", "device", "ltam", "spynet", "tokens", "ttvsr", "vsr", "warp")
NO_OPERATORS = {"constexpr"}


def operators_of(sources):
    """Names of `mindspore.ops` that are used as F.name"""
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    found = [node for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)]
    return {node.attr for node in found if node.value.id == "F"} - NO_OPERATORS


def not_for_ascend(names):
    """Those of which MindSpore does not say that Ascend has them."""
    platforms = {name: (getattr(F, name).__doc__ or "").partition("Supported Platforms:")[2] for name in names}
    return {name for name, told in platforms.items() if "Ascend" not in told}


def test_functions_that_the_networks_name_are_documented_for_ascend():
    """An operator that an NPU lacks would be computed on the host. (That those it has never are, only an NPU can tell.)"""
    sources = [(REPO / "ms_model" / f"{name}.py").read_text(encoding="utf-8") for name in NETWORKS]
    names = operators_of(sources)
    assert {"grid_sample", "gather_elements", "interpolate"} < names and not_for_ascend(names) == set()
    assert not_for_ascend({"median", "grid_sample"}) == {"median"}
