"""Starts the captures of a pair: each half in a process of its own."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from port import processes
from port.allocator import KEEP_MEMORY
from port.errors import COULD_NOT_RUN, PortError
from port.parity.pair_capture import FINISHED
from port.parity.selection import EVERYTHING, Selection

REFERENCE_PASSES = (
    "reference",
    "float64",
    "forced64",
    "cast",
    "forcedcast",
    "noisy",
    "training",
    "training64",
    "updates64",
    "tiny",
    "tiny64",
)
PORT_PASSES = ("imposed", "forced", "free", "training", "updates", "tiny", "compiled")  # a compiler may take all down
ON_DEMAND = ("alone",)  # of the port, when its compiled run is wrong and nothing else says where
SIDES = {"torch": ("torch_ref", REFERENCE_PASSES), "ms": ("ms_model", PORT_PASSES)}
CAST = {"cast", "forcedcast"}  # what a port in half precision is held against; made only for such a one


def capture_side(
    side: str, pair: Path, out: Path, reference: Path, weights: Path | None = None, quiet: bool = False,
    dtype: str = "float32", port_dtype: str | None = None, selection: Selection = EVERYTHING, trace_limit: float = 8.0,
) -> None:  # fmt: skip
    """Run one half in a process of its own. Raises PortError where it could not run at all.

    side       "torch" or "ms"
    reference  folder of the reference's traces; those of the torch side are put there themselves
    weights    of the torch side; the port takes those that the reference left in its traces
    dtype      element type of both networks, port_dtype of the port if another; the port reads them in the reference's traces
    selection  of the passes only those are run that it needs
    trace_limit  GB that one trace may take
    """
    passes = SIDES[side][1]
    needed = set(selection.passes(side, passes)) | (CAST if port_dtype not in (None, dtype) else set())
    types = ["--dtype", dtype, "--port-dtype", port_dtype or dtype] if side == "torch" else []
    for name in (*passes, *ON_DEMAND):  # an old trace must never be taken for a new one
        shutil.rmtree(out / name, ignore_errors=True)
    chosen = [name for name in passes if name in needed]
    capture_passes(side, chosen, pair, out, reference, weights, [*types, "--trace-limit", str(trace_limit)], quiet)


def capture_alone(pair: Path, out: Path, reference: Path, quiet: bool = False) -> None:
    """Compile every module of the port by itself, beside the traces that `capture_side` has left in `out`."""
    capture_passes("ms", ON_DEMAND, pair, out, reference, quiet=quiet, env={"GLOG_v": "3"})  # one warning a compilation


def capture_passes(
    side: str, passes: Sequence[str], pair: Path, out: Path, reference: Path, weights: Path | None = None,
    more: Sequence[str] = (), quiet: bool = False, env: Mapping[str, str] = MappingProxyType({}),
) -> None:  # fmt: skip
    """Run these passes of one half in a process of its own."""
    if side == "ms":
        weights = reference / "reference" / "weights.safetensors"
    (out / FINISHED).unlink(missing_ok=True)
    command = [sys.executable, "-m", f"{SIDES[side][0]}.capture_pair", str(pair), "--out", str(out)]
    command += ["--passes", ",".join(passes), "--reference", str(reference)]
    command += ["--weights", str(weights)] if weights else []
    run([*command, *more] + ["--quiet"] * quiet, env)


def run(command: Sequence[str], env: Mapping[str, str] = MappingProxyType({})) -> None:
    """Start a process; runs that broke off (3, with all traces written) are for the comparison to report."""
    done = subprocess.run(command, stdout=subprocess.DEVNULL, env={**surroundings(), **env})
    out = Path(command[command.index("--out") + 1])
    broke_off = done.returncode == COULD_NOT_RUN and (out / FINISHED).exists()
    # by a signal, in a kernel; a reference that is killed has nothing to be compared with
    killed = done.returncode < 0 and command[2].startswith("ms_model") and any(out.glob("*/trace.json"))
    if done.returncode and not (broke_off or killed):
        raise PortError(f"{command[2]} ended with exit code {done.returncode}; its message stands above.")


def surroundings() -> dict[str, str]:
    """The environment of a capture: freed memory is used again, and MindSpore leaves the graphs that it could not compile in
    the temporary folder, not where the user stands."""
    return processes.surroundings(MS_OM_PATH=tempfile.gettempdir(), **KEEP_MEMORY)
