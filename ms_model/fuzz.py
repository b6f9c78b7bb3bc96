"""The reader of .ckpt files under attack; `python -m port fuzz` starts it."""

import sys

import mindspore

from ms_model import checkpoint
from port.convert.fuzz import STATE, child
from port.errors import run_command


def specimens(kind, folder):
    """Whole files: as this project writes them, and with MindSpore's own checksum."""
    checkpoint.save(folder / "whole-1.ckpt", STATE)
    state = [{"name": name, "data": mindspore.Tensor(array)} for name, array in STATE.items()]
    mindspore.save_checkpoint(state, str(folder / "whole-2.ckpt"), crc_check=True)
    return [path.read_bytes() for path in sorted(folder.glob("whole-*.ckpt"))]


def load(kind):
    """The reader."""
    return checkpoint.load


def main(arguments=None):
    return child(arguments, specimens, load)


if __name__ == "__main__":
    sys.exit(run_command(main))
