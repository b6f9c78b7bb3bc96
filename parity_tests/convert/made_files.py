"""Safetensors files made by hand, byte by byte, and a map over them: nothing of the writer under test."""

import json

import numpy as np

from port.weights.layouts import ONES, TRANSPOSE, parse_layout
from port.weights.mapping import Entry, WeightMap

CODES = {"float32": "F32", "float16": "F16", "int64": "I64", "uint8": "U8", "bool": "BOOL", "float64": "F64"}


def content(arrays, **changes):
    """A file's bytes. changes: name -> fields of its entry in the header that are to be others"""
    table, data = {}, b""
    for name, array in arrays.items():
        start, data = len(data), data + array.tobytes()
        entry = {"dtype": CODES[array.dtype.name], "shape": list(array.shape), "data_offsets": [start, len(data)]}
        table[name] = entry | changes.get(name, {})
    return with_header(json.dumps(table).encode(), data)


def with_header(head, data=b"", length=None):
    return (len(head) if length is None else length).to_bytes(8, "little") + head + data


def write(path, arrays):
    path.write_bytes(content(arrays))
    return path


def write_index(path, shards):
    """shards: file name -> arrays"""
    for file, arrays in shards.items():
        write(path.with_name(file), arrays)
    table = {name: file for file, arrays in shards.items() for name in arrays}
    path.write_text(json.dumps({"metadata": {}, "weight_map": table}), encoding="utf-8")
    return path


def weights():
    """The reference's tensors: one for every layout, a tied one and a counter."""
    random = np.random.default_rng(3)
    made = {"qkv": (12, 5), "out": (6, 4), "conv": (3, 2, 4), "lstm": (8, 3), "a": (2, 3), "b": (4, 3), "tied": (7,)}
    arrays = {name: random.standard_normal(shape).astype(np.float32) for name, shape in made.items()}
    return arrays | {"tied2": arrays["tied"].copy(), "count": np.array(9, np.int64), "bare": np.array(0.25, np.float32)}


def weight_map():
    """Of these: what it says is written out once more in `ported`."""
    entries = [
        Entry(("qkv",), ("q", "k", "v"), ((12, 5),), ((4, 5),) * 3, parse_layout("split 3")),
        Entry(("out",), ("out_t",), ((6, 4),), ((4, 6),), TRANSPOSE),
        Entry(("conv",), ("conv4",), ((3, 2, 4),), ((3, 2, 1, 4),), ONES),
        Entry(("lstm",), ("gates",), ((8, 3),), ((8, 3),), parse_layout("gates 0 2 1 3")),
        Entry(("a", "b"), ("joined",), ((2, 3), (4, 3)), ((6, 3),), parse_layout("join 2")),
        Entry(("tied",), ("one",), ((7,),), ((7,),), also=("tied2",)),
        Entry(("bare",), ("scalar",), ((),), ((),)),
    ]
    return WeightMap(entries, {"count": "a counter"}, {"count": ()})


def ported(given):
    """The port's tensors, by plain numpy."""
    q, k, v = given["qkv"][:4], given["qkv"][4:8], given["qkv"][8:]
    i, f, g, o = given["lstm"].reshape(4, 2, 3)
    return {
        "q": q, "k": k, "v": v, "out_t": given["out"].T, "conv4": given["conv"][:, :, None],
        "gates": np.concatenate([i, g, f, o]), "joined": np.concatenate([given["a"], given["b"]]),
        "one": given["tied"], "scalar": given["bare"],
    }  # fmt: skip
