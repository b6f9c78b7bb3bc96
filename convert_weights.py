"""Convert a checkpoint between PyTorch (.pth), MindSpore (.ckpt) and .safetensors, and prove the result bit-equal.

    python convert_weights.py ttvsr_torch.pth                      writes ttvsr_torch.ckpt
    python convert_weights.py ttvsr_torch.ckpt -o back.pth         and back, in the layout the official code loads

    python convert_weights.py --pair my_pair.py net.pth            any pair of networks: the map is found by running both

The file is checked before anything is written, nothing in it is executed, and a failure leaves nothing behind.
Exit codes: 0 converted, 1 the map of a pair is undetermined or wrong, 2 wrong usage, 3 could not convert (the message on
stderr says why).
"""

import argparse
import sys
from importlib import import_module
from pathlib import Path
from typing import cast

from port.convert.header import INDEX
from port.convert.plan import KEEP
from port.convert.run import SHARD_GB, Job, convert_pair
from port.errors import PASSED, PortError, UsageError, run_command
from port.files import write_json
from port.weights.convert import Format, convert
from port.weights.detect import AUTO, MODELS
from port.weights.halves import FLOATS

# Imported only when needed: a conversion to .safetensors does without MindSpore, one from it without PyTorch.
FORMATS = {".pth": "torch_ref.checkpoint", ".ckpt": "ms_model.checkpoint", ".safetensors": "port.weights.tensors_file"}
DEFAULT_TARGET = {".pth": ".ckpt", ".ckpt": ".pth", ".safetensors": ".ckpt"}


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    text = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=text)
    source = "checkpoint: .pth, .ckpt, .safetensors or .safetensors.index.json"
    parser.add_argument("source", type=Path, metavar="CKPT", nargs="?", help=source)
    parser.add_argument("-o", "--output", type=Path, metavar="OUT", help="target; its extension chooses the format")
    parser.add_argument("--model", default=AUTO, choices=[AUTO, *MODELS], help="network (default: by its names)")
    parser.add_argument(
        "--params", choices=["ema", "raw"], help="which weights, where a file holds both (default: ema)"
    )
    parser.add_argument("--names", metavar="FRAMEWORK", help="whose names a .pth gets: mmediting, or of BasicVSR basicsr, too")
    parser.add_argument(
        "--pair", type=Path, metavar="FILE", help="two networks of your own, as docs/pairs.md describes them"
    )
    parser.add_argument(
        "--map",
        type=Path,
        metavar="map.toml",
        help="read the map of a pair from this file if it is there, or write it there",
    )
    parser.add_argument(
        "--dtype", default=KEEP, choices=[KEEP, *FLOATS], help="of a pair: cast floating-point tensors (default: keep)"
    )
    parser.add_argument(
        "--shard-size", type=float, default=SHARD_GB, metavar="GB", help="of an index: largest file (5)"
    )
    parser.add_argument("--quiet", action="store_true", help="of a pair: no progress on stderr")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the summary as data")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    options = parser.parse_args(arguments)
    for_pairs = {"--dtype": options.dtype != KEEP, "--shard-size": options.shard_size != SHARD_GB}
    if options.pair is None and options.map is None:
        if wrong := [flag for flag, given in for_pairs.items() if given]:
            parser.error(f"{wrong[0]} needs --pair or --map")
        if options.source is None:
            parser.error("name a checkpoint (CKPT)")
    elif options.model != AUTO or options.names:
        parser.error("--model and --names do not go with --pair and --map, which say what the network is")
    if options.shard_size < 0.001:
        parser.error("--shard-size is at least 0.001 GB")
    return options


def choose_target(source: Path, output: Path | None) -> Path:
    """The file to write. Raises UsageError for unknown extensions, and for overwriting the source.

    Without -o, an existing .pth is left alone: it may be the original, with more in it than comes back from a .ckpt.
    """
    check_extensions(source, output, tuple(FORMATS))
    target = output or source.with_suffix(DEFAULT_TARGET[source.suffix])
    if target.exists() and source.exists() and target.samefile(source):
        raise UsageError(f"{target} is the source itself. Name another file with -o.")
    if output is None and target.suffix == ".pth" and target.exists():
        raise PortError(
            f"{target} exists and may be the original. Name the target with -o (the same name overwrites it)."
        )
    return target


def check_extensions(source: Path | None, output: Path | None, known: tuple[str, ...]) -> None:
    """Raises UsageError for a file whose name does not end as a format's does."""
    for path in filter(None, (source, output)):
        if not path.name.endswith(known) or path.name in known:
            raise UsageError(f"unknown extension '{path.suffix}' of {path}. Known: {', '.join(known)}.")


def convert_by_map(options: argparse.Namespace) -> int:
    """Any pair of networks."""
    check_extensions(options.source, options.output, (*FORMATS, INDEX))
    if options.json and options.json.resolve() in {
        p.resolve() for p in (options.source, options.output, options.map) if p
    }:
        raise UsageError(f"--json {options.json} would overwrite a file that is needed. Name another file.")
    names = ("source", "output", "pair", "map", "dtype", "shard_size", "params", "json", "quiet")
    return convert_pair(Job(*(getattr(options, name) for name in names), _format))


def main(options: argparse.Namespace) -> int:
    """Convert, print the summary. Raises PortError."""
    if options.pair or options.map:
        return convert_by_map(options)
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
