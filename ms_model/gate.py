"""A place in the network where values are seen on the way forward and their gradients on the way back."""

from mindspore import Tensor
from mindspore.common._grad_function import _Function  # the only gate of MindSpore 2.10 that copies nothing


class Gate(_Function):
    """Passes on what `show` returns for the value, and on the way back what `show_gradient` returns for its gradient."""

    @staticmethod
    def forward(ctx, value, show, show_gradient):
        ctx.show_gradient, ctx.dtype = show_gradient, value.dtype
        return of_its_own(show(value))

    @staticmethod
    def backward(ctx, gradient):
        shown = ctx.show_gradient(gradient)
        return (shown if shown.dtype == ctx.dtype else shown.astype(ctx.dtype)), None, None


def of_its_own(tensor):
    """The same memory as another tensor. The gate would copy a value that it passes on as it is, on both ways.

    No operation makes it, for one would be cast where a cell computes in half precision; and Tensor(tensor) is no other tensor.
    """
    return Tensor.from_numpy(tensor.asnumpy())


def gate(value, show, show_gradient):
    """Put a gate behind a tensor; one that has no gradient is only shown."""
    if not value.is_floating_point():
        return show(value)
    return Gate.apply(value, show, show_gradient)
