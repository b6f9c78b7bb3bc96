"""The command `train`: everything that is the same on both sides, from the command line to the run folder.

The two columns bring a network with its optimiser and the talk between processes: `torch_ref/train.py`, `ms_model/train.py`.
"""

import argparse
import fcntl
import json
import os
import traceback
from collections.abc import Callable, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from types import ModuleType

from rich.table import Table

from port import console
from port.data.augment import Recipe
from port.data.batches import Batches
from port.data.clips import ClipPair
from port.data.sets import open_set, set_facts
from port.errors import PASSED, PortError, UsageError
from port.files import make_folder, write_json, write_text
from port.processes import PARENT, end_with_parent
from port.train.initial import write_initial
from port.train.launch import ERRORS, launch
from port.train.loop import Engine, Run, train
from port.train.settings import Settings, from_data, load_preset, preset_names
from port.weights.ttvsr import TTVSRConfig

MakeEngine = Callable[[Settings, Path, int], Engine]  # settings, weights to start from, number of processes


def train_arguments(prog: str, devices: Sequence[str], argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the flags of `train`; the same on both sides but for the kinds of device, of which the first is the default."""
    parser = argparse.ArgumentParser(
        prog=prog, description="Train TTVSR. The same command again goes on where it stopped."
    )
    parser.add_argument("preset", help=f"{', '.join(preset_names())}, or a .toml file of your own")
    parser.add_argument("--root", required=True, type=Path, help="folder that holds the data set")
    parser.add_argument("--gt", type=Path, help="of the data set `folder`: the ground truth, laid out like --root")
    parser.add_argument("--valid-root", type=Path, help="the same of the validation set (default: --root)")
    parser.add_argument("--valid-gt", type=Path, help="the same of the validation set (default: --gt)")
    parser.add_argument("--out", required=True, type=Path, help="the run's folder")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting; may be repeated"
    )
    parser.add_argument("--weights", type=Path, help="start from this checkpoint (default: drawn at random by `seed`)")
    parser.add_argument("--flow", type=Path, help="start the flow network from this checkpoint of SPyNet or BasicVSR")
    parser.add_argument("--device", default=devices[0], choices=devices)
    parser.add_argument(
        "--devices", type=int, default=1, metavar="N", help="how many of them, each with its own process"
    )
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads of a process")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")
    parser.add_argument("--debug", action="store_true", help="show the traceback of errors")
    return parser.parse_args(argv)


def run_training(
    args: argparse.Namespace, argv: Sequence[str], column: str, select: Callable, make_engine: MakeEngine, load: Callable,
    processes: ModuleType,
) -> int:  # fmt: skip
    """Train as `args` say, in one process or as one of many. -> exit code; raises PortError

    select       makes a device the one of this process
    load         reader of the column's own checkpoints
    processes    the column's `distributed` module
    """
    settings = load_preset(args.preset).changed(args.set)
    check_arguments(args)
    end_with_parent()
    if args.devices > 1 and not processes.started():
        with locked(make_folder(args.out)):
            result = launch(column, argv, args.devices, args.out, settings, args.quiet, processes.command)
        return told(result, args.json)
    with messages_kept(args.out), selected(select, args), processes.joined(args.device) as (rank, ranks):
        pairs, valid = find_clips(args, settings)
        with locked(make_folder(args.out)) if ranks == 1 else nullcontext():
            if rank == 0:
                prepare(args, settings, ranks, load)
            processes.wait()
            run = Run(
                settings=settings,
                out=args.out,
                engine=make_engine(settings, args.weights or args.out / "initial.safetensors", ranks),
                batches=Batches(pairs, sampling(settings), settings.seed, settings.batch, ranks, rank),
                valid=valid,
                channel=set_facts(settings.valid_dataset or settings.dataset).channel,
                mean=processes.mean,
                wait=processes.wait,
                rank=rank,
                ranks=ranks,
                quiet=args.quiet,
            )  # fmt: skip
            result = train(run)
        if rank == 0:
            write_json(args.out / "result.json", result)
    return told(result, args.json) if rank == 0 and PARENT not in os.environ else PASSED


@contextmanager
def selected(select: Callable, args: argparse.Namespace):
    """The device is chosen before the processes meet, as MindSpore asks."""
    select(args.device, args.threads)
    yield


def check_arguments(args: argparse.Namespace) -> None:
    """Refuse what cannot be meant. Raises UsageError or PortError"""
    if args.devices < 1 or (args.threads is not None and args.threads < 1):
        raise UsageError("--devices and --threads must be at least 1.")
    if args.weights and args.flow:
        raise UsageError("--weights holds a flow network already; --flow goes with random weights.")
    for flag, path in (("--weights", args.weights), ("--flow", args.flow)):
        if path and not path.is_file():
            raise PortError(f"{flag}: there is no file {path}.")


def find_clips(args: argparse.Namespace, settings: Settings) -> tuple[list[ClipPair], list[ClipPair]]:
    """The clips to learn from and those to be scored, all with ground truth."""
    pairs = open_set(settings.dataset, args.root, settings.split or None, settings.degradation or None, args.gt)
    check_truth(pairs, args.root, "--gt")
    if not settings.valid_dataset:
        return pairs, []
    root, gt = args.valid_root or args.root, args.valid_gt or (None if args.valid_root else args.gt)
    valid = open_set(settings.valid_dataset, root, settings.valid_split or None, None, gt)
    check_truth(valid, root, "--valid-gt")
    return pairs, valid[: settings.valid_clips or None]


def check_truth(pairs: Sequence[ClipPair], root: Path, flag: str) -> None:
    """Raise PortError where there is nothing to learn from or to score against."""
    lacking = [pair.name for pair in pairs if not pair.gt]
    if not pairs or lacking:
        found = f"no ground truth for {lacking[0]}. Name it by {flag}" if lacking else "no clips"
        raise PortError(f"{root}: {found}.")


def sampling(settings: Settings) -> Recipe:
    """How samples are cut out of clips."""
    turned = dict.fromkeys(("hflip", "vflip", "transpose"), settings.flip)
    return Recipe(settings.frames, settings.patch, settings.reverse, mirror=settings.mirror, **turned)


def prepare(args: argparse.Namespace, settings: Settings, ranks: int, load: Callable) -> None:
    """The run's folder: settings, and weights to start from. Raises UsageError where it holds another run."""
    noted = args.out / "settings.json"
    if noted.is_file():
        held = json.loads(noted.read_text(encoding="utf-8"))
        different = settings.difference(from_data(held["settings"], str(noted)))
        if held["devices"] != ranks:
            different.append(f"--devices: {ranks}, was {held['devices']}")
        if different:
            raise UsageError(
                f"{args.out} holds a run with other settings ({'; '.join(different)}). Choose another --out."
            )
    write_json(noted, {"settings": asdict(settings), "devices": ranks, "preset": args.preset})
    initial = args.out / "initial.safetensors"
    if not args.weights and not initial.is_file():
        config = TTVSRConfig(settings.mid_channels, settings.num_blocks)
        write_initial(initial, config, settings.seed, args.flow, load)


@contextmanager
def locked(out: Path):
    """Nobody else trains in this folder meanwhile; the system lets go of it when the process ends, however it ends."""
    with open(out / ".lock", "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise PortError(
                f"another process is training in {out}. Wait for it, stop it, or choose another --out."
            ) from None
        yield


@contextmanager
def messages_kept(out: Path):
    """As one of many processes: leave the reason of a failure in a file, for the process that started them all."""
    try:
        yield
    except Exception as error:
        if PARENT in os.environ:
            reason = str(error) if isinstance(error, PortError) else traceback.format_exc()
            folder = make_folder(out / ERRORS)
            name = os.environ.get("RANK") or os.environ.get("RANK_ID") or "x"
            write_text(folder / f"{name}.txt", f"{getattr(error, 'exit_code', 3)}\n{reason}")
        raise


def told(result: dict[str, object], as_json: bool) -> int:
    """The result on stdout. -> 0"""
    if as_json:
        console.print_json(result)
        return PASSED
    table = Table(show_header=False, box=None)
    table.add_row("iterations", str(result["iterations"]))
    table.add_row("loss", "none: the run had ended before" if result["loss"] is None else f"{result['loss']:.6f}")
    table.add_row("weights", str(Path(str(result["out"])) / "weights.safetensors"))
    console.stdout.print(table)
    return PASSED
