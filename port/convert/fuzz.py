"""Readers fed with broken and hostile files: each must say what is wrong or give the tensors. Anything else is a finding: another
error, a crash, a hang, a file written, code run, memory without end.

Every reader runs in a process of its own (`python -m port.convert.fuzz`, `python -m torch_ref.fuzz`, `python -m ms_model.fuzz`).
There an audit hook sees what Python opens for writing, starts, makes and removes while a file is read.
"""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from port.console import note
from port.convert.header import INDEX
from port.convert.mutate import Mutator
from port.convert.source import FileSource
from port.errors import PortError, run_command
from port.parity.pair_start import surroundings
from port.weights import tensors_file
from port.weights.layouts import TRANSPOSE, parse_layout
from port.weights.map_file import read_map, write_map
from port.weights.mapping import Entry, WeightMap

STATE = {
    "a.weight": np.arange(12, dtype="f4").reshape(3, 4),
    "b.bias": np.full(3, 7, "f4"),
    "c": np.ones((2, 1, 2), "f2"),
}
READERS = {  # kind -> (module that attacks it, share of the inputs)
    "safetensors": ("port.convert.fuzz", 0.3),
    "index": ("port.convert.fuzz", 0.1),
    "map": ("port.convert.fuzz", 0.1),
    "pth": ("torch_ref.fuzz", 0.25),
    "ckpt": ("ms_model.fuzz", 0.25),
}
SECONDS = 10  # for one file
MEMORY = 4 << 30  # more address space than the process began with
MOST_FINDINGS = 20
# Events of Python's audit hooks that no reader has a reason for
FORBIDDEN = (
    "os.system",
    "subprocess.Popen",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "os.mkdir",
    "os.remove",
    "os.rename",
)
FORBIDDEN += (
    "os.rmdir",
    "os.chmod",
    "os.link",
    "os.symlink",
    "shutil.",
    "socket.",
    "os.putenv",
    "os.truncate",
    "ftplib.",
    "pty.",
)


class Watch:
    """What happens while a file is read."""

    def __init__(self):
        self.active, self.seen = False, []
        sys.addaudithook(self.hook)

    def hook(self, event: str, arguments: tuple) -> None:
        if not self.active:
            return
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            self.seen.append(f"opened {arguments[0]!r} for writing")
        elif event.startswith(FORBIDDEN):
            self.seen.append(f"{event}{arguments!r}"[:200])


def attack(
    kind: str, load: Callable[[Path], object], specimens: Sequence[bytes], count: int, seed: int, folder: Path
) -> dict:
    """Read `count` changed files. -> {"inputs", "refused", "read", "findings", "seconds"}"""
    suffix = INDEX if kind == "index" else ".toml" if kind == "map" else f".{kind}"
    path, canary = folder / f"attack{suffix}", folder / "canary"
    mutate, watch, findings, refused = Mutator(list(specimens), kind, seed, str(canary)), Watch(), [], 0
    held = {*os.listdir(folder), path.name}
    size = int(
        next(
            line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmSize")
        )
    )
    resource.setrlimit(resource.RLIMIT_AS, (size * 1024 + MEMORY, resource.RLIM_INFINITY))
    signal.signal(signal.SIGALRM, _too_long)
    start = time.perf_counter()
    for i in range(count):
        content = mutate()
        path.write_bytes(content)
        watch.active = True
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        try:
            load(path)
            wrong = None
        except PortError as error:
            refused += 1
            text = str(error).replace("\n", " ")
            wrong = (
                None if text.isprintable() and len(text) < 5000 else f"a message that cannot be printed: {text[:200]!r}"
            )
        except BaseException as error:  # any other is a finding, KeyboardInterrupt of a reader as well
            wrong = f"{type(error).__name__}: {error}"[:300]
        watch.active = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        strange = set(os.listdir(folder)) - held if i % 50 == 0 or i == count - 1 else ()
        wrong = wrong or next(iter(watch.seen), None) or (f"files appeared: {sorted(strange)}" if strange else None)
        if wrong:
            findings.append({"input": i, "what": wrong, "file": content[:400].hex()})
            watch.seen.clear()
            held |= set(strange)
            if len(findings) >= MOST_FINDINGS:
                break
    path.unlink(missing_ok=True)
    done = i + 1
    seconds = round(time.perf_counter() - start, 1)
    return {
        "inputs": done,
        "refused": refused,
        "read": done - refused - len(findings),
        "findings": findings,
        "seconds": seconds,
    }


