"""Headers and indexes of .safetensors: what is whole is read as it is, anything else is refused in words."""

import json

import numpy as np
import pytest
import safetensors
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from safetensors.numpy import load

from parity_tests.convert.made_files import content, with_header, write, write_index
from port.convert.header import header_bytes, read_index, read_tensors
from port.convert.source import FileSource
from port.errors import PortError

PAIR = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(4, np.float16)}
QUICK = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read_all(path):
    """Every byte of every tensor, by the reader under test."""
    source, found = FileSource(path), {}
    try:
        for name, one in source.tensors.items():
            found[name] = bytearray(one.nbytes)
            source.read_into(name, 0, memoryview(found[name]))
        return {name: (source.tensors[name].shape, bytes(data)) for name, data in found.items()}
    finally:
        source.close()


def declared(**changes):
    return content(PAIR, **changes)


BROKEN = {
    "empty": (b"", "it takes 0|0 bytes"),
    "no header": (with_header(b"", length=1 << 62), "its header says it takes 4611686018427387904"),
    "header longer than the file": (with_header(b"{}", length=3), "header says it takes 3"),
    "no JSON": (with_header(b"{]"), "no valid JSON"),
    "deep JSON": (with_header(b"[" * 200_000), "no valid JSON"),
    "no table": (with_header(b"[1]"), "its header is no table"),
    "notes": (with_header(b'{"__metadata__": {"a": 1}}'), "__metadata__ is not a table of texts"),
    "twice": (
        with_header(b'{"a": {"dtype":"U8","shape":[0],"data_offsets":[0,0]}, "a": {}}'),
        "two entries are called 'a'",
    ),
    "truncated": (declared()[:-1], "its tensors end at byte"),
    "too long": (declared() + b"x", "its tensors end at byte"),
    "lying shape": (declared(a={"shape": [2, 4]}), "'a' of 32 bytes lies in 24"),
    "huge shape": (declared(a={"shape": [1 << 62, 1 << 62]}), "tensor 'a' of"),
    "negative shape": (declared(a={"shape": [-2, -3]}), "shape or offsets that are none"),
    "half a shape": (declared(a={"shape": [2.0, 3]}), "shape or offsets that are none"),
    "true": (declared(a={"shape": [True, 6]}), "shape or offsets that are none"),
    "many axes": (declared(a={"shape": [6] + [1] * 32}), "shape or offsets that are none"),
    "gap": (declared(b={"data_offsets": [25, 33]}), "'b' begins at byte"),
    "overlap": (declared(b={"data_offsets": [16, 24]}), "'b' begins at byte"),
    "three offsets": (declared(b={"data_offsets": [24, 32, 40]}), "shape or offsets that are none"),
    "element type": (declared(a={"dtype": "F31"}), "unknown element type 'F31'"),
    "no element type": (declared(a={"dtype": ["F32"]}), "unknown element type"),
    "extra field": (declared(a={"code": "1"}), "not declared by dtype, shape and data_offsets"),
    "nothing in it": (with_header(b"{}"), "it holds no tensors"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_is_refused_in_words(what, tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(declared())
    assert len(read_tensors(path)) == 2
    path.write_bytes(BROKEN[what][0])
    with pytest.raises(PortError, match=BROKEN[what][1]):
        read_tensors(path)


def test_what_is_no_file_is_refused(tmp_path):
    for path, says in ((tmp_path, "no regular file"), (tmp_path / "gone.safetensors", "no such file")):
        with pytest.raises(PortError, match=says):
            read_tensors(path)


def test_a_file_that_shrinks_while_it_is_read(tmp_path):
    path = write(tmp_path / "x.safetensors", PAIR)
    source = FileSource(path)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(PortError, match="became shorter"):
        source.read_into("b", 0, memoryview(bytearray(8)))
    source.close()


def index(folder, **changes):
    """An index over one.safetensors (a) and two.safetensors (b). changes: entries of its table that are to be others"""
    path = write_index(folder / "m.safetensors.index.json", {f"{n}.safetensors": {k: PAIR[k]} for n, k in
                                                             (("one", "a"), ("two", "b"))})  # fmt: skip
    data = json.loads(path.read_text())
    data["weight_map"] |= changes
    path.write_text(json.dumps(data))
    return path


def test_an_index_gives_the_tensors_of_all_its_files(tmp_path):
    found = read_all(index(tmp_path))
    assert found == {name: (array.shape, array.tobytes()) for name, array in PAIR.items()}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"a": "two.safetensors", "b": "one.safetensors"}, "tensor '[ab]' lies in .* by the index"),
        ({"a": "two.safetensors"}, "tensor 'a' is not in 'two.safetensors'"),
        ({"c": "one.safetensors"}, "tensor 'c' is not in 'one.safetensors'"),
        ({"b": "three.safetensors"}, "three.safetensors: no such file"),
    ],
)
def test_an_index_that_does_not_fit_its_files_is_refused(changes, says, tmp_path):
    path = index(tmp_path, **changes)
    with pytest.raises(PortError, match=says):
        read_index(path)


