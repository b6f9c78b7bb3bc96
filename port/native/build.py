"""Compile a file of this folder for the machine at hand, once."""

import hashlib
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from port.errors import PortError
from port.files import whole_file
from port.processor import flags

COMPILED = Path(__file__).resolve().parents[2] / ".cache" / "native"
COMPILE = ("-O3", "-march=native", "-fopenmp", "-shared", "-fPIC")
SECONDS = 120
NO_COMPILER = "there is no C compiler with OpenMP (`cc`, or what CC names)"


@cache
def library(name: str) -> Path | None:
    """The shared library of `name`.c, made at its first use; None where it cannot be compiled.

    It is made anew when the source, the compiler or the processor is another one.
    """
    source = Path(__file__).with_name(f"{name}.c")
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        return None
    made_of = source.read_bytes() + repr((COMPILE, compiler, sorted(flags()))).encode()
    target = COMPILED / f"{name}-{hashlib.sha256(made_of).hexdigest()[:16]}.so"
    if target.is_file():
        return target
    try:
        COMPILED.mkdir(parents=True, exist_ok=True)
        with whole_file(target, lasting=False) as draft:
            subprocess.run([compiler, *COMPILE, "-o", draft, source], check=True, capture_output=True, timeout=SECONDS)
    except (OSError, subprocess.SubprocessError, PortError):
        return None  # without OpenMP, or in a folder that cannot be written: the framework's own kernel does as well
    return target
