"""What the C library does with the memory of large arrays."""

import ctypes

# Of glibc's malloc.h
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
KEPT = 2000 << 20  # bytes at the end of the heap that may lie idle

# For processes that are started, by their environment: malloc of glibc reads it, others do not look. A capture holds many
# arrays for a while, so those above 128 MB go back to the system.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(128 << 20), "MALLOC_TRIM_THRESHOLD_": str(512 << 20)}


def keep_freed_memory() -> bool:
    """Let this process, from now on, use the memory of large arrays again instead of giving it back to the system at once.

    glibc gives every array above 32 MB back when it is freed, and many smaller ones; the system then hands out pages, which
    it fills with zeros first. PyTorch makes a new array for every operation and has no pool of its own on a CPU: see
    docs/speed-modes.md for what that costs. The heap shrinks at its end alone, and not before KEPT bytes lie idle there. This
    goes over what MALLOC_ variables say. -> False where the C library has no such call: nothing is changed there
    """
    mallopt = _call("mallopt")
    return mallopt is not None and bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, KEPT))


def give_back_freed_memory() -> None:
    """Let the system have all pages of the heap that hold nothing now: between parts of a computation whose needs differ."""
    trim = _call("malloc_trim")
    if trim is not None:
        trim(0)


def _call(name: str):
    """A function of the C library, None where it has no such one or, as on Windows, cannot be had."""
    try:
        return getattr(ctypes.CDLL(None), name, None)
    except (OSError, TypeError):
        return None
