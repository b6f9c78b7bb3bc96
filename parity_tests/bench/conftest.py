"""What tests of the bench leave as it was, and what they do not take from the machine."""

import pytest

from port.bench.goals import CORES


@pytest.fixture
def memory_as_it_was(monkeypatch):
    """`keep_memory` would hold for all tests of the process that follow."""
    from torch_ref import speed

    monkeypatch.setattr(speed, "keep_freed_memory", lambda: None)


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    """For which the goals are set, whatever the tests run on."""
    monkeypatch.setattr("port.bench.result.cores", lambda: CORES)
