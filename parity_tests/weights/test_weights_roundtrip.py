"""There and back gives the identical bytes of every tensor, from any format to any other, out of every wrapper."""

import hashlib
import itertools
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

import convert_weights
from port.files import git_blob_sha1, sha256_file
from port.weights import convert as pipeline
from port.weights import tensors_file, ttvsr
from port.weights.convert import content_sha256, load_weights, name_for_file

SUFFIXES = (".pth", ".ckpt", ".safetensors")


@pytest.mark.parametrize(("one", "two"), itertools.product(SUFFIXES, repeat=2))
def test_there_and_back(one, two, tmp_path, weights, columns, convert, same_bits):
    start, middle, end = tmp_path / f"a{one}", tmp_path / f"b{two}", tmp_path / f"c{one}"
    columns[one].save(start, name_for_file(ttvsr.MODEL, weights, one))
    for source, target in ((start, middle), (middle, end)):
        code, out, err = convert(source, "-o", target)
        assert (code, err) == (0, "")
        assert "read back bit-equal" in out
    assert same_bits(columns[one].load(end).tensors, columns[one].load(start).tensors)
    for path in (middle, end):
        config, found = load_weights(path, columns[path.suffix].load)
        assert config == ttvsr.TTVSRConfig(8, 2)
        assert same_bits(found, weights)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([start.name, middle.name, end.name])


def test_default_targets(official, convert, tmp_path):
    assert convert(official)[0] == 0
    assert (tmp_path / "ttvsr_torch.ckpt").exists()
    code, _, err = convert(tmp_path / "ttvsr_torch.ckpt")
    assert code == 3 and "may be the original" in err
    official.unlink()
    assert convert(tmp_path / "ttvsr_torch.ckpt")[0] == 0
    assert official.exists()
    assert convert(official)[0] == 0  # an existing .ckpt is replaced


def test_mindspore_loads_the_result(official, convert, tmp_path, weights):
    import mindspore as ms

    convert(official)
    path = tmp_path / "ttvsr_torch.ckpt"
    assert os.stat(path).st_mode == os.stat(official).st_mode  # MindSpore's own are read-only and private
    cell = ms.nn.Cell()
    for name, array in weights.items():
        cell.insert_param_to_cell(name.replace(".", "_"), ms.Parameter(ms.Tensor(np.zeros_like(array)), name=name))
    missing, extra = ms.load_param_into_net(cell, ms.load_checkpoint(str(path)))
    assert (missing, extra) == ([], [])
    for parameter in cell.get_parameters():
        assert parameter.asnumpy().tobytes() == weights[parameter.name].tobytes()


def test_official_layout_of_pth(official, convert, tmp_path, weights):
    back = tmp_path / "back.pth"
    convert(official)
    convert(tmp_path / "ttvsr_torch.ckpt", "-o", back)
    file = torch.load(back, weights_only=True)
    assert set(file) == {"meta", "state_dict"}
    assert list(file["state_dict"]) == [f"generator.{name}" for name in weights]


def test_summary(official, convert, tmp_path, weights):
    code, out, err = convert(official, "--json", tmp_path / "s.json")
    assert (code, err) == (0, "")
    target = tmp_path / "ttvsr_torch.ckpt"
    summary = json.loads((tmp_path / "s.json").read_text())
    numbers = hashlib.sha256(b"".join(weights[name].tobytes() for name in sorted(weights))).hexdigest()
    assert summary["source_sha256"] == sha256_file(official) and summary["source_sha256"] in out
    assert summary["target_sha256"] == sha256_file(target) and summary["target_sha256"] in out
    assert summary["content_sha256"] == numbers == content_sha256(weights)
    assert summary["tensors"] == len(weights) and summary["buffers"] == 6
    assert summary["parameters"] == sum(array.size for array in weights.values()) - 6
    assert f"{summary['parameters']:,} and 6 in buffers" in out
    assert summary["config"] == {"mid_channels": 8, "num_blocks": 2}
    assert [(entry["what"], entry["tensors"]) for entry in summary["dropped"]] == [("step_counter", 1), ("meta", 0)]
    assert summary["official_file"] is None and "not recognised" in out
    assert "the network never reads it" in out


def test_official_files_are_recognised(official, convert, tmp_path, monkeypatch):
    assert set(ttvsr.OFFICIAL.values()) == {"TTVSR_REDS.pth", "TTVSR_Vimeo90K.pth"}
    monkeypatch.setitem(ttvsr.OFFICIAL, git_blob_sha1(official), "a published file")
    assert "a published file" in convert(official)[1]


def test_git_blob_id(tmp_path):
    """The id git gives to the five bytes `test\\n`, known from git itself."""
    (tmp_path / "t").write_bytes(b"test\n")
    assert git_blob_sha1(tmp_path / "t") == "9daeafb9864cf43055ae93beb0afd6c7d144bfa4"


