"""What else the report times: the conversion of a checkpoint without the imports, and the parity suite."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from port.errors import PortError
from port.processes import PARENT, ROOT, surroundings

SUITE = ("-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder", "parity_tests/")

# In a process of its own each time: what a user waits for is always the first conversion of a process.
CONVERSION = """
import json, sys, time
from pathlib import Path
import convert_weights, ms_model.checkpoint, torch_ref.checkpoint
from port.weights.convert import convert
start = time.perf_counter()
convert(Path(sys.argv[1]), Path(sys.argv[2]), torch_ref.checkpoint, ms_model.checkpoint)
print(json.dumps(time.perf_counter() - start))
"""


def time_conversion(weights: Path, folder: Path, rounds: int) -> dict[str, Any]:
    """Seconds of .pth to .ckpt, proof of equality included. -> a row as port/bench/run.py has them

    weights  .pth or .safetensors

    Raises PortError where it fails.
    """
    source = weights
    if weights.suffix != ".pth":
        source = folder / "conversion.pth"
        rewrite(weights, source)
    words = ["-c", CONVERSION, str(source), str(folder / "conversion.ckpt")]
    seconds = [float(json.loads(_python(words).splitlines()[-1])) for _ in range(rounds)]
    return {"framework": "both", "subject": "conversion", "place": "once", "frames": 1, "seconds": seconds, "peaks": []}


def rewrite(source: Path, target: Path) -> None:
    """A checkpoint of TTVSR in the format of the target's name. Raises PortError for one that is none."""
    _python(["convert_weights.py", str(source), "--model", "ttvsr", "-o", str(target)])


def _python(words: list[str]) -> str:
    """Standard output of a process; what it has to say otherwise is shown where it fails."""
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, env=surroundings(GLOG_v="3")
    )
    if done.returncode:
        raise PortError(f"the conversion ended with exit code {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def time_suite(quiet: bool) -> dict[str, Any]:
    """The whole suite, two files at a time, as `make test` runs it; what it prints goes to stderr, which tells how far it is.

    -> seconds, command, passed
    """
    start = time.perf_counter()
    shown = subprocess.DEVNULL if quiet else sys.stderr
    own = {name: value for name, value in os.environ.items() if name != PARENT}  # tests of who started a process count on it
    done = subprocess.run([sys.executable, *SUITE], cwd=ROOT, stdout=shown, env=own)
    return {
        "seconds": time.perf_counter() - start,
        "command": " ".join(("python", *SUITE)),
        "passed": done.returncode == 0,
    }
