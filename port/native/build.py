"""Compile a file of this folder for the machine at hand, once."""

import ctypes
import hashlib
import os
import shlex
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


@cache
def library(name: str) -> Path:
    """The shared library of `name`.c, made at its first use.

    It is made anew when the source, the compiler or the processor is another one. Raises PortError saying why it cannot be.
    """
    source = Path(__file__).with_name(f"{name}.c")
    compiler = shlex.split(os.environ.get("CC", "cc"))
    if not compiler or shutil.which(compiler[0]) is None:
        raise _not_made(source, f"there is no C compiler {' '.join(compiler)!r} (`cc`, or what CC names)")
    try:
        version = subprocess.run([*compiler, "--version"], check=True, capture_output=True, timeout=SECONDS).stdout
        made_of = source.read_bytes() + version + repr((COMPILE, compiler, sorted(flags()))).encode()
        target = COMPILED / f"{name}-{hashlib.sha256(made_of).hexdigest()[:16]}.so"
        if not target.is_file():
            COMPILED.mkdir(parents=True, exist_ok=True)
            with whole_file(target, lasting=False) as draft:
                words = [*compiler, *COMPILE, "-o", draft, source]
                subprocess.run(words, check=True, capture_output=True, timeout=SECONDS)
        ctypes.CDLL(str(target))  # the columns load it by their own means, which say less where that fails
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines() or ["nothing"]
        raise _not_made(source, f"{compiler[0]} ended with {error.returncode} and said: {said[-1]}") from error
    except (OSError, subprocess.SubprocessError, PortError) as error:
        raise _not_made(source, str(error)) from error
    return target


def _not_made(source: Path, why: str) -> PortError:
    return PortError(
        f"{source.name} cannot be compiled and loaded: {why}. Install gcc with OpenMP, or do without what needs it "
        f"(--fast {source.stem})."
    )
