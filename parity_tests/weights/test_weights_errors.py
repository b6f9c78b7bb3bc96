"""Every way a conversion can fail: the exit code, one plain message, nothing executed and nothing left behind."""

import errno
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

import convert_weights
from port.weights import tensors_file

REPOSITORY = Path(convert_weights.__file__).parent
SUFFIXES = (".pth", ".ckpt", ".safetensors")


@pytest.fixture
def altered(tmp_path, weights, columns):
    """Write the small checkpoint with some tensors changed (None: removed, new names: added); gives its path."""

    def make(suffix=".safetensors", **changes):
        changes = {name.replace("__", "."): array for name, array in changes.items()}
        state = {name: array for name, array in {**weights, **changes}.items() if array is not None}
        columns[suffix].save(tmp_path / f"altered{suffix}", state)
        return tmp_path / f"altered{suffix}"

    return make


# --- the wrong tensors


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_missing_tensor(suffix, altered, refused, tmp_path):
    path = altered(suffix, resblocks__main__2__1__conv2__bias=None, conv_hr__weight=None)
    words = ["2 of", "missing", "'conv_hr.weight'", "'resblocks.main.2.1.conv2.bias'"]
    refused(path, "-o", tmp_path / "o.safetensors", words=[*words, "nearest rule 'resblocks.main.2.{}.conv2.bias'"])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_extra_tensor(suffix, altered, refused, tmp_path):
    path = altered(suffix, LTAM__fusing__weight=np.ones(3, "f4"))
    words = ["1 tensors are not part of ttvsr", "'LTAM.fusing.weight' (nearest rule 'LTAM.fusion.weight')", "DROPPED"]
    refused(path, "-o", tmp_path / "o.safetensors", words=words)


@pytest.mark.parametrize("shape", [(8, 24, 1), (24, 8, 1, 1), (1,)])
def test_misshaped_tensor(shape, altered, refused):
    path = altered(fusion__weight=np.ones(shape, "f4"))
    refused(path, words=["'fusion.weight' (nearest rule 'fusion.weight')", f"shape {shape}, expected (8, 24, 1, 1)"])


@pytest.mark.parametrize(
    ("value", "said"), [(np.nan, "1 NaN and 0"), (np.inf, "0 NaN and 1"), (-np.inf, "0 NaN and 1")]
)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_not_finite(value, said, suffix, altered, weights, refused, tmp_path):
    kernel = weights["resblocks.main.2.1.conv1.weight"].copy()
    kernel[3, 2, 1, 0] = value
    words = ["'resblocks.main.2.1.conv1.weight'", f"{said} infinite values, the first at (3, 2, 1, 0)"]
    words.append("nearest rule 'resblocks.main.2.{}.conv1.weight'")
    refused(altered(suffix, resblocks__main__2__1__conv1__weight=kernel), "-o", tmp_path / "o.pth", words=words)


def test_values_float32_cannot_hold(altered, refused):
    path = altered(conv_last__bias=np.array([0.1, 0.5, 1e300]))
    refused(path, words=["'conv_last.bias'", "float64, and 2 of 3 values would change in float32"])


def test_integers_are_no_weights(altered, refused):
    refused(altered(conv_last__bias=np.ones(3, "i4")), words=["element type int32, expected float32"])


def test_many_problems_are_counted(altered, refused):
    error = refused(altered(**{f"odd{i}": np.ones(1, "f4") for i in range(40)}), words=["40 tensors", "and 35 more"])
    assert len(error.splitlines()) < 12


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_another_network(suffix, tmp_path, columns, refused):
    path = tmp_path / f"other{suffix}"
    columns[suffix].save(
        path, {"deform_align.conv.weight": np.ones((2, 2), "f4"), "conv_hr.bias": np.ones(2, "f4")}
    )
    words = ["none of the networks", "looks like BasicVSR++", "'deform_align.conv.weight'", "nearest rule '"]
    refused(path, "-o", tmp_path / "o.safetensors", words=words)
    words = [
        "does not hold the weights of ttvsr",
        "resblocks.main.0.weight",
        "No rule for 'deform_align.conv.weight'",
    ]
    refused(path, "-o", tmp_path / "o.safetensors", "--model", "ttvsr", words=words)


def test_no_tensors(tmp_path, refused):
    for content in ({"epoch": 3}, 7, [], torch.nn.Module().state_dict()):
        torch.save(content, tmp_path / "w.pth")
        refused(tmp_path / "w.pth", words=["holds no tensors"])


