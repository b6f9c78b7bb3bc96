"""Where the network runs."""

import torch

from port.errors import PortError

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


def describe():
    """Versions and machine facts that belong into every report."""
    return {
        "framework": "torch",
        "version": torch.__version__,
        "device": str(torch.get_default_device()),
        "threads": torch.get_num_threads(),
    }
