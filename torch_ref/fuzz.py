"""The reader of .pth files under attack; `python -m port fuzz` starts it."""

import sys

import torch

from port.convert.fuzz import STATE, child
from port.errors import run_command
from torch_ref import checkpoint


def specimens(kind, folder):
    """Whole files: as PyTorch writes them now, and as it did before 1.6."""
    state = {name: torch.from_numpy(array) for name, array in STATE.items()}
    for old in (False, True):
        tree = {"state_dict": state, "epoch": 3}
        torch.save(tree, folder / f"whole-{old}.pth", _use_new_zipfile_serialization=not old)
    return [path.read_bytes() for path in sorted(folder.glob("whole-*.pth"))]


def load(kind):
    """The reader."""
    return checkpoint.load


def main(arguments=None):
    return child(arguments, specimens, load)


if __name__ == "__main__":
    sys.exit(run_command(main))