def test_one_bare_tensor(tmp_path, refused):
    torch.save(torch.ones(3), tmp_path / "w.pth")
    refused(tmp_path / "w.pth", words=["none of the networks"])


# --- the wrong file


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_such_file(suffix, tmp_path, refused):
    refused(tmp_path / f"absent{suffix}", words=["absent", "no such file", "Check the path"])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_folder_or_empty_or_special(suffix, tmp_path, refused):
    (tmp_path / f"folder{suffix}").mkdir()
    refused(tmp_path / f"folder{suffix}", words=["it is a folder"])
    (tmp_path / f"empty{suffix}").touch()
    refused(tmp_path / f"empty{suffix}", words=["the file is empty"])
    os.mkfifo(tmp_path / f"pipe{suffix}")
    refused(tmp_path / f"pipe{suffix}", words=["no regular file"])


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("share", [0.0001, 0.5, 0.99, 0.999999])
def test_truncated(suffix, share, altered, refused, tmp_path):
    path = altered(suffix)
    os.truncate(path, int(path.stat().st_size * share) + 3)
    refused(path, "-o", tmp_path / "o.safetensors", words=[str(path), "truncated or damaged"])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_another_format_under_this_name(suffix, altered, refused, tmp_path):
    for other in set(SUFFIXES) - {suffix}:
        path = altered(other).rename(tmp_path / f"wrong{suffix}")
        refused(path, "-o", tmp_path / "o.safetensors", words=["truncated or damaged"])


def test_too_large(altered, refused, tmp_path, monkeypatch):
    monkeypatch.setattr("port.weights.raw.MAX_BYTES", 1000)
    refused(altered(), words=["checkpoints over"])
    path = tmp_path / "views.pth"
    torch.save({str(i): torch.zeros(1).expand(300) for i in range(20)}, path, pickle_protocol=2)
    monkeypatch.setattr("port.weights.raw.MAX_BYTES", 20_000)
    refused(path, words=["unfold to over"])


def test_a_view_that_claims_too_much(tmp_path, refused):
    torch.save({"w": torch.zeros(1).expand(1 << 40)}, tmp_path / "w.pth")
    refused(tmp_path / "w.pth", words=["refused", "claims the size (1099511627776,)"])


@pytest.mark.parametrize("make", [lambda t: t.to_sparse(), lambda t: torch.empty(2, 2, device="meta")])
def test_tensors_that_are_no_arrays(make, tmp_path, refused):
    torch.save({"w": make(torch.ones(2, 2))}, tmp_path / "w.pth")
    refused(tmp_path / "w.pth", words=["'w'", "no plain array of numbers"])


def test_nesting_without_end(tmp_path, refused):
    loop, deep, wide = {}, torch.ones(1), {}
    loop["again"] = loop
    for _ in range(100):
        deep = {"x": deep}
    for _ in range(25):
        wide = {"x": wide, "y": wide}
    for tree, words in ((loop, "nested more"), (deep, "nested more"), (wide, "more than 200000 entries")):
        torch.save(tree, tmp_path / "w.pth")
        refused(tmp_path / "w.pth", words=["refused", words])


def test_names_that_meet_when_joined(tmp_path, refused):
    torch.save({"a": {"b": torch.ones(1)}, "a.b": torch.ones(1)}, tmp_path / "w.pth")
    refused(tmp_path / "w.pth", words=["two tensors are called 'a.b'"])


def test_names_cannot_write_to_the_terminal(tmp_path, refused):
    torch.save({"\x1b[2J\nLTAM." + "x" * 999: torch.ones(1)}, tmp_path / "w.pth")
    error = refused(tmp_path / "w.pth", words=[r"\x1b[2J\nLTAM.xxx"])
    assert "\x1b" not in error and len(error) < 600


# --- a file that wants to do something


