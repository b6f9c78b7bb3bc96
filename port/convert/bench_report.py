"""The figures of a measurement as a table on stdout and as a section of reports/convert.md."""

from port.console import print_table
from port.convert.bench import LEAST_SPEED, MOST_MEMORY
from port.report.markdown_parts import table

GB, MB = 1e9, 1e6


def rows(found: dict) -> list[tuple[str, ...]]:
    """title, median, spread, speed, memory."""
    made = []
    for figure in found["figures"]:
        times, middle = figure["seconds"], figure["median"]
        spread = f"{min(times):.1f} to {max(times):.1f}" if len(times) > 1 else "one run"
        speed = f"{found['bytes'] / GB / middle:.2f}" if "rest" not in figure["title"] else "-"
        memory = (
            "-" if figure["peak"] is None else f"{figure['peak'] / MB:.0f} MB ({figure['peak'] / found['largest']:.2f})"
        )
        made.append((figure["title"], f"{middle:.1f}", spread, speed, memory))
    return made


TITLES = ("", "seconds, median", "spread", "GB/s", "memory above the start (largest tensors)")


def verdict(found: dict) -> list[str]:
    """In sentences."""
    killed = found["killed"]
    word = "identical" if killed["identical"] else "DIFFERENT"
    whole, largest = f"{found['bytes'] / GB:.2f} GB", f"{found['largest'] / MB:.0f} MB"
    return [
        f"A checkpoint of {whole} in {found['tensors']} tensors; the largest has {largest}.",
        f"Throughput is {found['speed']:.2f} of a plain copy (at least {LEAST_SPEED}), read back and compared included.",
        f"Memory stays within {found['memory']:.2f} of the largest tensor above the start (at most {MOST_MEMORY}).",
        f"Killed after {killed['tensors_done']} tensors, the same command went on; the files are {word} to those of an "
        "undisturbed run.",
    ]


def print_bench(found: dict) -> None:
    """On stdout."""
    print_table("pass" if found["passed"] else "FAIL", TITLES, rows(found), verdict(found))


def bench_markdown(found: dict, command: str) -> str:
    """For the report."""
    lines = ["# Streamed conversion: memory and throughput", "", f"`{command}`", "", *verdict(found), ""]
    return "\n".join([*lines, table(TITLES, rows(found)), ""])
