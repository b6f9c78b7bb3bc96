"""The highest resident memory of this process, as Linux counts it; None elsewhere."""

from pathlib import Path

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"  # proc(5): sets VmHWM to what is resident now


def forget_peak() -> None:
    """Count the peak anew from now on, where the system allows it; otherwise it keeps growing over the process's life."""
    try:
        CLEAR.write_text(RESET_PEAK, encoding="ascii")
    except OSError:
        return


def peak_bytes() -> int | None:
    """The peak since `forget_peak`, in bytes."""
    try:
        lines = STATUS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(found[0]) << 10 if found else None
