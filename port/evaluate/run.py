"""`evaluate` of both columns: they only say how a network is loaded (`torch_ref/evaluate.py`, `ms_model/evaluate.py`)."""

import json
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from port import console
from port.data.clips import ClipPair
from port.errors import PASSED, PortError, UsageError
from port.evaluate.choose import choose_clips
from port.evaluate.clip import evaluate_clip, fed_frames, pictures_of
from port.evaluate.conditions import Conditions, conditions_of, of_network
from port.evaluate.shards import share, tell
from port.evaluate.state import State, stamp
from port.evaluate.summary import show, summarise
from port.files import sha256_file
from port.models.speed import taken
from port.models.table import facts_of
from port.processes import end_with_parent
from port.stream.network import NetworkProgress, Upscale

Load = Callable[[Namespace], Upscale]
Describe = Callable[[], dict]
MOST_DEVICES = 64


def run_evaluation(
    args: Namespace,
    load: Load,
    describe: Describe,
    module: str,
    recognise: Callable[[Path, str], str] = lambda path, model: model,
) -> int:
    """Score a data set and report on stdout. Returns the exit code; raises PortError.

    load       makes the network of `args` and returns it as a function on arrays
    describe   versions and device of the framework
    module     of the column, to start more processes of: `torch_ref.evaluate`
    recognise  (weights, name or "auto") -> the name of the network
    """
    end_with_parent()
    conditions = conditions_of(args)
    check_arguments(args)
    clips = choose_clips(args, conditions)
    check_save(args.save, clips)
    args.model = recognise(args.weights, args.model)
    conditions = of_network(conditions, args.model)
    if args.worker:
        for record in score(args, conditions, asked_for(args.worker, clips), load, describe):
            tell(record)
        return PASSED
    start, identity = time.perf_counter(), identify(args, conditions, describe())
    state = State(args.state, identity, args.fresh)
    left = [clip for clip in clips if not state.finished(clip, pictures_of(clip, conditions, args.save))]
    if len(left) < len(clips):
        console.note(f"{len(clips) - len(left)} of {len(clips)} clips are finished ({state.path}); --fresh starts anew")
    for record in every_record(args, conditions, left, load, describe, module):
        state.add(record)
    result = summarise(args, conditions, identity, [state.records[clip.name] for clip in clips])
    result["resumed"], result["wall_seconds"] = len(clips) - len(left), round(time.perf_counter() - start, 1)
    console.print_json(result) if args.json else show(result)
    return PASSED


def check_arguments(args: Namespace) -> None:
    """What can be said before any frame is looked at. Raises PortError."""
    if not args.weights.is_file():
        raise PortError(f"cannot read the weights {args.weights}: there is no such file.")
    if not 1 <= args.devices <= MOST_DEVICES:
        raise UsageError(f"--devices must be from 1 to {MOST_DEVICES}, found {args.devices}.")


def check_save(save: Path | None, clips: Sequence[ClipPair]) -> None:
    """Refuse to write over the data set itself."""
    if save and save.exists() and not save.is_dir():
        raise PortError(f"--save {save}: a folder is needed there, but it is a file.")
    for clip in clips if save else ():
        if (save / clip.name).resolve() in {path.parent.resolve() for path in (clip.lq[0], clip.gt[0])}:
            raise UsageError(f"--save {save} would write over the frames of clip {clip.name}. Name another folder.")


def identify(args: Namespace, conditions: Conditions, framework: dict) -> dict[str, object]:
    """What the numbers of a clip depend on beside its frames. Which clips are asked for is none of it."""
    ways = taken(args.fast, framework["framework"], args.device)
    about = {name: value for name, value in conditions.as_data().items() if name != "clips"}
    return {
        **about,
        "root": str(args.root.resolve()),
        "weights_sha256": sha256_file(args.weights),
        "framework": framework["framework"],
        "version": framework["version"],
        "device": args.device,
        "eager": args.eager,
        **({"fast": ways} if ways else {}),
    }


def asked_for(file: Path, clips: Sequence[ClipPair]) -> list[ClipPair]:
    """The clips that a worker was given, in that order."""
    by_name = {clip.name: clip for clip in clips}
    return [by_name[name] for name in json.loads(file.read_text(encoding="utf-8"))]


def every_record(
    args: Namespace, conditions: Conditions, clips: Sequence[ClipPair], load: Load, describe: Describe, module: str
) -> Iterator[dict]:
    """Records of all clips, made here or in processes of their own. The bar counts clips where others do the work."""
    if args.devices == 1 or len(clips) < 2:
        yield from score(args, conditions, clips, load, describe)
        return
    command = [sys.executable, "-m", module, *args.argv, *["--quiet"] * (not args.quiet)]
    with console.progress(args.quiet) as display:
        task = display.add_task(f"clips, {min(args.devices, len(clips))} processes", total=len(clips))
        for record in share(command, [clip.name for clip in clips], args.devices, args.device):
            display.advance(task)
            yield record


def score(
    args: Namespace, conditions: Conditions, clips: Sequence[ClipPair], load: Load, describe: Describe
) -> Iterator[dict]:
    """Records of the clips, one after the other, in this process."""
    if not clips:
        return
    note = console.note if not args.quiet else lambda message: None
    note("load ...")
    upscale, sizes = load(args), set()
    with console.progress(args.quiet) as display:
        total = sum(facts_of(args.model).steps_of(fed_frames(clip, conditions)) for clip in clips)
        steps = NetworkProgress(display, total)
        for clip in clips:
            steps.doing = clip.name
            before = stamp(clip)
            record = evaluate_clip(clip, conditions, upscale, steps, args.save)
            size = tuple(record["input_size"])
            record.update(
                first=size not in sizes,  # with whatever a framework does once: compiling, choosing kernels
                stamp=before,
                saved=[str(path.resolve()) for path in pictures_of(clip, conditions, args.save)],
                environment=describe(),
            )
            sizes.add(size)
            note(f"{clip.name}: {record['frames']} frames, {record['seconds']:.1f} s")
            yield record
