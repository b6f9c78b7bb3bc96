"""The map of a pair, found by running each network in a process of its own."""

import subprocess
import sys
import tempfile
from pathlib import Path

from port.console import note
from port.convert.settle import Settled
from port.convert.verdict import load_verdict
from port.errors import PortError
from port.parity.pair import load_pair
from port.parity.pair_start import surroundings

HALVES = ("torch_ref.map_pair", "ms_model.map_pair")


def find_map(pair: Path, quiet: bool = False) -> Settled:
    """Describe both networks, propose a map, settle and prove it. Raises PortError where a half could not run, or where
    tensors are left over."""
    load_pair(str(pair))  # what is wrong with the file is better said before a framework is loaded
    with tempfile.TemporaryDirectory(prefix="port-map-") as folder:
        for module in HALVES:
            if not quiet:
                note(f"{module}: running the network ...")
            command = [sys.executable, "-m", module, str(pair), "--out", folder]
            done = subprocess.run(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=surroundings()
            )
            said = [line for line in done.stderr.strip().splitlines() if line]
            if done.returncode:
                told = next((line.removeprefix("error: ") for line in said if line.startswith("error: ")), None)
                raise PortError(told or f"{module} ended with exit code {done.returncode}: {' / '.join(said[-3:])}")
        return load_verdict(Path(folder))
