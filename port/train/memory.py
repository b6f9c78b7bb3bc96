"""What activation recomputation saves, measured: one pass forward and back, in a process of its own each time."""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from port import console
from port.errors import PortError
from port.parity.memory import forget_peak, peak_bytes
from port.train.initial import write_initial
from port.train.launch import surroundings
from port.train.settings import Settings
from port.weights.ttvsr import TTVSRConfig

COLUMNS = ("torch_ref", "ms_model")
KEEPING = {"kept": False, "again": True}  # activations -> the setting `recompute`


def made_batch(settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """Noise of the size of a batch: what is in it does not change the memory."""
    rng = np.random.default_rng(settings.seed)
    shape = (settings.batch, settings.frames * 2**settings.mirror, 3, settings.patch, settings.patch)
    truth = (*shape[:3], 4 * settings.patch, 4 * settings.patch)
    return rng.random(shape, np.float32), rng.random(truth, np.float32)


def run_measurement(prog: str, devices: Sequence[str], select: Callable, make_engine: Callable, argv=None) -> int:
    """One measurement of a column: the figures go to stdout as JSON. -> 0"""
    parser = argparse.ArgumentParser(
        prog=prog, description="Memory of one training pass; started by `port train-memory`."
    )
    parser.add_argument("settings", help="as JSON")
    parser.add_argument("weights", type=Path)
    parser.add_argument("--device", default=devices[0], choices=devices)
    args = parser.parse_args(argv)
    select(args.device, None)
    settings = Settings(**json.loads(args.settings))
    engine, (lq, gt) = make_engine(settings, args.weights, 1), made_batch(settings)
    forget_peak()
    before, start = peak_bytes() or 0, time.perf_counter()
    loss, norm = engine.add_gradients(lq, gt, last=True), engine.norm()
    figures = {
        "peak": peak_bytes(),
        "before": before,
        "seconds": time.perf_counter() - start,
        "loss": loss,
        "norm": norm,
    }
    console.print_json(figures)
    return 0


def measure(
    settings: Settings,
    folder: Path,
    columns: Sequence[str] = COLUMNS,
    start: Callable | None = None,
    activations: Sequence[str] = tuple(KEEPING),
) -> list[dict]:
    """The columns, activations treated in each way.

    -> [{column, recompute, peak, before (bytes), seconds, loss, norm}]
    """
    weights = folder / "initial.safetensors"
    write_initial(weights, TTVSRConfig(settings.mid_channels, settings.num_blocks), settings.seed, None, None)
    rows = []
    for column in columns:
        for recompute in (KEEPING[name] for name in activations):
            console.note(f"{column}, {'recomputing' if recompute else 'keeping'} activations ...")
            held = json.dumps(asdict(replace(settings, recompute=recompute, frozen=0)))
            words = start(column) if start else [sys.executable, "-m", f"{column}.train_memory"]
            done = subprocess.run([*words, held, str(weights)], capture_output=True, text=True, env=surroundings(1))
            if done.returncode:
                reason = done.stderr.strip()[-2000:] or "killed: out of memory?"
                raise PortError(f"the pass of {column} ended with exit code {done.returncode}: {reason}")
            rows.append({"column": column, "recompute": recompute, **json.loads(done.stdout)})
    return rows


def table(rows: Sequence[dict]) -> list[tuple[str, ...]]:
    """The rows in words, header first."""
    head = ("column", "activations", "peak memory, GB", "of it for the pass, GB", "seconds", "loss", "gradient norm")
    words = [
        (row["column"], "computed again" if row["recompute"] else "kept", f"{row['peak'] / 1e9:.2f}",
         f"{(row['peak'] - row['before']) / 1e9:.2f}", f"{row['seconds']:.1f}", f"{row['loss']:.8f}", f"{row['norm']:.8f}")
        for row in rows
    ]  # fmt: skip
    return [head, *words]
