"""Outcomes of small made-up verifications, put together with the engine's own classes: the schema is the real one."""

import io
import json
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from port.parity.compare import Stage, coverage, series
from port.parity.decisions import DecisionCount
from port.parity.measure import Row
from port.parity.verify import Outcome
from port.report import write

STEPS = ("flows", "features", "bwd.02", "bwd.01", "bwd.00", "fwd.00", "fwd.01", "fwd.02", "up.00", "up.01", "up.02")
SHA = "5f" * 32


def make_stages(wrong: dict[str, str], names: tuple[str, str]) -> tuple[Stage, Stage]:
    """Modules and accumulated stage. wrong: site -> reason; names: the modules of every step"""
    modules, accumulated = (
        Stage("modules", "error <= 8 x the reference's"),
        Stage("accumulated", "<= 8 x the reference's"),
    )
    sites = [f"{step}/{name}:out" for step in STEPS for name in names]
    for i, site in enumerate(sites):
        module = site.partition("/")[2].removesuffix(":out")
        small = 0.0 if i % 2 else 1e-7 * (i + 1)
        reason = wrong.get(site)
        fed = Row(i, site, "output", module, small, small, None, small == 0, reason)
        if reason:
            fed.max_abs = fed.relative = None
        modules.rows.append(fed)
        accumulated.rows.append(Row(i, site, "output", module, 1e-6, 2e-6, 1.0 + i / 100))
    return modules, accumulated


def make_report(wrong: dict[str, str], names: tuple[str, str]) -> tuple[dict, list[dict]]:
    """report.json's content and the series."""
    modules, accumulated = make_stages(wrong, names)
    count = DecisionCount("argmax", total=1234, ambiguous=5, disagreeing=2, margins=[1e-7, 3e-7], steps=["fwd.02"])
    modules.decisions["argmax"] = count
    compiled = Stage(
        "compiled", "error <= 8 x the reference's", rows=[Row(0, "features/out", "value", "f", 0, 0, None, True)]
    )
    end = {
        "verdict": "fail" if wrong else "pass",
        "limit": "PSNR >= 90 dB",
        "scored_on": "RGB, 8 bits, crop 0",
        "reasons": ["outputs agree to 30 dB only"] if wrong else [],
        "psnr_between": 30.0 if wrong else 143.7,
        "identical": False,
        "decisions": [count.as_dict()],
    }
    end |= {"max_abs": 3e-4, "psnr_between_free": 143.6, "max_abs_free": 3e-4}
    end |= {"psnr_reference": 27.97, "psnr_port": 27.96999, "psnr_delta_db": -1e-5}
    end |= {"ssim_reference": 0.8, "ssim_port": 0.8, "ssim_delta": 0.0}
    stages = {
        "weights": {"verdict": "pass", "tensors": 338, "bit_equal": 338, "differing": [], "differing_total": 0},
        "modules": modules.summary(lambda row: row.relative),
        "accumulated": accumulated.summary(lambda row: row.ratio),
        "compiled": compiled.summary(lambda row: row.relative),
        "end_to_end": end,
    }
    report = {
        "schema": 2,
        "verdict": "fail" if wrong else "pass",
        "model": "ttvsr",
        "weights": {"file": "official.pth", "sha256": SHA},
        "input": {"name": "clip", "frames": 3, "height": 8, "width": 12, "truth": "hr"},
        "environment": {
            "reference": {"framework": "torch", "version": "2.13.0", "device": "cpu", "threads": 2},
            "port": {"framework": "mindspore", "version": "2.10.0", "device": "CPU"},
        },
        "coverage": coverage(modules, accumulated),
        "not_compared": ["gradients and training", "devices other than the one named"],
        "stages": stages,
        "first_divergence": {"stage": "modules", **modules.failing[0].as_dict()} if modules.failing else None,
        "seconds": {"reference": 19.6, "port": 41.0},
        "created": "2026-01-02T03:04:05Z",
        "command": "python -m port verify ttvsr --weights official.pth",
    }
    return report, series(modules, accumulated)


def make_frames() -> dict[str, np.ndarray | None]:
    """Three frames, 12 x 8 to 48 x 32; the outputs differ by 3e-4 everywhere in frame 2 and nowhere else."""
    rng = np.random.default_rng(3)
    reference = rng.random((3, 3, 32, 48), dtype=np.float32)
    port = reference.copy()
    port[2] += np.float32(3e-4)
    truth = rng.integers(0, 256, (3, 32, 48, 3), dtype=np.uint8)
    return {"input": rng.random((3, 3, 8, 12), dtype=np.float32), "reference": reference, "port": port, "truth": truth}


@pytest.fixture(autouse=True)
def quick_chart(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dot instead of the chart, which takes half a second each; its own tests draw it in earnest."""
    dot = io.BytesIO()
    Image.new("RGB", (1, 1)).save(dot, "PNG")
    monkeypatch.setattr(write, "draw_chart", lambda rows, *_: dot.getvalue() if rows else None)


@pytest.fixture
def make_outcome() -> Callable[..., Outcome]:
    """A function that builds an Outcome: all pass unless `wrong` says which sites do not, and why."""

    def build(wrong: dict[str, str] | None = None, names: tuple[str, str] = ("LTAM", "resblocks.main")) -> Outcome:
        report, rows = make_report(wrong or {}, names)
        return Outcome(json.loads(json.dumps(report)), rows, make_frames())

    return build


@pytest.fixture
def broken_off(make_outcome: Callable[..., Outcome]) -> Outcome:
    """A port that ran into an error before it had a frame, nothing measured, no ground truth."""
    outcome = make_outcome({"fwd.01/LTAM:out": "missing in the port"})
    report = outcome.report
    for key in ("modules", "accumulated", "compiled"):
        stage = report["stages"][key]
        stage.update(
            verdict="fail", worst=None, broke_off="RuntimeError in step fwd.01: index 3\n\n-----\nC++ call stack"
        )
    missing = ("psnr_between", "max_abs", "psnr_reference", "psnr_port", "psnr_delta_db", "ssim_delta")
    kept = {key: report["stages"]["end_to_end"][key] for key in ("verdict", "limit", "scored_on", "decisions")}
    report["stages"]["end_to_end"] = {**kept, "reasons": ["no frames"], **dict.fromkeys(missing)}
    del report["command"]
    outcome.frames.update(port=None, truth=None)
    return outcome
