"""Where the network runs."""

import hashlib
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import mindspore

from port.errors import PortError
from port.files import whole_file

DEVICES = ("cpu", "ascend")
WINOGRAD = Path(__file__).with_name("winograd.c")
COMPILED = Path(__file__).resolve().parents[1] / ".cache" / "mindspore"
COMPILE = ("-O3", "-march=native", "-fopenmp", "-shared", "-fPIC")


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


@cache
def winograd_library():
    """winograd.c compiled for this machine, made at its first use; None on another device or where it cannot be compiled."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if mindspore.get_context("device_target") != "CPU" or compiler is None:
        return None
    processor = Path("/proc/cpuinfo")
    flags = [line for line in processor.read_text().splitlines() if line.startswith(("flags", "Features"))][:1]
    made_of = WINOGRAD.read_bytes() + repr((COMPILE, compiler, flags)).encode()
    target = COMPILED / f"winograd-{hashlib.sha256(made_of).hexdigest()[:16]}.so"
    if target.is_file():
        return target
    try:
        COMPILED.mkdir(parents=True, exist_ok=True)
        with whole_file(target, lasting=False) as draft:
            subprocess.run([compiler, *COMPILE, "-o", draft, WINOGRAD], check=True, capture_output=True, timeout=120)
    except (OSError, subprocess.SubprocessError, PortError):
        return None  # without OpenMP, or in a folder that cannot be written: MindSpore's own convolution does as well
    return target
