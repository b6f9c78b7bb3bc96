"""The small networks of the self-test as pairs: their inputs and weights, and copies of their ports with mistakes in them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from port.errors import PortError
from port.files import make_folder

ROOT = Path(__file__).resolve().parents[2]
PORTS = ROOT / "ms_model" / "zoo"

PAIR = '''"""The network {network} of the self-test: {title}."""

from pathlib import Path

from port.parity.pair import import_file
from port.selftest.zoo import INPUTS, values

VALUES = values
STEPS = 3
half = lambda: import_file(Path(__file__).with_name("half.py"))
reference = lambda: __import__("torch_ref.zoo.{network}", fromlist=["net"])

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


def write_pair(folder: Path, network: str, edits: Sequence[tuple[str, str]] = (), title: str = "as it is") -> Path:
    """The pair's file and its port's half, with every edit's first text replaced by its second.

    Raises PortError where an edit's text does not occur exactly once: the mistake would not be made.
    """
    text = (PORTS / f"{network}.py").read_text(encoding="utf-8")
    for old, new in edits:
        if text.count(old) != 1:
            raise PortError(f"{title}: {old!r} occurs {text.count(old)} times in {network}.py, expected once.")
        text = text.replace(old, new)
    make_folder(folder)
    (folder / "half.py").write_text(text, encoding="utf-8")
    pair = folder / "pair.py"
    pair.write_text(PAIR.format(network=network, title=title) + CLIPPED * ("def clip(" in text), encoding="utf-8")
    return pair
