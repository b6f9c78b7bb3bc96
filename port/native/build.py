"""Compile a file of this folder for the machine at hand, once."""

import ctypes
import hashlib
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from port.errors import PortError
from port.files import whole_file
from port.processor import flags

COMPILED = Path(__file__).resolve().parents[2] / ".cache" / "native"
COMPILE = ("-O3", "-march=native", "-fopenmp", "-shared", "-fPIC")
SECONDS = 120


def build_for(ways: Iterable[str], device: str = "cpu") -> None:
    """Compile now what these ways of --fast need, so that it does not fail later. Raises PortError as `library` does."""
    if "compile" in ways and device == "cpu":
        check_cpp_compiler()
    for name in sorted({source.stem for source in Path(__file__).parent.glob("*.c")} & set(ways)):
        library(name)


def check_cpp_compiler() -> None:
    """PyTorch's compiler generates C++ on a CPU. Raises PortError where there is nothing that compiles it."""
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise PortError(
            f"--fast compile: PyTorch generates C++ on a CPU, and there is no compiler {compiler!r} (g++, or what CXX names). "
            "Install one (apt-get install g++), or leave it out."
        )


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
        _try_to_load(target)
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines() or ["nothing"]
        raise _not_made(source, f"{compiler[0]} ended with {error.returncode} and said: {said[-1]}") from error
    except (OSError, subprocess.SubprocessError, PortError) as error:
        raise _not_made(source, str(error)) from error
    return target


def _try_to_load(target: Path) -> None:
    """Raises OSError. The columns load it by their own means, which say less; what cannot be loaded is not kept."""
    try:
        ctypes.CDLL(str(target))
    except OSError:
        target.unlink(missing_ok=True)
        raise


def _not_made(source: Path, why: str) -> PortError:
    return PortError(
        f"{source.name} cannot be compiled and loaded: {why}. Install gcc with OpenMP, or do without what needs it "
        f"(--fast {source.stem})."
    )
