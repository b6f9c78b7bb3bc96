"""What the C library does with the memory of large arrays."""

import ctypes

# Of glibc's malloc.h
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
KEPT = 2000 << 20  # bytes at the end of the heap that may lie idle


def keep_freed_memory() -> bool:
    """Let this process use the memory of large arrays again instead of giving it back to the system at once.

    glibc gives every array above 32 MB back when it is freed, and many smaller ones; the system then hands out pages that
    it fills with zeros first. A network that makes a new array for every operation spends a fifth of its time so.
    Up to KEPT bytes more stay with the process. -> False where the C library is another one, which is left as it is
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    return bool(mallopt(M_MMAP_MAX, 0)) and bool(mallopt(M_TRIM_THRESHOLD, KEPT))