class Runs:
    """Unpickling it creates a file: the canary."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.mkdir, (str(self.canary),)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("where", [lambda evil: evil, lambda evil: {"state_dict": {"w": torch.ones(1), "x": evil}}])
def test_a_pickle_that_runs_code(zipped, where, tmp_path, refused):
    canary, path = tmp_path / "canary", tmp_path / "w.pth"
    torch.save(where(Runs(canary)), path, _use_new_zipfile_serialization=zipped)
    refused(path, words=["would run code", "'posix.mkdir'", "Nothing was run"])
    assert not canary.exists()
    torch.load(path, weights_only=False)
    assert canary.exists()  # meta-test: the canary does sing


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.filterwarnings("error")
def test_a_bare_pickle_that_runs_code(protocol, tmp_path, refused):
    canary, path = tmp_path / "canary", tmp_path / "w.pth"
    path.write_bytes(pickle.dumps(Runs(canary), protocol))
    refused(path, words=["would run code", "'posix.mkdir'"])
    assert not canary.exists()


def test_a_whole_network(tmp_path, refused):
    torch.save(torch.nn.Conv2d(1, 1, 1), tmp_path / "w.pth")
    refused(tmp_path / "w.pth", words=["torch.nn.modules.conv.Conv2d", "torch.save(net.state_dict()"])


@pytest.fixture
def rezip(tmp_path, weights):
    """A .pth with its members rewritten by `change(name, bytes) -> bytes`, and other options of zipfile."""

    def make(change=lambda name, content: content, twice=False, **options):
        good, bad = tmp_path / "good.pth", tmp_path / "bad.pth"
        torch.save({"LTAM.fusion.bias": torch.from_numpy(weights["LTAM.fusion.bias"])}, good)
        with zipfile.ZipFile(good) as source, zipfile.ZipFile(bad, "w", **options) as target:
            for name in source.namelist() * (1 + twice):
                target.writestr(name, change(name, source.read(name)))
        good.unlink()
        return bad

    return make


def test_zip_bomb(rezip, refused):
    bomb = rezip(lambda name, content: bytes(50 << 20), compression=zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 1 << 20
    refused(bomb, words=["is compressed", "declared to unfold to 52428800"])


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_zip_with_two_members_of_a_name(rezip, refused):
    refused(rezip(twice=True), words=["share a name"])


def test_zip_that_is_no_checkpoint(tmp_path, refused):
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        archive.writestr("letter.txt", "dear reader")
    refused(tmp_path / "w.pth", words=["no PyTorch checkpoint", "letter.txt"])


def test_zip_with_a_flipped_byte(tmp_path, altered, refused):
    path = altered(".pth")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1  # inside a kernel; PyTorch alone would read it as another weight
    path.write_bytes(content)
    torch.load(path, weights_only=True)
    refused(path, words=["do not match their checksum"])


def test_storage_smaller_than_its_tensor(rezip, refused):
    path = rezip(lambda name, content: content[:8] if name.endswith("data/0") else content)
    refused(path, words=["PyTorch cannot read it", "truncated or damaged"])


def _message(dims, content, kind="Float32", tag="LTAM.fusion.bias"):
    from mindspore.train.checkpoint_pb2 import Checkpoint

    checkpoint = Checkpoint()
    value = checkpoint.value.add()
    value.tag = tag
    value.tensor.dims.extend(dims)
    value.tensor.tensor_type = kind
    value.tensor.tensor_content = content
    return checkpoint.SerializeToString()


@pytest.mark.parametrize(
    ("message", "word"),
    [
        (lambda: _message([3], b"1234"), "has 4 bytes, expected 12"),
        (lambda: _message([1 << 40, 1 << 40], b"1234"), "expected 483570327845851669882470"),
        (lambda: _message([-1], b"1234"), "shape [-1]"),
        (lambda: _message([-1, -1], b"1234"), "shape [-1, -1]"),
        (lambda: _message([1], b"1234", "Float99"), "unknown element type 'Float99'"),
        (
            lambda: _message([1], b"1234") + _message([1], b"1234", tag="b") + _message([1], b"1234"),
            "two tensors are called",
        ),
        (lambda: b"\x0a\x03\x0a\x01a", "lacks its name, type or content"),
        (lambda: b"\x12\x03abc", "unknown field 2"),
        (lambda: b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "middle of an entry"),
        (lambda: b"\xff" * 30, "more than ten bytes"),
    ],
)
def test_ckpt_whose_numbers_lie(message, word, tmp_path, refused):
    (tmp_path / "w.ckpt").write_bytes(message())
    refused(tmp_path / "w.ckpt", words=[word])


def test_ckpt_checksum(tmp_path, weights, refused, convert):
    import mindspore as ms

    path = tmp_path / "w.ckpt"
    state = [{"name": name, "data": ms.Tensor(array)} for name, array in weights.items()]
    ms.save_checkpoint(state, str(path), crc_check=True)
    assert convert(path)[0] == 0
    (tmp_path / "w.pth").unlink()
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    refused(path, words=["do not match their checksum"])


def test_safetensors_whose_numbers_lie(tmp_path, refused):
    header = b'{"a":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4]}}'
    for content in (len(header).to_bytes(8, "little") + header + b"1234", (1 << 60).to_bytes(8, "little") + header):
        (tmp_path / "w.safetensors").write_bytes(content)
        refused(tmp_path / "w.safetensors", words=["no valid safetensors file"])


# --- where the result goes


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_folder_for_the_result(suffix, altered, refused, tmp_path):
    refused(altered(), "-o", tmp_path / "absent" / f"o{suffix}", words=["absent does not exist"])
    (tmp_path / "file").touch()
    refused(altered(), "-o", tmp_path / "file" / f"o{suffix}", words=["does not exist"])
    (tmp_path / f"d{suffix}").mkdir()
    refused(altered(), "-o", tmp_path / f"d{suffix}", words=["it is a folder"])


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(("number", "words"), [(errno.ENOSPC, "no space left"), (errno.EROFS, "permission denied")])
def test_writer_that_fails_half_way(suffix, number, words, altered, refused, tmp_path, columns, monkeypatch):
    """An older target survives, and the draft is removed."""

    def half(path, weights):
        path.write_bytes(b"half")
        raise OSError(number, os.strerror(number))

    source, target = altered(), tmp_path / f"o{suffix}"
    target.write_bytes(b"older")
    monkeypatch.setattr(columns[suffix], "write", half)
    refused(source, "-o", target, words=[str(target), words])
    assert target.read_bytes() == b"older"


@pytest.fixture
def small_disk(tmp_path):
    """A real file system of 1 MB; skipped where mounting is not allowed. `writable(False)` makes it read-only."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, text=True)
    if mount.returncode:
        pytest.skip(f"cannot mount a small disk here ({mount.stderr.strip()}); runs as root on Linux")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_full_disk(suffix, altered, refused, small_disk):
    refused(altered(), "-o", small_disk / f"o{suffix}", words=["no space left", "Free some or choose another"])
    assert list(small_disk.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_read_only_disk(suffix, altered, refused, small_disk):
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    refused(altered(), "-o", small_disk / f"o{suffix}", words=["cannot write", "permission denied"])


# --- the wrong command line


def test_usage_errors(altered, official, refused, tmp_path):
    path = altered()
    same = tmp_path / "link.safetensors"
    same.symlink_to(path)
    for target in (path, same):
        refused(path, "-o", target, words=["is the source itself"], code=2)
    for source, target in ((path, "o.onnx"), (path, "o"), (tmp_path / "w.bin", "o.pth"), (path, "o.PTH")):
        refused(source, "-o", tmp_path / target, words=["unknown extension", ".pth, .ckpt, .safetensors"], code=2)
    for arguments, word in (([], "CKPT"), ([path, "--model", "edsr"], "edsr"), ([path, "--params", "best"], "best")):
        refused(*arguments, words=[word], code=2)
    for data in (path, tmp_path / "o.pth"):
        refused(path, "-o", tmp_path / "o.pth", "--json", data, words=["would overwrite a checkpoint"], code=2)


def test_debug_keeps_the_traceback(tmp_path, convert):
    with pytest.raises(convert_weights.PortError, match="no such file"):
        convert(tmp_path / "absent.pth", "--debug")


def test_a_failure_in_a_process(tmp_path):
    """The exit code, and a single line on stderr, as a shell sees them; a reader's own log stays off it."""
    canary = tmp_path / "canary"
    torch.save(Runs(canary), tmp_path / "evil.pth")
    tensors_file.save(tmp_path / "odd.safetensors", {"odd": np.ones(1, "f4")})
    for name in ("evil.pth", "odd.safetensors"):
        command = [sys.executable, "convert_weights.py", str(tmp_path / name)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY)
        assert (done.returncode, done.stdout) == (3, "")
        assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert not canary.exists()


@pytest.mark.parametrize("suffix", [".pth", ".ckpt"])
def test_readers_name_the_way_out(suffix, tmp_path, columns):
    with pytest.raises(convert_weights.PortError, match=rf"convert_weights\.py .*w\.xyz -o NAME\{suffix}"):
        columns[suffix].load(tmp_path / "w.xyz")


@pytest.mark.parametrize("array", [np.ones(3, "c8"), np.ones((0, 3), "f4")])
def test_what_a_ckpt_cannot_hold(array, tmp_path, columns):
    with pytest.raises(convert_weights.PortError, match=r"cannot write tensor 'a': a \.ckpt cannot hold"):
        columns[".ckpt"].save(tmp_path / "w.ckpt", {"a": array})
    assert list(tmp_path.iterdir()) == []
