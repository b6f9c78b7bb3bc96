"""Published scores and what came out, as a page and as data."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.table import Table

from port.console import stdout
from port.files import write_json, write_text
from port.models.table import facts_of
from port.report import words
from port.report.markdown_parts import code, plain, table
from port.report.results_report import SIDES, environments

HEADER = (
    "clip", "frames", "printed", "official code", "PyTorch", "difference", "MindSpore", "MindSpore less PyTorch",
)  # fmt: skip


def write_published(target: Path, result: Mapping) -> None:
    """TARGET.md and TARGET.json, each whole or not at all."""
    write_json(target.with_name(f"{target.name}.json"), result)
    write_text(target.with_name(f"{target.name}.md"), markdown(result))


def markdown(result: Mapping) -> str:
    """The page."""
    title = facts_of(result["model"]).TITLE
    sections = [f"# {title} on {result['dataset']}: published scores in both frameworks", verdict(result)]
    for each in result["tables"]:
        sections += [
            f"## {each['degradation']}: {plain(each['weights'])}",
            "PSNR (dB):",
            table(HEADER, [_row(row, "psnr", "{:.4f}", "{:.2f}") for row in each["rows"]]),
            "SSIM:",
            table(HEADER, [_row(row, "ssim", "{:.5f}", "{:.4f}") for row in each["rows"]]),
            f"Printed by: {plain(each['printed_by'])}. Official code: {plain(each['measured_by'])}.",
        ]
    last = next(iter(result["results"].values()))
    sections += [
        "The difference is PyTorch less the official code. `mean`: over the frames of a clip, then over clips.",
        "## Conditions",
        "\n".join(f"- {plain(line)}" for line in last["conditions_in_words"]),
        "## Seconds",
        table(("", "clip", "PyTorch", "MindSpore"), list(_seconds(result))),
        "Of the network for the whole clip; the first of each size with what a framework does once, such as compiling.",
        "## Environment",
        table(("", "PyTorch", "MindSpore"), environments(last)),
        "## Made by",
        f"- {code(result['command'], 600)}",
    ]
    return "\n\n".join(sections) + "\n"


def verdict(result: Mapping) -> str:
    """PASS or FAIL, and what it rests on."""
    limits, rows = result["limits"], [row for each in result["tables"] for row in each["rows"]]
    largest = {
        name: max(abs(row[name]) for row in rows)
        for name in ("psnr_off_measured", "ssim_off_measured", "psnr_difference")
    }
    text = (
        f"**{result['verdict'].upper()}**: PyTorch is within {largest['psnr_off_measured']:.4f} dB and "
        f"{largest['ssim_off_measured']:.5f} of SSIM of the official code (limits {limits['published_psnr_db']:g} and "
        f"{limits['published_ssim']:g}); MindSpore differs from PyTorch by at most {largest['psnr_difference']:.1e} dB "
        f"(limit {limits['psnr_delta_db']:g})."
    )
    failing = [
        f"{each['degradation']} {row['clip']}" for each in result["tables"] for row in each["rows"] if not row["passed"]
    ]
    return text + (f" Beyond a limit: {', '.join(failing)}." if failing else "")


def _row(row: Mapping, kind: str, exact: str, short: str) -> tuple[str, ...]:
    place = ("psnr", "ssim").index(kind)
    printed = short.format(row["printed"][place]) if row["printed"] else words.NOTHING
    return (
        code(row["clip"]),
        str(row["frames"]),
        printed,
        exact.format(row["measured"][place]),
        exact.format(row[f"{kind}_reference"]),
        f"{row[f'{kind}_off_measured']:+.1e}",
        exact.format(row[f"{kind}_port"]),
        f"{row[f'{kind}_difference']:+.1e}",
    )


def _seconds(result: Mapping) -> Sequence[tuple[str, ...]]:
    for degradation, found in result["results"].items():
        for row in found["clips"]:
            yield degradation, code(row["clip"]), *(f"{row[f'seconds_{side}']:.1f}" for side in SIDES)


def show_published(result: Mapping, target: Path) -> None:
    """The figures and the verdict on stdout."""
    network = facts_of(result["model"]).TITLE
    shown = Table(title=f"{network} on {result['dataset']}: PSNR and SSIM of the official code, and as they came out")
    for name in ("", "clip", "official code", "PyTorch", "MindSpore"):
        shown.add_column(name)
    for each in result["tables"]:
        for row in each["rows"]:
            pairs = (row["measured"], *([row[f"psnr_{side}"], row[f"ssim_{side}"]] for side in SIDES))
            shown.add_row(each["degradation"], row["clip"], *(f"{psnr:.4f} {ssim:.4f}" for psnr, ssim in pairs))
    stdout.print(shown)
    stdout.print(verdict(result).replace("*", ""), markup=False, soft_wrap=True)
    stdout.print(f"{target}.md and {target}.json hold the same", markup=False, soft_wrap=True)
