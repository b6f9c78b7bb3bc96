"""A streamed conversion of made_files.py, and what it left, by the format's own library."""

import json

import numpy as np
from safetensors.numpy import load_file

from parity_tests.convert.made_files import weight_map
from port.convert import target
from port.convert.header import INDEX
from port.convert.plan import KEEP, make_plan
from port.convert.source import FileSource
from port.convert.stream import check_tied

CHUNK = 16  # bytes: every tensor takes several


def convert(path, out, dtype=KEEP, shard=1 << 30, advance=lambda done: None):
    source = FileSource(path)
    try:
        plan = make_plan(path, source.tensors, weight_map(), dtype)
        check_tied(plan, source)
        return target.write_target(out, plan, source, source.state(), shard, advance)
    finally:
        source.close()


def held(path):
    """All tensors of a file or an index, by the format's own library."""
    if path.name.endswith(INDEX):
        table = json.loads(path.read_text())["weight_map"]
        found = {file: load_file(path.with_name(file)) for file in set(table.values())}
        return {name: found[file][name] for name, file in table.items()}
    return load_file(path)


def same(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape), name
        assert found[name].tobytes() == np.ascontiguousarray(array).tobytes(), name
