"""The small networks of the self-test as pairs: their inputs and weights, and copies of their ports with mistakes in them."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np

from port.errors import PortError
from port.files import make_folder
from port.parity.pair import import_file
from port.processes import ROOT
from port.selftest import video
from port.selftest.fault import Edit

PORTS = ROOT / "ms_model"
FILES = {"ttvsr": "video"}  # in zoo/, where it is called otherwise than the network
SHARED = ("ttvsr",)  # networks made of the files that follow
VIDEO_FILES = ("ttvsr.py", "vsr.py", "ltam.py", "tokens.py", "warp.py", "spynet.py", "blocks.py", "loss.py", "device.py")
STEPS = {"ttvsr": 2, "metric": 4}  # optimiser steps, 3 elsewhere

PAIR = '''"""The network {network} of the self-test: {title}."""

from pathlib import Path

from port.parity.pair import import_file
from port.processes import ROOT
from port.selftest.zoo import INPUTS, VALUES_OF, changed

VALUES = VALUES_OF["{network}"]
STEPS = {steps}
half = lambda: {half}
reference = lambda: __import__("torch_ref.zoo.{file}", fromlist=["net"])

inputs = INPUTS["{network}"]
torch_net = lambda: reference().net()
ms_net = lambda: half().net()
torch_loss = lambda output, inputs: reference().loss(output, inputs)
ms_loss = lambda output, inputs: half().loss(output, inputs)
torch_optimizer = lambda net: reference().optimizer(net)
ms_optimizer = lambda net: half().optimizer(net)
'''
CLIPPED = """torch_clip = lambda gradients: reference().clip(gradients)
ms_clip = lambda gradients: half().clip(gradients)
"""


def _pictures(n: int, size: int) -> np.ndarray:
    return np.random.default_rng(7).standard_normal((n, 3, size, size)).astype(np.float32)


def _words() -> np.ndarray:
    return np.random.default_rng(8).integers(0, 11, (3, 6)).astype(np.int32)


INPUTS: dict[str, Callable[[], Sequence[np.ndarray]]] = {
    "vision": lambda: (_pictures(4, 16), np.array([0, 3, 2, 4], np.int32)),
    "attention": lambda: (_words(),),
    "recurrent": lambda: (np.random.default_rng(9).standard_normal((5, 4, 6)).astype(np.float32),),
    "resample": lambda: (_pictures(2, 12),),
    "choices": lambda: (np.random.default_rng(10).standard_normal((8, 8)).astype(np.float32),),
    "metric": lambda: (_pictures(8, 6), np.random.default_rng(12).standard_normal((8, 5)).astype(np.float32)),
    "ttvsr": video.clip,
}
NETWORKS = tuple(INPUTS)


def values(shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Weights as a trained network might hold them: no zeros, no ones, statistics away from 0 and 1."""
    rng = np.random.default_rng(11)
    return {name: _value(rng, name.rpartition(".")[2], shape) for name, shape in shapes.items()}


def _value(rng: np.random.Generator, last: str, shape: tuple[int, ...]) -> np.ndarray:
    if last == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if last == "running_var" or (last == "weight" and len(shape) == 1):
        return rng.uniform(0.4, 1.6, shape).astype(np.float32)
    if len(shape) < 2:
        return rng.uniform(-0.3, 0.3, shape).astype(np.float32)
    return (rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)


VALUES_OF = dict.fromkeys(NETWORKS, values) | {"ttvsr": video.values}


def write_pair(folder: Path, network: str, edits: Sequence[Edit] = (), title: str = "as it is") -> Path:
    """The pair's file and its port's half, with every edit's first text replaced by its second.

    Raises PortError where an edit's text does not occur exactly once: the mistake would not be made.
    """
    make_folder(folder)
    own = f"zoo/{FILES.get(network, network)}.py"
    text = edited(own, [edit for edit in edits if edit.file in ("", own)], title)
    half = 'import_file(Path(__file__).with_name("half.py"))'
    if network in SHARED:
        package = f"{network}_{folder.name}"
        half = f'changed(Path(__file__).parent, "{package}")'
        write_package(folder / package, edits, title)
        text = text.replace("from ms_model", f"from {package}")
    (folder / "half.py").write_text(text, encoding="utf-8")
    pair = folder / "pair.py"
    made = PAIR.format(network=network, title=title, half=half, file=FILES.get(network, network), steps=STEPS.get(network, 3))
    pair.write_text(made + CLIPPED * ("def clip(" in text), encoding="utf-8")
    return pair


def edited(file: str, edits: Sequence[Edit], title: str) -> str:
    """A file of the port with its edits made. Raises PortError where a text does not occur exactly once."""
    text = (PORTS / file).read_text(encoding="utf-8")
    for old, new, _ in edits:
        if text.count(old) != 1:
            raise PortError(f"{title}: {old!r} occurs {text.count(old)} times in {file}, expected once.")
        text = text.replace(old, new)
    return text


def write_package(folder: Path, edits: Sequence[Edit], title: str) -> None:
    """Copies of the shared files under a name of their own, each importing the other copies."""
    make_folder(folder)
    (folder / "__init__.py").touch()
    for file in VIDEO_FILES:
        text = edited(file, [edit for edit in edits if edit.file == file], title)
        (folder / file).write_text(text.replace("from ms_model", f"from {folder.name}"), encoding="utf-8")


def changed(folder: Path, package: str) -> ModuleType:
    """The port's half in a folder of write_pair, importing from its own package beside it."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return sys.modules.get(f"{package}.half") or sys.modules.setdefault(f"{package}.half", import_file(folder / "half.py"))
