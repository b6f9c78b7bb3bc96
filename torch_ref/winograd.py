"""3x3 convolutions by Winograd's algorithm on a CPU: port/native/winograd.c, called on the memory of the tensors.

It multiplies 16 times where PyTorch's own convolution does 36 times. For inference: where gradients are wanted, PyTorch's runs,
as for all that is not float32 in the memory of the CPU.
"""

import ctypes

import torch
import torch.nn.functional as F

from port.native.build import library
from torch_ref.blocks import Conv3x3


def fast_convolutions(net):
    """Let the 3x3 convolutions of `net` in float32 run so, on a CPU. -> how many do

    Raises PortError where there is no C compiler.
    """
    convs = [module for module in net.modules() if isinstance(module, Conv3x3)]
    convs = [conv for conv in convs if conv.weight.dtype == torch.float32]
    on_cpu = all(conv.weight.device.type == "cpu" for conv in convs)
    if not convs or not on_cpu:
        return 0
    convolve = operator(library("winograd"))
    for conv in convs:
        conv.winograd = convolve
    return len(convs)


def operator(path):
    """The function of winograd.c: x (n, in, h, w), kernels (out, in, 3, 3), bias (out) -> (n, out, h, w)"""
    convolve = ctypes.CDLL(str(path)).conv3x3
    convolve.argtypes = [ctypes.c_void_p] * 4 + [ctypes.c_int] * 5

    def forward(x, kernels, bias):
        if not suits(x, kernels, bias):
            return F.conv2d(x, kernels, bias, padding=1)
        inputs = [tensor.detach().contiguous() for tensor in (x, kernels, bias)]
        n, c, h, w = x.shape
        out = x.new_empty(n, len(kernels), h, w)
        if convolve(*(tensor.data_ptr() for tensor in (*inputs, out)), n, c, h, w, len(kernels)):
            raise MemoryError(f"no memory for a convolution of {tuple(x.shape)}")
        return out

    return forward


def suits(x, kernels, bias):
    """Whether winograd.c may read their memory: nothing checks what a pointer points to."""
    given = (x, kernels, bias)
    if not all(tensor.dtype == torch.float32 and tensor.device.type == "cpu" for tensor in given):
        return False
    fits = x.ndim == 4 and kernels.shape[1:] == (x.shape[1], 3, 3) and bias.shape == kernels.shape[:1]
    return fits and not (torch.is_grad_enabled() and any(tensor.requires_grad for tensor in given))
