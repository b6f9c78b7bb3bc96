"""Convert a checkpoint between PyTorch (.pth), MindSpore (.ckpt) and .safetensors, and prove the result bit-equal.

    python convert_weights.py ttvsr_torch.pth                      writes ttvsr_torch.ckpt
    python convert_weights.py ttvsr_torch.ckpt -o back.pth         and back, in the layout the official code loads

The file is checked before anything is written, nothing in it is executed, and a failure leaves nothing behind.
Exit codes: 0 converted, 2 wrong usage, 3 could not convert (the message on stderr says why).
"""

import argparse
import sys
from importlib import import_module
from pathlib import Path
from typing import cast

from port.errors import PASSED, PortError, UsageError, run_command
from port.files import write_json
from port.weights.convert import Format, convert
from port.weights.detect import AUTO, MODELS

# Imported only when needed: a conversion to .safetensors does without MindSpore, one from it without PyTorch.
FORMATS = {".pth": "torch_ref.checkpoint", ".ckpt": "ms_model.checkpoint", ".safetensors": "port.weights.tensors_file"}
DEFAULT_TARGET = {".pth": ".ckpt", ".ckpt": ".pth", ".safetensors": ".ckpt"}


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    text = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=text)
    parser.add_argument("source", type=Path, metavar="CKPT", help="checkpoint: .pth, .ckpt or .safetensors")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT", help="target; its extension chooses the format")
    parser.add_argument("--model", default=AUTO, choices=[AUTO, *MODELS], help="network (default: by its names)")
    parser.add_argument(
        "--params", choices=["ema", "raw"], help="which weights, where a file holds both (default: ema)"
    )
    parser.add_argument("--names", metavar="FRAMEWORK", help="whose names a .pth gets: mmediting, or of BasicVSR basicsr, too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the summary as data")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser.parse_args(arguments)


def choose_target(source: Path, output: Path | None) -> Path:
    """The file to write. Raises UsageError for unknown extensions, and for overwriting the source.

    Without -o, an existing .pth is left alone: it may be the original, with more in it than comes back from a .ckpt.
    """
    for path in filter(None, (source, output)):
        if path.suffix not in FORMATS:
            raise UsageError(f"unknown extension '{path.suffix}' of {path}. Known: {', '.join(FORMATS)}.")
    target = output or source.with_suffix(DEFAULT_TARGET[source.suffix])
    if target.exists() and source.exists() and target.samefile(source):
        raise UsageError(f"{target} is the source itself. Name another file with -o.")
    if output is None and target.suffix == ".pth" and target.exists():
        raise PortError(
            f"{target} exists and may be the original. Name the target with -o (the same name overwrites it)."
        )
    return target


def main(options: argparse.Namespace) -> int:
    """Convert, print the summary. Raises PortError."""
    target = choose_target(options.source, options.output)
    if options.json and options.json.resolve() in (options.source.resolve(), target.resolve()):
        raise UsageError(f"--json {options.json} would overwrite a checkpoint. Name another file.")
    reader, writer = (_format(path) for path in (options.source, target))
    summary = convert(options.source, target, reader, writer, options.model, options.params, options.names)
    if options.json:
        write_json(options.json, summary.as_data())
    summary.print()
    return PASSED


def _format(path: Path) -> Format:
    return cast(Format, import_module(FORMATS[path.suffix]))


if __name__ == "__main__":
    options = parse(None)
    sys.exit(run_command(lambda: main(options), options.debug))
