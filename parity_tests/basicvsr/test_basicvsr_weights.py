"""Both spellings of BasicVSR's names, in and out, and what is refused."""

import numpy as np
import pytest
import torch

import convert_weights
from port.errors import run_command
from port.weights import basicvsr
from port.weights.convert import load_checkpoint
from torch_ref.checkpoint import load

# By hand, from the two projects' sources: the same tensors in BasicSR and in mmediting.
SAME = {
    "spynet.mean": "spynet.mean",
    "spynet.basic_module.3.basic_module.8.bias": "spynet.basic_module.3.basic_module.4.conv.bias",
    "spynet.basic_module.0.basic_module.2.weight": "spynet.basic_module.0.basic_module.1.conv.weight",
    "backward_trunk.main.0.weight": "backward_resblocks.main.0.weight",
    "forward_trunk.main.2.1.conv2.bias": "forward_resblocks.main.2.1.conv2.bias",
    "fusion.weight": "fusion.weight",
    "upconv1.weight": "upsample1.upsample_conv.weight",
    "upconv2.bias": "upsample2.upsample_conv.bias",
    "conv_hr.weight": "conv_hr.weight",
    "conv_last.bias": "conv_last.bias",
}


def run(*words):
    options = convert_weights.parse([str(word) for word in words])
    return run_command(lambda: convert_weights.main(options), options.debug)


@pytest.fixture
def basicsr(weights, tmp_path):
    """The small network as BasicSR writes it."""
    respell = basicvsr.MODEL.spellings["basicsr"].rules.forward
    tree = {"params": {respell(name): torch.from_numpy(array.copy()) for name, array in weights.items()}}
    torch.save(tree, tmp_path / "basicsr.pth")
    return tmp_path / "basicsr.pth"


@pytest.fixture
def mmediting(weights, tmp_path):
    """The small network as mmediting writes it."""
    state = {f"generator.{name}": torch.from_numpy(array.copy()) for name, array in weights.items()}
    torch.save({"meta": {}, "state_dict": {**state, "step_counter": torch.tensor([300000])}}, tmp_path / "mm.pth")
    return tmp_path / "mm.pth"


def stored(path, *levels):
    tree = torch.load(path, weights_only=True)
    for level in levels:
        tree = tree[level]
    return {name: value.numpy() for name, value in tree.items()}


def same(a, b):
    return a.keys() == b.keys() and all(a[name].tobytes() == b[name].tobytes() and a[name].shape == b[name].shape for name in a)


def test_names_of_both_projects(weights, basicsr, mmediting):
    """The table, name by name, against what is known of the two projects."""
    theirs, ours = stored(basicsr, "params"), stored(mmediting, "state_dict")
    for one, other in SAME.items():
        assert theirs[one] is not None and np.array_equal(theirs[one], ours[f"generator.{other}"]), one
    assert len(theirs) == len(weights)


def test_from_basicsr_to_mindspore_and_back(basicsr, weights, capsys):
    """Recognised by its names; what comes back is BasicSR's layout again, bit for bit."""
    assert run(basicsr) == 0
    assert "basicvsr: converted and read back bit-equal" in capsys.readouterr().out
    ckpt, back = basicsr.with_suffix(".ckpt"), basicsr.with_name("back.pth")
    assert run(ckpt, "-o", back) == 0
    assert list(torch.load(back, weights_only=True)) == ["params"]
    assert same(stored(back, "params"), stored(basicsr, "params"))


def test_from_mmediting_and_to_it(mmediting, basicsr, weights, tmp_path, capsys):
    """`--names` chooses the spelling of a .pth; the step counter is left out and said so."""
    assert run(mmediting, "-o", tmp_path / "b.pth") == 0
    assert "counts training steps" in capsys.readouterr().out
    assert same(stored(tmp_path / "b.pth", "params"), stored(basicsr, "params"))
    assert run(basicsr, "-o", tmp_path / "m.pth", "--names", "mmediting") == 0
    assert same(stored(tmp_path / "m.pth", "state_dict"), {f"generator.{name}": array for name, array in weights.items()})


def test_names_are_for_files_that_have_them(basicsr, tmp_path, capsys):
    assert run(basicsr, "-o", tmp_path / "x.ckpt", "--names", "mmediting") == 2
    assert run(basicsr, "-o", tmp_path / "x.pth", "--names", "keras") == 2
    assert "basicvsr has: basicsr, mmediting" in capsys.readouterr().err
    assert not (tmp_path / "x.pth").exists()


def test_recognised_with_its_sizes(basicsr, mmediting):
    for path in (basicsr, mmediting):
        found = load_checkpoint(path, load)
        assert (found.model.name, vars(found.config)) == ("basicvsr", {"mid_channels": 8, "num_blocks": 2})


def test_the_official_files_are_known(demo):
    """By their bytes; and all the numbers of the paper's network are there."""
    from port.files import git_blob_sha1

    for name in ("REDS4", "Vimeo90K_BIx4", "Vimeo90K_BDx4"):
        assert basicvsr.OFFICIAL[git_blob_sha1(demo / f"BasicVSR_{name}.pth")].startswith(f"BasicVSR_{name}-")
    shapes = basicvsr.expected_shapes(basicvsr.BasicVSRConfig(64, 30))
    assert len(shapes) == 316 and sum(int(np.prod(shape)) for shape in shapes.values()) == 6_291_317


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"edvr.conv_first.weight": np.ones(2, "f4")}, "looks like IconVSR"),
        ({"upconv1.weight": None}, "'upsample1.upsample_conv.weight'"),
        ({"upsample1.upsample_conv.bias": np.ones(32, "f4")}, "two names of the same tensor"),
        ({"forward_trunk.main.2.2.conv1.weight": np.ones(1, "f4")}, "the forward trunk 8 channels and 3 blocks"),
    ],
)
def test_refused(basicsr, change, words, capsys):
    tree = torch.load(basicsr, weights_only=True)
    for name, array in change.items():
        tree["params"].pop(name, None)
        if array is not None:
            tree["params"][name] = torch.from_numpy(array)
    torch.save(tree, basicsr)
    assert run(basicsr, "-o", basicsr.with_suffix(".safetensors")) == 3
    assert words in capsys.readouterr().err
