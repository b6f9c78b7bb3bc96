"""What the tests of streamed conversions share."""

import pytest

from parity_tests.convert.made_files import weights, write
from parity_tests.convert.streamed import CHUNK
from port.convert import stream, target


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(stream, "CHUNK", CHUNK)
    monkeypatch.setattr(target, "CHUNK", CHUNK)


@pytest.fixture
def file(tmp_path):
    return write(tmp_path / "in.safetensors", weights())
