"""What the processor is and can do, as Linux tells it."""

import os
import platform
from functools import cache
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
OF_USE = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")  # sets of instructions that convolutions are written for


def name() -> str:
    """Of its model, or what Python knows of it elsewhere."""
    return _told("model name") or platform.processor() or "unknown"


@cache
def flags() -> frozenset[str]:
    """Names of its instruction sets; empty elsewhere."""
    return frozenset(_told("flags", "Features").split())


def instructions() -> list[str]:
    """Those OF_USE that it has."""
    return [name for name in OF_USE if name in flags()]


def memory() -> int:
    """Of the machine, in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def has_matrix_units() -> bool:
    """Whether it multiplies matrices of 16-bit numbers by units of its own (AMX)."""
    return "amx_bf16" in flags()


def _told(*fields: str) -> str:
    """What stands behind the first of these fields, empty where there is none."""
    try:
        lines = CPUINFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(fields)), "")
