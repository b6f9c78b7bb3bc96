"""3x3 convolutions by Winograd's algorithm on a CPU: port/native/winograd.c, called as an operator.

MindSpore's own convolution is im2col and a product in the layout (n, c, h, w), half as fast as PyTorch's in a layout of blocks.
"""

import mindspore
import mindspore.ops as F
from mindspore.ops.operations._grad_ops import Conv2DBackpropFilter

from ms_model.blocks import Conv3x3
from port.native.build import library


def fast_convolutions(net):
    """Let the 3x3 convolutions of `net` in float32 run so, on a CPU. -> how many do

    Raises PortError where there is no C compiler.
    """
    convs = [cell for _, cell in net.cells_and_names() if isinstance(cell, Conv3x3)]
    convs = [conv for conv in convs if conv.weight.dtype == mindspore.float32]
    on_cpu = mindspore.get_context("device_target") == "CPU"
    if not convs or not on_cpu:
        return 0
    convolve = operator(library("winograd"))
    for conv in convs:
        conv.winograd = convolve
    return len(convs)


def operator(path):
    """The operator of winograd.c: x (n, in, h, w), kernels (out, in, 3, 3), bias (out) -> (n, out, h, w), and its way back."""

    def shape(x, kernels, bias):
        return [x[0], kernels[0], x[2], x[3]]

    def dtype(x, kernels, bias):
        return x

    def gradients(x, kernels, bias, out, given):
        turned = kernels.flip((2, 3)).swapaxes(0, 1)
        by_x = forward(given, turned, F.zeros((kernels.shape[1],), x.dtype))
        return by_x, by_kernels(given, x, kernels.shape), given.sum((0, 2, 3))

    forward = F.Custom(f"{path}:mindspore_conv3x3", shape, dtype, "aot")
    by_kernels = Conv2DBackpropFilter(
        0, 3, "pad", 1, pad_list=(1, 1, 1, 1), mode=1, stride=(1, 1), dilation=(1, 1, 1, 1), group=1
    )
    return F.Custom(f"{path}:mindspore_conv3x3", shape, dtype, "aot", bprop=gradients)
