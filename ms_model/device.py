"""Where the network runs."""

import os

import mindspore
import mindspore.ops as F
import numpy as np
from mindspore import Tensor

from port.errors import PortError
from port.models.vsr import CAPACITY

DEVICES = ("cpu", "ascend")


def select(name, threads=None):
    """Make `name` the device of everything that follows and return it. Raises PortError where it is not to be had."""
    if name not in DEVICES:
        raise PortError(f"unknown device {name!r}; MindSpore here knows {', '.join(DEVICES)}.")
    target = {"cpu": "CPU", "ascend": "Ascend"}[name]
    try:
        if mindspore.get_context("device_target") != target:  # once a kernel has run, even the same one is refused
            mindspore.set_device(target)
    except (RuntimeError, ValueError) as error:
        first_line = str(error).strip().splitlines()[0]
        raise PortError(f"device {name} is not available to MindSpore here: {first_line} Use --device cpu.") from error
    mindspore.set_context(mode=mindspore.PYNATIVE_MODE)
    if threads:
        mindspore.runtime.dispatch_threads_num(threads)
    return name


def capacity():
    """How many times what a CPU is given at once, see port/models/vsr.py."""
    return 1 if mindspore.get_context("device_target") == "CPU" else CAPACITY


def own_pages(shape, like):
    """Room for a tensor of the type and on the device of `like`, on a CPU apart from the heap. -> of that shape, unset

    There its pages come when they are written first and go back to the system when it is let go, while MindSpore's pool keeps
    all it ever had. Not a Parameter: those are let go late. On an NPU it is zeros, made there.
    """
    if mindspore.get_context("device_target") != "CPU":
        return F.zeros(shape, dtype=like.dtype)
    return Tensor.from_numpy(np.empty(shape, str(like.dtype).lower()))


def one_after_the_other():
    """Every operation ends before the next begins: an error names its own operation, and small networks run ten times faster.

    MindSpore's queues between Python and the kernels wait by spinning, which costs more than a small kernel does.
    """
    mindspore.runtime.launch_blocking()


def describe():
    """Versions and machine facts that belong into every report."""
    return {
        "framework": "mindspore",
        "version": mindspore.__version__,
        "device": mindspore.get_context("device_target"),
        "ONEDNN_MAX_CPU_ISA": os.environ.get("ONEDNN_MAX_CPU_ISA", "not set"),
    }
