"""The tables of a model page: scores and seconds of both frameworks on a benchmark, as results.md and results.json."""

from collections.abc import Mapping
from pathlib import Path

from rich.table import Table

from port.console import stdout
from port.files import make_folder, write_json, write_text
from port.models.table import facts_of
from port.report import words
from port.report.markdown_parts import code, plain, table
from port.report.sections import as_module

FRAMEWORKS = {"reference": "PyTorch", "port": "MS"}
SIDES = tuple(FRAMEWORKS)
SCALE = 4


def write_results(folder: Path, result: Mapping) -> None:
    """Both files, each whole or not at all."""
    make_folder(folder)
    write_json(folder / "results.json", result)
    write_text(folder / "results.md", markdown(result))


def markdown(result: Mapping) -> str:
    """The page."""
    sections = [
        f"# {title_of(result)} on {result['dataset']}: results",
        verdict(result),
        "## Inference data",
        table(("", ""), inputs(result)),
        "## Results",
        table(("model", "device", "specification", "PSNR (dB)", "SSIM", "seconds per sequence", "warm"), models(result)),
        "Seconds are those of the network for a whole clip, mean over clips. The first clip of each frame size pays for what a "
        "framework does once, such as compiling: `warm` leaves these out.",
        "## Clip by clip",
        table(("clip", "frames", "PSNR PyTorch", "PSNR MindSpore", "difference (dB)", "SSIM PyTorch", "SSIM MindSpore",
               "difference", "seconds PyTorch", "seconds MindSpore"), clips(result)),
        "The difference is MindSpore less PyTorch.",
        "## Conditions",
        "\n".join(f"- {plain(line)}" for line in result["conditions_in_words"]),
        "## Environment",
        table(("", "PyTorch", "MindSpore"), environments(result)),
        "## Made by",
        "\n".join(f"- {code(as_module(result[side]['environment']['command']), 600)}" for side in SIDES),
    ]  # fmt: skip
    return "\n\n".join(sections) + "\n"


def title_of(result: Mapping) -> str:
    """The network's name as publications write it."""
    return facts_of(result["reference"].get("model", "")).TITLE


def verdict(result: Mapping) -> str:
    """PASS or FAIL, in a sentence."""
    within = "within" if result["verdict"] == "pass" else "beyond"
    return (
        f"**{result['verdict'].upper()}**: with the same weights, the PSNR of PyTorch and MindSpore differs by at most "
        f"{result['largest_difference_db']:.2e} dB in any clip and in the mean, {within} "
        f"the limit of {result['limit_db']:g} dB."
    )


def inputs(result: Mapping) -> list[tuple[str, str]]:
    """What went in, in the words of the model page."""
    found = result["reference"]["clips"]
    return [
        ("data set", code(result["dataset"])),
        ("clips", str(len(found))),
        ("batch size", "1"),
        ("sequence length (frames)", _all(str(clip["input_frames"]) for clip in found)),
        ("input pixels (WxH)", _all(_size(clip["input_size"]) for clip in found)),
        ("output pixels (WxH)", _all(_size(clip["output_size"]) for clip in found)),
        ("upscaling", f"x{SCALE}"),
    ]


def models(result: Mapping) -> list[tuple[str, ...]]:
    """A row for each framework, and their difference."""
    mean, rows = result["mean"], []
    for side, framework in FRAMEWORKS.items():
        one = result[side]
        about, seconds, devices = one["environment"], one["seconds"], one["devices"]
        machine = about["processor"] if one["device"] == "cpu" else str(about["device"])
        specification = (
            f"{devices} x {machine}, {about['cores']} cores" if one["device"] == "cpu" else f"{devices} x {machine}"
        )
        warm = seconds["per_sequence_warm"]
        name = f"{title_of(result)}-{framework}"
        rows.append((name, str(one["device"]).upper(), plain(specification), decibels(mean[f"psnr_{side}"]),
                     f"{mean[f'ssim_{side}']:.4f}", f"{seconds['per_sequence']:.2f}",
                     words.NOTHING if warm is None else f"{warm:.2f}"))  # fmt: skip
    return [*rows, ("difference", "", "", f"{mean['psnr_difference']:+.1e}", f"{mean['ssim_difference']:+.1e}", "", "")]


def clips(result: Mapping) -> list[tuple[str, ...]]:
    """A row for each clip, and their mean."""
    rows = [(plain(row["clip"]), str(row["frames"]), *_scores(row), f"{row['seconds_reference']:.2f}",
             f"{row['seconds_port']:.2f}") for row in result["clips"]]  # fmt: skip
    frames = str(result["reference"]["mean"]["frames"])
    seconds = [f"{result[side]['seconds']['per_sequence']:.2f}" for side in SIDES]
    return [*rows, ("**mean**", frames, *_scores(result["mean"]), *seconds)]


def _scores(row: Mapping) -> tuple[str, ...]:
    return (
        decibels(row["psnr_reference"]),
        decibels(row["psnr_port"]),
        f"{row['psnr_difference']:+.1e}",
        f"{row['ssim_reference']:.4f}",
        f"{row['ssim_port']:.4f}",
        f"{row['ssim_difference']:+.1e}",
    )


def decibels(value: float | None) -> str:
    """None: no difference from the truth at all."""
    return "identical" if value is None else f"{value:.4f}"


def environments(result: Mapping) -> list[tuple[str, str, str]]:
    """Both sides' versions and machine, line by line; weights, too."""
    sides = [dict(result[side]["environment"], weights_sha256=result[side]["weights_sha256"]) for side in SIDES]
    names = [name for name in dict.fromkeys([*sides[0], *sides[1]]) if name != "command"]
    return [(code(name), *(code(side[name]) if name in side else words.NOTHING for side in sides)) for name in names]


def _all(values) -> str:
    return ", ".join(dict.fromkeys(values))


def _size(size) -> str:
    return f"{size[0]}x{size[1]}"


def show(result: Mapping, folder: Path) -> None:
    """The table of clips and the verdict on stdout."""
    shown = Table(title=f"{result['dataset']}: PSNR of PyTorch and MindSpore, and their difference in dB")
    for name in ("clip", "frames", "PyTorch", "MindSpore", "difference", "of SSIM", "seconds"):
        shown.add_column(name, justify="left" if name == "clip" else "right")
    for clip, frames, *scores, torch_seconds, ms_seconds in clips(result):
        reference, port, difference, _, _, of_ssim = scores
        shown.add_row(clip.strip("*"), frames, reference, port, difference, of_ssim, f"{torch_seconds}, {ms_seconds}")
    stdout.print(shown)
    stdout.print(verdict(result).replace("*", ""), markup=False, soft_wrap=True)
    stdout.print(f"results.md and results.json are in {folder}", markup=False, soft_wrap=True)
