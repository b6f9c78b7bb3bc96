"""The clips to be scored, looked over before anything long begins."""

from argparse import Namespace
from collections.abc import Sequence

from port import console
from port.data.check import Problem, Thoroughness, check_clip, missing_clips
from port.data.clips import ClipFolders, ClipPair, pair_frames, shortened
from port.data.sets import expected_clips, find_clips, set_facts
from port.errors import PortError, UsageError
from port.evaluate.clip import taken
from port.evaluate.conditions import Conditions

SHOWN = 5  # problems, before the rest is only counted


def choose_clips(args: Namespace, conditions: Conditions) -> list[ClipPair]:
    """Every clip with the frames that are to be read. Raises PortError where one is missing, wrong in size or without truth."""
    if args.dataset == "folder" and args.gt is None:
        raise UsageError("without ground truth there is nothing to score against: name its folder by --gt.")
    named = None if args.dataset == "folder" else args.degradation
    folders = _chosen(args, find_clips(args.dataset, args.root, degradation=named, gt=args.gt))
    least = set_facts(args.dataset).frames
    look = Thoroughness(least if conditions.max_frames is None else None, fast=True)
    problems = []
    with console.progress(args.quiet) as display:
        for folder in display.track(folders, description="look over the clips"):
            problems += check_clip(look, folder)[0]
    _refuse(args.dataset, problems)
    clips = [taken(pair_frames(folder), conditions) for folder in folders]
    for clip in clips:
        if conditions.max_frames and least and len(clip.lq) < min(conditions.max_frames, least):
            raise PortError(
                f"clip {clip.name} has {len(clip.lq)} frames, --max-frames asks for {conditions.max_frames}."
            )
    return clips


def _chosen(args: Namespace, folders: Sequence[ClipFolders]) -> list[ClipFolders]:
    """Those asked for by name, or else all, which must be all of the published set and no others."""
    there = {folder.name: folder for folder in folders}
    if args.clips:
        if unknown := [name for name in args.clips if name not in there]:
            raise UsageError(f"--clips: {shortened(unknown)} not in {args.root}, which has {shortened(list(there))}.")
        return [there[name] for name in args.clips]
    problems = list(missing_clips(args.dataset, None, folders))
    expected = expected_clips(args.dataset) or there
    problems += [
        Problem(name, "stranger", f"is none of the clips of {args.dataset}") for name in there if name not in expected
    ]
    _refuse(args.dataset, problems, " A part of it can be scored by --clips, which the result says.")
    return list(folders)


def _refuse(dataset: str, problems: Sequence[Problem], advice: str = "") -> None:
    """Raise PortError if there is anything wrong: a mean over what is left would be a number of its own."""
    if problems:
        lines = [f"{f'clip {problem.clip}: ' if problem.clip else ''}{problem.text}" for problem in problems[:SHOWN]]
        more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise PortError(f"{dataset} is not complete: {'; '.join(lines)}{more}. Nothing was scored.{advice}")
