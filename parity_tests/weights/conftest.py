"""A small TTVSR checkpoint made from the table of shapes, and the command run in this process."""

import sys

import numpy as np
import pytest

import convert_weights
from port.errors import run_command
from port.weights import tensors_file, ttvsr

SMALL = ttvsr.TTVSRConfig(mid_channels=8, num_blocks=2)


def make_weights(config=SMALL, seed=0):
    """Random float32 weights of the network's true names and shapes, with the awkward values floats have."""
    rng = np.random.default_rng(seed)
    weights = {
        name: rng.standard_normal(shape, dtype=np.float32) for name, shape in ttvsr.expected_shapes(config).items()
    }
    odd = np.array([-0.0, 0.0, 1e-45, -1e-40, np.finfo("f4").max, np.finfo("f4").min, np.finfo("f4").tiny], "f4")
    weights["conv_hr.bias"][: odd.size] = odd
    return weights


@pytest.fixture(scope="session")
def weights():
    """Do not write into these arrays: all tests share them."""
    return make_weights()


@pytest.fixture(scope="session")
def columns():
    """Suffix -> the module that reads and writes it."""
    from ms_model import checkpoint as ms_column
    from torch_ref import checkpoint as torch_column

    return {".pth": torch_column, ".ckpt": ms_column, ".safetensors": tensors_file}


@pytest.fixture
def official(tmp_path, weights):
    """A file in the official layout: meta, state_dict, the prefix generator., step_counter."""
    import torch

    state = {f"generator.{name}": torch.from_numpy(array.copy()) for name, array in weights.items()}
    state["step_counter"] = torch.tensor([400000])
    path = tmp_path / "ttvsr_torch.pth"
    torch.save({"meta": {"mmcv_version": "1.3.17", "epoch": 3}, "state_dict": state}, path)
    return path


@pytest.fixture
def convert(capsys):
    """Run convert_weights with these arguments; gives (exit code, stdout, stderr)."""

    def run(*arguments):
        capsys.readouterr()
        try:
            options = convert_weights.parse([str(argument) for argument in arguments])
            code = run_command(lambda: convert_weights.main(options), options.debug)
        except SystemExit as stop:  # argparse
            code = stop.code
        sys.stdout.flush()
        return (code, *capsys.readouterr())

    return run


@pytest.fixture
def refused(convert, tmp_path):
    """Expect exit 3 (or `code`), one message holding all `words`, an empty stdout and no new file."""

    def run(*arguments, words, code=3):
        before = sorted(tmp_path.rglob("*"))
        found, out, err = convert(*arguments)
        assert found == code, err
        assert out == ""
        assert "Traceback" not in err and err.count("error: ") == 1
        assert err.startswith("error: ") or code == 2
        for word in words:
            assert word in err
        assert sorted(tmp_path.rglob("*")) == before
        return err

    return run


def same_bits(a, b):
    """Whether two dicts hold the same names and, for each, the same bytes, type and shape."""
    return a.keys() == b.keys() and all(
        (a[name].dtype, a[name].shape, a[name].tobytes()) == (b[name].dtype, b[name].shape, b[name].tobytes())
        for name in a
    )


@pytest.fixture(name="same_bits", scope="session")
def _same_bits():
    return same_bits


@pytest.fixture(name="make_weights", scope="session")
def _make_weights():
    return make_weights
