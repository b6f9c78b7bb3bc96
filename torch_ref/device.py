"""Where the network runs."""

import math
import mmap

import torch

from port.errors import PortError
from port.models.vsr import CAPACITY

DEVICES = ("cpu", "cuda")


def select(name, threads=None):
    """Make `name` the device of everything that follows and return it. Raises PortError where it is not to be had."""
    if name not in DEVICES:
        raise PortError(f"unknown device {name!r}; PyTorch here knows {', '.join(DEVICES)}.")
    if name == "cuda" and not torch.cuda.is_available():
        raise PortError("no CUDA device is available to PyTorch here. Use --device cpu.")
    torch.backends.cudnn.allow_tf32 = False  # on by default; a reference rounds to float32 and no further
    if threads:
        torch.set_num_threads(threads)
    torch.set_default_device(name)
    return name


def capacity():
    """How many times what a CPU is given at once, see port/models/vsr.py."""
    return 1 if torch.get_default_device().type == "cpu" else CAPACITY


def own_pages(shape, like):
    """Room for a tensor of the type and on the device of `like`, on a CPU apart from the heap. -> of that shape, unset

    There its pages come when they are written first and go back to the system when it is let go, however much of freed
    memory is kept.
    """
    count = math.prod(shape)
    if like.device.type != "cpu" or not count:
        return like.new_empty(shape)
    return torch.frombuffer(mmap.mmap(-1, count * like.element_size()), dtype=like.dtype).view(shape)


def laid_out_as(like, x):
    """x (n, c, h, w) in the order in memory that `like` has: channels last, or first. Mixed, every sum would reorder one."""
    return x.contiguous(memory_format=torch.contiguous_format if like.is_contiguous() else torch.channels_last)


def describe():
    """Versions and machine facts that belong into every report."""
    return {
        "framework": "torch",
        "version": torch.__version__,
        "device": str(torch.get_default_device()),
        "threads": torch.get_num_threads(),
    }
