"""Ways to compute faster, see port/models/speed.py. Without any, float32 is exact."""

import torch

from port.allocator import keep_freed_memory
from port.errors import PortError, UsageError
from port.models.speed import chosen
from port.native.build import check_cpp_compiler
from torch_ref.half import InHalf, use_dtype
from torch_ref.winograd import fast_convolutions


def apply(net, names, device):
    """Make a network faster in the ways named, on `device`. -> the network. Raises UsageError, PortError"""
    wanted = chosen(names, "torch", device, type(net).__name__.lower())
    for name in WAYS:  # in their order: what is compiled is compiled as the others left it
        if name in wanted:
            WAYS[name](net, device)
    return net


def _together(net, device):
    net.directions = "together"


def _winograd(net, device):
    if not fast_convolutions(net):
        raise PortError("--fast winograd: no convolution of the network is 3x3, in float32 and on a CPU. Leave it out.")


def _bfloat16(net, device):
    if any(isinstance(part, InHalf) for part in net.modules()):
        raise UsageError("--fast bfloat16: --dtype has chosen an element type already. Give one of the two.")
    if device == "cpu" and not (torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()):
        raise PortError(
            "--fast bfloat16: this CPU has no instructions for it (AMX or AVX512_BF16), and convolutions in 16 bits take ten "
            "times as long without. Leave it out, or give --dtype bfloat16 to see what it does to the pictures."
        )
    use_dtype(net, "bfloat16", device)


def _tf32(net, device):
    torch.backends.cudnn.allow_tf32 = True  # convolutions alone: the averages of tokens are products of matrices


def _compile(net, device):
    if device == "cpu":
        check_cpp_compiler()
    net.compile_parts()


def _cuda_graphs(net, device):
    """Not run: no GPU was at hand."""
    for part in net.parts():
        part.forward = _recorded(part.forward)
    net._upsample = _recorded(net._upsample)


def _recorded(method):
    """A method whose kernels are launched as one graph. What it gives is copied: the next launch writes over it."""
    graph = torch.compile(method, mode="reduce-overhead")
    return lambda *inputs: graph(*inputs).clone()


WAYS = {
    "none": lambda net, device: None,
    "keep_memory": lambda net, device: keep_freed_memory(),
    "together": _together,
    "winograd": _winograd,
    "channels_last": lambda net, device: net.to(memory_format=torch.channels_last),
    "bfloat16": _bfloat16,
    "tf32": _tf32,
    "compile": _compile,
    "cuda_graphs": _cuda_graphs,
}
