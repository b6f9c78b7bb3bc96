"""README.md of a folder: what is wrong, where the code stands, how to run it, how small it is."""

import json
import shutil
from pathlib import Path

from port.files import write_text


def write_readme(folder: Path, kept, recipe) -> str:
    """Write it and take away what the trial runs left. -> one line for the terminal"""
    about = kept.about
    where = {side: read_where(folder, side) for side in ("torch", "mindspore")}
    name = about["module"] or "the network itself"
    now, before = recipe.bytes, recipe.before
    small = f"{now:,} bytes of weights and inputs"
    if before:
        share = now / before
        small += f", {'less than 1%' if share < 0.01 else f'{share:.0%}'} of the network's {before:,}"
    lines = [
        f"# {name}: {about['diagnosis']}", "",
        f"Found at `{about['telling_site']}` ({about['stage']}): {about['reason']}", "",
        *([f"It looks like **{about['diagnosis']}**: {about['says']}.", f"{about['suggestion']}", ""] if about["says"] else []),
        "## Run it", "",
        "    python check.py", "",
        "runs `run_torch.py` and `run_mindspore.py` and compares both with float64. Exit code 1 while the fault is "
        "there, 0 when it is mended, 3 where a side could not run.",
        "Mend the port in `pair.py` here (or where the table below says) and run it again.", "",
        "## The code", "",
        "| side | computed by | made at |", "|---|---|---|",
        f"| reference | {where['torch']['class']} | {where['torch']['made'] or '-'} |",
        f"| port | {where['mindspore']['class']} | {where['mindspore']['made'] or '-'} |", "",
        f"`pair.py` is a copy of {about['pair']} as it was verified.",
    ]  # fmt: skip
    lines += [f"Copied from beside it: {', '.join(about['imports']['copied'])}."] * bool(about["imports"]["copied"])
    lines += [f"Used where it stands, not copied: {', '.join(about['imports']['referenced'])}."] * bool(
        about["imports"]["referenced"]
    )
    lines += ["", "## What it holds", "", small + ".", *[f"Cut: {change}." for change in recipe.changes], ""]
    if not recipe.alone:
        lines += ["The weights are the whole network's: all of it has to be built.", ""]
    lines += what_runs(recipe, about["stage"])
    write_text(folder / "README.md", "\n".join([*lines, ""]))
    tidy(folder)
    return f"{name} ({about['stage']}, {about['diagnosis']}): {small}"


def what_runs(recipe, stage: str) -> list[str]:
    """Which of the ways of reproducing this is."""
    if stage == "weights":
        return [
            "The tensor is put into the port's module and read back. `weights.safetensors` has it as the reference holds it; "
            "`expected.safetensors` has both sides as they were when the folder was made.",
        ]
    if recipe.alone:
        return [
            "The module is called alone with what the reference gave it: `data.safetensors` (arguments, gradients that arrive "
            "at its output), `weights.safetensors`. `expected.safetensors` has what came out when the folder was made.",
            "It needs numpy, safetensors, PyTorch and MindSpore, nothing else.",
        ]
    return [
        "The fault lies between modules, in the loss, the optimiser or the state of training, so the whole network runs"
        + (", for one optimiser step or as many as it takes" if stage == "training" else "")
        + ": `inputs.safetensors`, `weights.safetensors`.",
        "Every module is fed with the reference's values, and only the sites of this root cause are judged.",
        "`expected.safetensors` has the wrong value as it was found, on the whole inputs. The scripts use the toolkit at the "
        "paths in `about.json`.",
    ]


def read_where(folder: Path, side: str) -> dict[str, str]:
    """What a script wrote down about the code; nothing where it did not come to that."""
    path = folder / f"where_{side}.json"
    return (
        json.loads(path.read_text(encoding="utf-8"))
        if path.is_file()
        else {"class": "(could not be built)", "made": ""}
    )


def tidy(folder: Path) -> None:
    """Take away what runs left: the folder holds what is needed and nothing else."""
    for leftover in (*folder.glob("where_*.json"), *folder.glob("data.*.safetensors")):
        leftover.unlink()
    for name in ("traces", "__pycache__"):
        shutil.rmtree(folder / name, ignore_errors=True)
