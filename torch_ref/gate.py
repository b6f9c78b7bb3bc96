"""A place in the network where values are seen on the way forward and their gradients on the way back."""

import torch


class Gate(torch.autograd.Function):
    """Passes on what `show` returns for the value, and on the way back what `show_gradient` returns for its gradient.

    apart  pass on a copy, which a module after this one may write into; without it autograd refuses such a module
    """

    @staticmethod
    def forward(ctx, value, show, show_gradient, apart):
        ctx.show_gradient = show_gradient
        shown = show(value)
        return shown.clone() if apart else shown

    @staticmethod
    def backward(ctx, gradient):
        return ctx.show_gradient(gradient), None, None, None


def gate(value, show, show_gradient):
    """Put a gate behind a tensor; one that has no gradient is only shown."""
    if not value.is_floating_point():
        return show(value)
    return Gate.apply(value, show, show_gradient, False)


def copying_gate(value, show, show_gradient):
    """A gate behind a tensor that a module after it writes into."""
    if not value.is_floating_point():
        return show(value)
    return Gate.apply(value, show, show_gradient, True)


def refuses_in_place(failure):
    """Whether a run broke off because a module wrote into a value that gates do not copy."""
    words = str(failure)
    return "inplace" in words or "in-place operation" in words
