"""The limits of `tolerances.toml`, typed."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("tolerances.toml")


@dataclass(frozen=True)
class Tolerances:
    """Each field is described, with its reason, in tolerances.toml."""

    reference_own_error: float
    decision_margin_ratio: float
    decision_floor_eps: float
    psnr_between_db: float
    psnr_delta_db: float
    ratio_rms: float
    ratio_largest: float
    ratio_floor_eps: float
    ratio_floor_eps_half: float
    ratio_amplified: float
    curves_ratio: float
    curves_floor_eps: float
    published_psnr_db: float
    published_ssim: float


def load(path: Path = FILE) -> Tolerances:
    """Read the limits. They are the project's own, so a missing one is a plain KeyError."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return Tolerances(
        reference_own_error=table["accumulated"]["reference_own_error"],
        decision_margin_ratio=table["decisions"]["margin_over_reference_error"],
        decision_floor_eps=table["decisions"]["floor_eps"],
        psnr_between_db=table["end_to_end"]["psnr_between_db"],
        psnr_delta_db=table["end_to_end"]["psnr_delta_db"],
        ratio_rms=table["ratio"]["rms"],
        ratio_largest=table["ratio"]["largest"],
        ratio_floor_eps=table["ratio"]["floor_eps"],
        ratio_floor_eps_half=table["ratio"]["floor_eps_half"],
        ratio_amplified=table["ratio"]["amplified"],
        curves_ratio=table["curves"]["ratio"],
        curves_floor_eps=table["curves"]["floor_eps"],
        published_psnr_db=table["published"]["psnr_db"],
        published_ssim=table["published"]["ssim"],
    )
