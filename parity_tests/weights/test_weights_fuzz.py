"""Readers fed with rubbish: a plain refusal or the tensors, never another exception, a crash or executed code."""

import inspect

import numpy as np
import pytest
import torch

from port.errors import PortError
from port.weights import tensors_file

STATE = {"LTAM.fusion.weight": np.arange(12, dtype="f4").reshape(3, 4), "b.bias": np.full(3, 7, "f4")}
KINDS = (".pth", "legacy.pth", ".ckpt", ".safetensors")


@pytest.fixture(params=KINDS)
def specimen(request, tmp_path, columns):
    """(column, whole file) of each format, old-style .pth included."""
    suffix = "." + request.param.rpartition(".")[2]
    path = tmp_path / f"whole{suffix}"
    if request.param == "legacy.pth":
        state = {name: torch.from_numpy(array) for name, array in STATE.items()}
        torch.save(state, path, _use_new_zipfile_serialization=False)
    else:
        columns[suffix].save(path, STATE)
    return columns[suffix], path


def _read(column, path, content):
    """The tensors, or None where the file was refused with a message."""
    path.write_bytes(content)
    try:
        return column.load(path).tensors
    except PortError as error:
        assert str(path) in str(error) and str(error).isprintable()
        return None


def test_truncated_anywhere(specimen):
    column, path = specimen
    content = path.read_bytes()
    target = path.with_name("cut" + path.suffix)
    cuts = np.unique(np.linspace(0, len(content) - 1, 120).astype(int))
    for cut in cuts:
        found = _read(column, target, content[:cut])
        # A .ckpt cut between two entries is a whole file with fewer tensors; the check of names refuses it later.
        assert found is None or (path.suffix == ".ckpt" and len(found) < len(STATE)), cut


def test_flipped_bytes(specimen):
    """One to four bytes changed: refused, or read with the shapes the file states."""
    column, path = specimen
    content, rng = path.read_bytes(), np.random.default_rng(1)
    target = path.with_name("flipped" + path.suffix)
    refusals = 0
    for _ in range(150):
        changed = bytearray(content)
        for at in rng.integers(0, len(content), rng.integers(1, 5)):
            changed[at] ^= int(rng.integers(1, 256))
        found = _read(column, target, bytes(changed))
        refusals += found is None
    assert refusals > 20


def test_random_bytes(specimen):
    column, path = specimen
    start, rng = path.read_bytes()[:4], np.random.default_rng(2)
    target = path.with_name("random" + path.suffix)
    for i in range(150):
        noise = rng.bytes(int(rng.integers(1, 300)))
        assert _read(column, target, (start if i % 2 else b"") + noise) is None


def test_random_pickles(tmp_path, columns):
    """Noise made of the opcodes of pickle, between the right beginning and the right end of a legacy file."""
    path, rng = tmp_path / "w.pth", np.random.default_rng(3)
    torch.save({"a": torch.ones(2)}, path, _use_new_zipfile_serialization=False)
    whole = path.read_bytes()
    at = whole.index(b"ctorch._utils")
    opcodes = np.frombuffer(b"()]}tdelsuaRbocQ0q\x00h\x00r\x00\x00\x00\x00K\x01U\x01a\x81\x85\x86\x87\x88N.", "u1")
    for _ in range(200):
        noise = bytes(rng.choice(opcodes, int(rng.integers(1, 30))))
        _read(columns[".pth"], path, whole[:at] + noise + whole[at:])


def test_the_twins_are_twins(columns):
    """Same public functions, same order, same parameters in all three readers."""

    def surface(module):
        named = {"load", "save", "write"}
        return [(n, str(inspect.signature(f))) for n, f in vars(module).items() if n in named]

    assert surface(columns[".pth"]) == surface(columns[".ckpt"]) == surface(tensors_file)
    functions = [
        [
            name
            for name, f in vars(columns[suffix]).items()
            if inspect.isfunction(f) and f.__module__.endswith(".checkpoint")
        ]
        for suffix in (".pth", ".ckpt")
    ]
    assert functions[0] == [
        name for name in functions[1] if name not in ("_umask", "_quiet")
    ]  # which only MindSpore needs
