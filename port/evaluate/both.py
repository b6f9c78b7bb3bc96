"""The same data set through both columns, with weights converted from one file, and how far their scores are apart."""

import json
import subprocess
import sys
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

from port.errors import PortError
from port.evaluate.arguments import words_of
from port.evaluate.conditions import in_words
from port.files import make_folder, sha256_file
from port.metrics.score import ClipScore
from port.parity.pair_start import surroundings
from port.processes import ROOT

SCHEMA = 1
READS = {"torch_ref": (".pth", ".safetensors"), "ms_model": (".ckpt", ".safetensors")}
SIDES = {"reference": "torch_ref", "port": "ms_model"}


def weights_for(column: str, source: Path, work: Path) -> Path:
    """The weights as the column reads them: the file itself, or converted, once for every content of the file."""
    if source.suffix in READS[column]:
        return source.resolve()
    target = make_folder(work / "weights") / f"{source.stem}.{sha256_file(source)[:12]}{READS[column][0]}"
    if not target.is_file():
        command = [sys.executable, "convert_weights.py", str(source.resolve()), "-o", str(target.resolve())]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, env=surroundings())
        if done.returncode:
            raise PortError(f"the conversion ended with exit code {done.returncode}; its message stands above.")
    return target.resolve()


def evaluate_side(side: str, args: Namespace, weights: Path, work: Path, device: str | None) -> dict:
    """One column's `evaluate` in a process of its own; its messages go to our stderr. -> its result"""
    column = SIDES[side]
    command = [sys.executable, "-m", f"{column}.evaluate", "--weights", str(weights), *words_of(args)]
    command += ["--state", str(work / "state"), "--json", *(["--device", device] if device else [])]
    command += ["--save", str(args.save.resolve() / side)] if args.save else []
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=surroundings())
    if done.returncode:
        raise PortError(f"{column}.evaluate ended with exit code {done.returncode}; its message stands above.")
    try:
        return json.loads(done.stdout[done.stdout.index("{") :])
    except ValueError as error:
        raise PortError(f"{column}.evaluate printed no result: {done.stdout[-300:]!r}.") from error


def compare(reference: Mapping, port: Mapping, limit: float) -> dict[str, object]:
    """Both results clip by clip. -> verdict, differences (port less reference), and the two results

    limit  most that the PSNR of any clip may differ, in dB
    Raises PortError where the two are not scores of the same frames under the same conditions.
    """
    _check_same(reference, port)
    rows = [_row(*pair) for pair in zip(reference["clips"], port["clips"], strict=True)]
    mean = _differences(reference["mean"], port["mean"])
    largest = max(abs(each["psnr_difference"]) for each in (mean, *rows))
    return {
        "schema": SCHEMA,
        "verdict": "pass" if largest <= limit else "fail",
        "limit_db": limit,
        "largest_difference_db": largest,
        "dataset": reference["dataset"],
        "conditions": reference["conditions"],
        "conditions_in_words": in_words(reference["conditions"]),
        "mean": mean,
        "clips": rows,
        "reference": dict(reference),
        "port": dict(port),
    }


def _check_same(reference: Mapping, port: Mapping) -> None:
    """The same frames, counted alike: everything else is what is being compared."""
    for what in ("dataset", "conditions"):
        if reference[what] != port[what]:
            raise PortError(
                f"the two results differ in {what}: {reference[what]} and {port[what]}. Evaluate both anew."
            )
    clips = [
        [(clip["clip"], clip["frames"], clip["output_size"]) for clip in each["clips"]] for each in (reference, port)
    ]
    if clips[0] != clips[1]:
        raise PortError(f"the two results are not of the same clips: {clips[0]} and {clips[1]}. Evaluate both anew.")


def _row(reference: Mapping, port: Mapping) -> dict[str, object]:
    scores = [ClipScore.from_data(each) for each in (reference, port)]
    frames = [_apart(a, b) for a, b in zip(*(score.psnr for score in scores), strict=True)]
    return {"clip": reference["clip"], "frames": reference["frames"], **_differences(reference, port),
            "largest_psnr_difference_of_a_frame": max(frames, key=abs),
            "seconds_reference": reference["seconds"], "seconds_port": port["seconds"]}  # fmt: skip


def _differences(reference: Mapping, port: Mapping) -> dict[str, object]:
    """psnr of null: identical to the truth, infinitely far from any other."""
    values = [float("inf") if each["psnr"] is None else each["psnr"] for each in (reference, port)]
    return {"psnr_reference": reference["psnr"], "psnr_port": port["psnr"], "psnr_difference": _apart(*values),
            "ssim_reference": reference["ssim"], "ssim_port": port["ssim"],
            "ssim_difference": port["ssim"] - reference["ssim"]}  # fmt: skip


def _apart(reference: float, port: float) -> float:
    return 0.0 if reference == port else port - reference  # both may be infinite