def test_a_tensor_that_the_index_lacks_is_named(tmp_path):
    path = index(tmp_path)
    write(tmp_path / "one.safetensors", PAIR)
    with pytest.raises(PortError, match=r"'b' lies in 'one.safetensors' and is in 'two.safetensors' by the index"):
        read_index(path)
    write(tmp_path / "one.safetensors", {"a": PAIR["a"], "z": PAIR["b"]})
    with pytest.raises(PortError, match=r"'z' lies in 'one.safetensors' and is not in the index"):
        read_index(path)


@pytest.mark.parametrize(
    "file",
    ["../two.safetensors", "/etc/two.safetensors", "sub/two.safetensors", "..", "", ".two.safetensors", "two.pth",
     "C:\\two.safetensors", "c:two.safetensors", "two\0.safetensors", "two\n.safetensors", "x" * 300 + ".safetensors"],
)  # fmt: skip
def test_a_shard_lies_beside_its_index(file, tmp_path):
    """Even where the path would lead to the very file."""
    (tmp_path / "sub").mkdir()
    path = index(tmp_path / "sub", b=file)
    for there in (tmp_path, tmp_path / "sub" / "sub"):
        there.mkdir(exist_ok=True)
        write(there / "two.safetensors", {"b": PAIR["b"]})
    with pytest.raises(PortError, match=r"A shard is a \.safetensors file beside its index"):
        read_index(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"weight_map": {}}', '{"weight_map": {"a": 1}}', '{"weight_map": []}',
                                  '{"weight_map": {"a": "one.safetensors", "a": "two.safetensors"}}'])  # fmt: skip
def test_what_is_no_index_is_refused(text, tmp_path):
    path = index(tmp_path)
    path.write_text(text)
    with pytest.raises(PortError, match=r"valid JSON|weight_map"):
        read_index(path)


NAMES = st.text(min_size=1, max_size=12).filter(lambda name: name != "__metadata__" and name.isprintable())
TYPES = st.sampled_from([np.float32, np.float16, np.float64, np.int64, np.uint8, np.bool_])
ARRAYS = TYPES.flatmap(lambda kind: arrays(kind, array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)))


@QUICK
@given(given_=st.dictionaries(NAMES, ARRAYS, min_size=1, max_size=5))
def test_any_tensors_come_back_as_they_were(given_, tmp_path):
    path = write(tmp_path / "x.safetensors", given_)
    assert read_all(path) == {name: (array.shape, array.tobytes()) for name, array in given_.items()}


@QUICK
@given(given_=st.dictionaries(NAMES, ARRAYS, min_size=1, max_size=5))
def test_another_reader_understands_what_is_declared(given_):
    """The header written by the converter, read by the format's own library."""
    head = header_bytes({n: (json.loads(content({n: a})[8:].split(b"}}")[0] + b"}}")[n]["dtype"], a.shape)
                         for n, a in given_.items()})  # fmt: skip
    found = load(head + b"".join(array.tobytes() for array in given_.values()))
    assert {n: (a.shape, a.tobytes()) for n, a in found.items()} == {
        n: (a.shape, a.tobytes()) for n, a in given_.items()
    }


@settings(QUICK, max_examples=400)
@given(
    changes=st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=4), cut=st.booleans()
)
def test_changed_bytes_are_refused_or_read_as_the_library_does(changes, cut, tmp_path):
    whole = bytearray(content(PAIR))
    for at, value in changes:
        whole[at % len(whole)] = value
    whole = bytes(whole[: changes[0][0] % len(whole)] if cut else whole)
    path = tmp_path / "x.safetensors"
    path.write_bytes(whole)
    try:
        found = read_all(path)
    except PortError:
        return
    try:
        theirs = {e[0]: (tuple(e[1]["shape"]), bytes(e[1]["data"])) for e in safetensors.deserialize(whole)}
    except safetensors.SafetensorError:
        return  # stricter in a matter of notation: nothing is misread
    assert found == theirs
