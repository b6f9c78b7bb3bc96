"""The loop of both columns: run jobs one after the other, and leave what came of each where a crash cannot take it."""

import argparse
import importlib.util
import json
import sys
import traceback
from collections.abc import Callable, Mapping
from itertools import groupby
from pathlib import Path
from types import ModuleType

import numpy as np

from port.files import whole_file, write_json
from port.ops.jobs import BACKWARD, COMPILED_BACKWARD, MODES, Job, from_data, typed

JOBS, INPUTS, STARTED, CALLS = "jobs.json", "inputs.npz", "started.log", "calls.py"
LONGEST = 400  # characters of an error that are kept


def arguments(prog: str, devices: tuple[str, ...]) -> argparse.ArgumentParser:
    """The flags of a column's worker."""
    parser = argparse.ArgumentParser(prog=prog, description="Run operators; started by `python -m port ops`.")
    parser.add_argument("--work", type=Path, required=True, help="folder with jobs, inputs and the functions to call")
    parser.add_argument("--device", default=devices[0], choices=devices)
    return parser


def serve(work: Path, run: Callable[[ModuleType, Job, Mapping[str, np.ndarray]], tuple[str, list[np.ndarray]]]) -> None:
    """Run all jobs of `jobs.json`, operator by operator; each operator's results are a file of their own.

    run  (functions, job, inputs by name) -> (structure of the result, its arrays)
    """
    module = functions(work / CALLS)
    given = np.load(work / INPUTS)
    jobs = from_data(json.loads((work / JOBS).read_text(encoding="utf-8")))
    with open(work / STARTED, "a", encoding="utf-8") as started:
        for operator, group in groupby(jobs, key=lambda job: job.operator):
            outcomes, arrays = {}, {}
            for job in group:
                print(f"{job.operator} {job.key}", file=started, flush=True)
                outcomes[job.key], found = attempt(run, module, job, given)
                arrays |= {f"{job.key}#{i}": array for i, array in enumerate(found)}
            with whole_file(work / f"{operator}.npz", lasting=False) as draft:
                np.savez(draft, **arrays)
            write_json(work / f"{operator}.json", outcomes)


def functions(path: Path) -> ModuleType:
    """The module of the calls."""
    spec = importlib.util.spec_from_file_location("operator_calls", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # MindSpore's compiler looks for it there
    spec.loader.exec_module(module)
    return module


def attempt(
    run: Callable, module: ModuleType, job: Job, given: Mapping[str, np.ndarray]
) -> tuple[dict, list[np.ndarray]]:
    """-> {"structure": ...} or {"error": ..., "kind": ...}, and the arrays."""
    names = (*job.arguments, *job.weights)
    values = {name: typed(given[f"{job.operator}/{job.case}/{name}"], job.dtype) for name in names}
    try:
        structure, found = run(module, job, values)
    except Exception as error:  # whatever a framework raises is the finding
        text = str(error).strip() or traceback.format_exc(limit=1)
        return {"error": text[:LONGEST], "kind": type(error).__name__}, []
    return {"structure": structure}, [np.asarray(array) for array in found]


def layer_of(
    module: ModuleType, job: Job, fill: Callable[[object, str, Mapping[str, np.ndarray]], None], values: Mapping
) -> None:
    """Make the layer that a job calls, and fill it."""
    if job.layer:
        layer = getattr(module, f"make_{job.function}")()
        fill(layer, job.dtype, {own: values[name] for name, own in job.weights.items()})
        setattr(module, f"layer_{job.function}", layer)


def is_backward(mode: str) -> bool:
    return mode in (BACKWARD, COMPILED_BACKWARD)


def is_compiled(mode: str) -> bool:
    return mode in MODES[2:]


def flatten(result: object, is_tensor: Callable[[object], bool]) -> tuple[str, list]:
    """Nested tuples and numbers -> what they look like, and what they hold in order. Raises TypeError for anything else."""
    if is_tensor(result):
        return "tensor", [result]
    if isinstance(result, bool | int | float):
        return type(result).__name__, [np.asarray(result)]
    if isinstance(result, tuple | list):
        parts = [flatten(item, is_tensor) for item in result]
        return f"({', '.join(structure for structure, _ in parts)})", [value for _, values in parts for value in values]
    raise TypeError(f"a result of type {type(result).__name__}")


def real(array: np.ndarray) -> np.ndarray:
    """Complex numbers as pairs."""
    return np.stack([array.real, array.imag], -1) if array.dtype.kind == "c" else array