def _tensors(weights, prefix=""):
    return {prefix + name: torch.from_numpy(array.copy()) for name, array in weights.items()}


WRAPPED = {
    "bare": lambda w: _tensors(w),
    "state_dict": lambda w: {"state_dict": _tensors(w)},
    "params": lambda w: {"params": _tensors(w)},
    "params_ema": lambda w: {"params_ema": _tensors(w)},
    "generator": lambda w: {"state_dict": _tensors(w, "generator.")},
    "module": lambda w: _tensors(w, "module."),
    "module.generator": lambda w: {"state_dict": _tensors(w, "module.generator.")},
    "generator.module": lambda w: {"state_dict": _tensors(w, "generator.module.")},
    "optimizer": lambda w: {
        "state_dict": _tensors(w, "generator."),
        "optimizer": {
            "generator": {"state": {0: {"step": 3, "exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 1e-4}]}
        },
    },
}


@pytest.mark.parametrize("wrapper", WRAPPED)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_wrappers(wrapper, zipped, tmp_path, weights, columns, same_bits):
    path = tmp_path / "w.pth"
    torch.save(WRAPPED[wrapper](weights), path, _use_new_zipfile_serialization=zipped)
    assert same_bits(load_weights(path, columns[".pth"].load)[1], weights)


def test_optimiser_state_is_left_out_and_said_so(tmp_path, weights, convert):
    path = tmp_path / "w.pth"
    torch.save(WRAPPED["optimizer"](weights), path)
    code, out, _ = convert(path)
    assert code == 0
    assert "optimizer. - 1 tensor: state of the optimiser" in out


@pytest.mark.parametrize(("params", "seed"), [(None, 1), ("ema", 1), ("raw", 0)])
def test_averaged_weights(params, seed, tmp_path, weights, make_weights, convert, columns, same_bits):
    path = tmp_path / "w.pth"
    torch.save({"params": _tensors(weights), "params_ema": _tensors(make_weights(seed=1))}, path)
    code, out, _ = convert(path, *(["--params", params] if params else []))
    assert code == 0 and "two sets of weights" in out
    found = load_weights(tmp_path / "w.ckpt", columns[".ckpt"].load)[1]
    assert same_bits(found, make_weights(seed=seed))


def test_views_and_shared_storage(tmp_path, weights, columns, same_bits):
    """Transposed and strided views, two names for one tensor, parameters that want gradients."""
    path = tmp_path / "w.pth"
    state = _tensors(weights)
    kernel = state["resblocks.main.2.0.conv1.weight"]
    state["resblocks.main.2.0.conv1.weight"] = kernel.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0)
    state["resblocks.main.2.1.conv2.weight"] = state["resblocks.main.2.0.conv1.weight"]
    state["conv_hr.bias"] = torch.stack([state["conv_hr.bias"], torch.zeros(64)], 1)[:, 0]
    state["conv_last.weight"] = torch.nn.Parameter(state["conv_last.weight"])
    assert not state["conv_hr.bias"].is_contiguous()
    torch.save(state, path)
    expected = dict(weights)
    expected["resblocks.main.2.1.conv2.weight"] = weights["resblocks.main.2.0.conv1.weight"]
    assert same_bits(load_weights(path, columns[".pth"].load)[1], expected)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_other_types_are_widened_or_narrowed_without_change(
    dtype, suffix, tmp_path, weights, columns, convert, same_bits
):
    """Values that the type holds exactly come out as the same float32, and the summary says so."""
    path = tmp_path / f"w{suffix}"
    coarse = {name: torch.from_numpy(array).clamp(-9, 9).to(getattr(torch, dtype)) for name, array in weights.items()}
    if suffix == ".pth":
        torch.save(coarse, path)
    elif suffix == ".safetensors":
        from safetensors.torch import save_file

        save_file(coarse, path)
    else:
        import mindspore as ms

        state = [
            {"name": name, "data": ms.Tensor(tensor.float().numpy()).astype(getattr(ms, dtype))}
            for name, tensor in coarse.items()
        ]
        ms.save_checkpoint(state, str(path))
    code, out, _ = convert(path, "-o", tmp_path / "out.safetensors")
    assert code == 0
    assert f"{len(weights)} tensors are {dtype}" in out
    found = load_weights(tmp_path / "out.safetensors", tensors_file.load)[1]
    assert same_bits(found, {name: tensor.float().numpy() for name, tensor in coarse.items()})


def test_mindspore_training_state_is_left_out(tmp_path, weights, columns, convert):
    path = tmp_path / "w.ckpt"
    state = {f"moment1.{name}": array for name, array in weights.items()} | {"global_step": np.zeros(1, "i4")}
    columns[".ckpt"].save(path, weights | state)
    code, out, _ = convert(path, "-o", tmp_path / "w.pth")
    assert code == 0
    assert f"moment1. - {len(weights)} tensors" in out and "global_step" in out


def test_mindspore_notes_are_left_out(tmp_path, weights, convert):
    """MindSpore stores numbers and texts of `append_dict` beside the parameters."""
    import mindspore as ms

    state = [{"name": name, "data": ms.Tensor(array)} for name, array in weights.items()]
    ms.save_checkpoint(state, str(tmp_path / "w.ckpt"), append_dict={"epoch_num": 3, "author": "somebody"})
    code, out, _ = convert(tmp_path / "w.ckpt", "-o", tmp_path / "w.safetensors")
    assert code == 0
    assert "epoch_num - 1 tensor: counts training steps" in out and "author - holds no tensors" in out


@pytest.mark.parametrize("suffix", [".pth", ".ckpt", ".safetensors"])
def test_the_proof_goes_red(suffix, official, tmp_path, columns, refused, monkeypatch):
    """Meta-test: a writer that alters one bit is found out, and its file does not take the target's name."""
    column, honest = columns[suffix], columns[suffix].write

    def alters_one_bit(path, weights):
        changed = dict(weights)
        name = next(name for name in weights if name.endswith("conv_last.bias"))
        changed[name] = weights[name].copy()
        changed[name].view("u1")[5] ^= 1
        honest(path, changed)

    monkeypatch.setattr(column, "write", alters_one_bit)
    words = ["was not written", "tensor 'conv_last.bias' differs in 1 of 12 bytes"]
    refused(official, "-o", tmp_path / f"out{suffix}", words=words)


def test_the_proof_sees_the_disk(official, tmp_path, columns, refused, monkeypatch):
    """The same with a byte of the finished file, whatever it belongs to."""
    honest = columns[".ckpt"].write

    def alters_one_byte(path, weights):
        honest(path, weights)
        content = bytearray(path.read_bytes())
        content[-3] ^= 64
        path.write_bytes(content)

    monkeypatch.setattr(columns[".ckpt"], "write", alters_one_byte)
    refused(official, words=["differs in 1 of 12 bytes"])


def test_the_proof_sees_lost_and_swapped_names(weights):
    fewer = {name: array for name, array in weights.items() if name != "conv_hr.bias"}
    with pytest.raises(pipeline.PortError, match=r"1 names differ, the first 'conv_hr.bias'"):
        pipeline.prove_equal("t", weights, fewer)
    swapped = dict(weights, **{"spynet.mean": weights["spynet.std"], "spynet.std": weights["spynet.mean"]})
    with pytest.raises(pipeline.PortError, match=r"'spynet\.mean' differs"):
        pipeline.prove_equal("t", weights, swapped)


def test_processes_for_the_toolkit(tmp_path, weights, columns, same_bits):
    """`python -m torch_ref.checkpoint` and its twin, as the torch-free toolkit starts them."""
    named = {f"state_dict.generator.{name}": array for name, array in weights.items() if name.startswith("conv")}
    start = tmp_path / "a.safetensors"
    tensors_file.save(start, named)
    for module, suffix in (("torch_ref.checkpoint", ".pth"), ("ms_model.checkpoint", ".ckpt")):
        main = columns[suffix].main
        there, back = tmp_path / f"b{suffix}", tmp_path / f"{module}.safetensors"
        assert main([str(start), str(there)]) == 0
        assert main([str(there), str(back)]) == 0
        prefix = "state_dict." if suffix == ".pth" else ""  # the level that a .pth file has and a flat file has not
        assert same_bits(tensors_file.load(back).tensors, {prefix + name: array for name, array in named.items()})


def test_command_line_in_a_process(official, tmp_path, weights, columns, same_bits):
    """stdout holds only the table; without .ckpt MindSpore is not imported, without .pth PyTorch is not."""
    middle, end = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    script = "import runpy, sys; sys.argv = sys.argv[1:]\ntry: runpy.run_path(sys.argv[0], run_name='__main__')\n"
    script += "finally: print(*sorted({'torch', 'mindspore'} & set(sys.modules)), file=sys.stderr)"
    for source, target, imported in ((official, middle, "torch"), (middle, end, "")):
        command = [sys.executable, "-c", script, convert_weights.__file__, str(source), "-o", str(target)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=os.path.dirname(convert_weights.__file__))
        assert done.returncode == 0
        assert done.stdout.startswith("ttvsr: converted and read back bit-equal")
        assert done.stderr.strip() == imported
    assert same_bits(load_weights(end, tensors_file.load)[1], weights)
