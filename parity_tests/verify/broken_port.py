"""The port's capture with one fault planted: `python broken_port.py FAULT[+FAULT] MODEL --weights ...`.

Faults are planted in this process only, after import; each is a mistake that porting makes.
"""

import sys

import mindspore
import mindspore.ops as F
import numpy as np
from mindspore import Tensor

import ms_model  # noqa: F401  (sets the environment before mindspore computes)
from ms_model import capture, ltam, networks, spynet, tokens, ttvsr


def change_weight(name, change):
    """Alter one tensor after the network has been filled."""
    fill = networks.fill

    def filled(net, found):
        net = fill(net, found)
        parameter = net.parameters_dict()[name]
        parameter.set_data(Tensor(np.ascontiguousarray(change(parameter.asnumpy()))))
        return net

    networks.fill = filled


def flip_kernel():
    """A kernel mirrored left to right: correlation taken for convolution."""
    change_weight("resblocks.main.2.1.conv1.weight", lambda kernel: kernel[..., ::-1])


def transpose_weight():
    """(in, out) taken for (out, in); the kernel is square, so no shape complains."""
    change_weight("resblocks.main.2.0.conv2.weight", lambda kernel: kernel.swapaxes(0, 1))


def bilinear_for_pooling():
    """Patches laid side by side and resized bilinearly, where they are to be averaged."""

    def resized(x, stride, patch):
        patches = F.unfold(x, patch, stride=stride, padding=(patch - stride) // 2)
        size = Tensor([side * patch // stride for side in x.shape[2:]], mindspore.int32)
        laid_out = F.fold(patches, size, patch, stride=patch)
        smaller = F.interpolate(laid_out, size=x.shape[2:], mode="bilinear", align_corners=False)
        return tokens.pixels_to_tokens(smaller, stride)

    ltam.enlarged_tokens = resized


def fold_by_reshape():
    """Tokens put back by a plain reshape instead of into their spatial place."""
    ltam.tokens_to_pixels = lambda x, stride, size: x.reshape(x.shape[0], x.shape[1] // stride**2, *size)


def swap_align_corners():
    """The flow is enlarged between levels with align_corners=False."""
    interpolate = F.interpolate
    swapped = lambda x, **how: interpolate(x, **{**how, "align_corners": False})  # noqa: E731
    spynet.F = _with(spynet.F, interpolate=swapped)


def shift_keyframe():
    """Forward keyframes start one frame late."""
    ttvsr.TTVSR._forward_keyframes = lambda self, t: range(1, t, self.keyframe_stride)


def shift_later_keyframe():
    """Forward keyframes from the second on come one frame late; nothing crashes."""
    ttvsr.TTVSR._forward_keyframes = lambda self, t: [0, *range(1 + self.keyframe_stride, t, self.keyframe_stride)]


def nan_in_frames():
    """A division that overflows in one frame."""
    upsample = ttvsr.TTVSR._upsample
    ttvsr.TTVSR._upsample = lambda self, *args: upsample(self, *args) + Tensor(float("nan"), mindspore.float32)


def _with(module, **replaced):
    """A stand-in for `mindspore.ops` with some functions replaced, so that other files keep the true ones."""
    functions = {name: staticmethod(function) for name, function in replaced.items()}
    return type("Ops", (), {"__getattr__": lambda self, name: getattr(module, name), **functions})()


FAULTS = {
    function.__name__: function
    for function in (
        flip_kernel,
        transpose_weight,
        bilinear_for_pooling,
        fold_by_reshape,
        swap_align_corners,
        shift_keyframe,
        shift_later_keyframe,
        nan_in_frames,
    )
}

if __name__ == "__main__":
    for name in sys.argv[1].split("+"):
        FAULTS[name]()
    sys.exit(capture.main(sys.argv[2:]))
