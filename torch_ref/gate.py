"""A place in the network where values are seen on the way forward and their gradients on the way back."""

import torch


class Gate(torch.autograd.Function):
    """Passes on what `show` returns for the value, and on the way back what `show_gradient` returns for its gradient."""

    @staticmethod
    def forward(ctx, value, show, show_gradient):
        ctx.show_gradient = show_gradient
        return show(value).clone()  # a module after this one may work in place

    @staticmethod
    def backward(ctx, gradient):
        return ctx.show_gradient(gradient), None, None


def gate(value, show, show_gradient):
    """Put a gate behind a tensor; one that has no gradient is only shown."""
    if not value.is_floating_point():
        return show(value)
    return Gate.apply(value, show, show_gradient)
