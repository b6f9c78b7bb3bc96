"""A pair that names its map of weights: `shrink` takes it along; what is no name of a file is refused."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from parity_tests.convert.made_files import weight_map
from port.errors import PortError
from port.parity.pair import load_pair
from port.shrink.keep import CODE, keep_network
from port.weights.map_by_names import map_by_names
from port.weights.map_file import read_map, write_map
from port.weights.proposal import Parameter

PAIR = """import numpy as np


def torch_net():
    return None


def ms_net():
    return None


def inputs():
    return np.ones((2, 3), np.float32)


COMPILE, COMPILE_REASON = False, "nothing here is run"
MAP = {name!r}
"""


@pytest.mark.parametrize("name", ["map.toml", "../maps/mine.toml", "absolute"])
def test_the_map_goes_where_the_pair_goes(name, tmp_path):
    there = tmp_path / "there"
    there.mkdir()
    name = str(tmp_path / "one.toml") if name == "absolute" else name
    original = there / name
    original.parent.mkdir(exist_ok=True)
    write_map(original, weight_map())
    (there / "my_pair.py").write_text(PAIR.format(name=name))
    assert load_pair(str(there / "my_pair.py")).map_file == original

    kept = keep_network(tmp_path / "causes", str(there / "my_pair.py"), {"a": np.ones(2, np.float32)})
    assert kept["imports"] == {"copied": [], "referenced": []}
    assert set(load_file(tmp_path / "causes" / "network.safetensors")) == {"weight/a", "input/0"}
    original.unlink()  # elsewhere the original is not at hand
    copied = load_pair(str(tmp_path / "causes" / CODE / "pair.py"))
    assert copied.map_file.parent == tmp_path / "causes" / CODE
    assert read_map(copied.map_file) == weight_map()


def test_a_map_that_is_no_name_is_refused(tmp_path):
    (tmp_path / "my_pair.py").write_text(PAIR.format(name=["map.toml"]))
    with pytest.raises(PortError, match=r"MAP names a file of weights.*found \['map.toml'\]"):
        load_pair(str(tmp_path / "my_pair.py"))


def test_a_map_in_doubt_is_no_map(tmp_path):
    """What two networks alone could not tell must not pass for proved when one of them is verified by it."""
    found = weight_map()
    given = {name: np.zeros(shape, np.float32) for name, shape in found.torch_shapes().items()}
    port = [Parameter(name, shape) for name, shape in found.port_shapes().items()]
    write_map(tmp_path / "map.toml", found)
    map_by_names(given, {}, port, {}, {}, tmp_path / "map.toml")
    found.undetermined = ["a and b exchanged give the same outputs"]
    write_map(tmp_path / "map.toml", found)
    with pytest.raises(PortError, match=r"a and b exchanged.*Decide it by hand"):
        map_by_names(given, {}, port, {}, {}, tmp_path / "map.toml")
