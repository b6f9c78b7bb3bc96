"""A place in the network where values are seen on the way forward and their gradients on the way back."""

from mindspore import nn


class Gate(nn.Cell):
    """Passes on what `show` returns for the value, and on the way back what `show_gradient` returns for its gradient."""

    def __init__(self, show, show_gradient):
        super().__init__()
        self.show = show
        self.show_gradient = show_gradient
        self.used_bprop_inputs = []  # the way back needs neither the value nor what came out

    def construct(self, value):
        self.dtype = value.dtype
        return self.show(value)

    def bprop(self, value, out, gradient):
        shown = self.show_gradient(gradient)
        return (shown if shown.dtype == self.dtype else shown.astype(self.dtype),)


def gate(value, show, show_gradient):
    """Put a gate behind a tensor; one that has no gradient is only shown."""
    if not value.is_floating_point():
        return show(value)
    return Gate(show, show_gradient)(value)