def _too_long(*_) -> None:
    raise TimeoutError(f"more than {SECONDS} s for one file")


def fuzz(total: int, seed: int, seconds: int = 1500) -> dict:
    """All readers, each in its process. -> kind -> what `attack` found; a process that died or hung is a finding"""
    found = {}
    for kind, (module, share) in READERS.items():
        count = max(1, round(total * share))
        note(f"{kind}: {count} files for its reader ...")
        with tempfile.TemporaryDirectory(prefix="port-fuzz-") as folder:
            command = [sys.executable, "-m", module, kind, str(count), str(seed), folder]
            try:
                done = subprocess.run(
                    command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=surroundings(), timeout=seconds
                )
                said = done.stderr.decode(errors="replace").strip()[-300:]
                died = f"the process ended with {done.returncode}: {said}" if done.returncode else None
            except subprocess.TimeoutExpired:
                died = f"no end within {seconds} s"
        lines = [] if died else done.stdout.decode().splitlines()
        crashed = {
            "inputs": 0,
            "refused": 0,
            "read": 0,
            "seconds": 0.0,
            "findings": [{"input": None, "what": died, "file": ""}],
        }
        found[kind] = crashed if died else json.loads(lines[-1])
    return found


def child(
    arguments: list[str] | None, specimens: Callable[[str, Path], list[bytes]], load: Callable[[str], Callable]
) -> int:
    """The command line of the three modules: KIND COUNT SEED FOLDER. Prints the result as JSON."""
    parser = argparse.ArgumentParser(description="One reader under attack; `python -m port fuzz` starts it.")
    parser.add_argument("kind", choices=READERS)
    parser.add_argument("count", type=int)
    parser.add_argument("seed", type=int)
    parser.add_argument("folder", type=Path)
    args = parser.parse_args(arguments)
    made = specimens(args.kind, args.folder)
    print(json.dumps(attack(args.kind, load(args.kind), made, args.count, args.seed, args.folder)), flush=True)
    return 0


def own_specimens(kind: str, folder: Path) -> list[bytes]:
    """Whole files of the kinds that need no framework; the shards of an index stay in the folder."""
    tensors_file.save(folder / "one.safetensors", STATE)
    tensors_file.save(folder / "two.safetensors", {"d": STATE["b.bias"]})
    if kind == "safetensors":
        return [(folder / name).read_bytes() for name in ("one.safetensors", "two.safetensors")]
    if kind == "index":
        table = dict.fromkeys(STATE, "one.safetensors") | {"d": "two.safetensors"}
        return [json.dumps({"metadata": {"total_size": 76}, "weight_map": table}).encode()]
    square = ((4, 4),)
    entries = [Entry(("a",), ("b",), square, square), Entry(("c",), ("d",), square, square, TRANSPOSE, also=("cc",))]
    entries.append(Entry(("q",), ("x", "y", "z"), ((12, 4),), square * 3, parse_layout("split 3")))
    write_map(folder / "map.toml", WeightMap(entries, {"n": "a counter"}, {"n": ()}))
    return [(folder / "map.toml").read_bytes()]


def own_load(kind: str) -> Callable[[Path], object]:
    """A reader: what is declared, then every byte of it; for .safetensors both readers that there are."""

    def load(path: Path) -> None:
        source = FileSource(path)
        try:
            for name, one in source.tensors.items():
                source.read_into(name, 0, memoryview(bytearray(one.nbytes)))
        finally:
            source.close()
        if kind == "safetensors":
            tensors_file.load(path)

    return read_map if kind == "map" else load


def main(arguments: list[str] | None = None) -> int:
    return child(arguments, own_specimens, own_load)


if __name__ == "__main__":
    sys.exit(run_command(main))
