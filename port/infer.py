"""Super-resolve a clip: everything that is the same on both sides, from the command line to the files written.

The two columns only say how a network is loaded: `torch_ref/infer.py` and `ms_model/infer.py`. Frames are read, enlarged and
kept window by window (`port/stream/`), so that memory does not grow with the clip and an interrupted run can go on.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from port import console
from port.errors import PortError
from port.files import sha256_file
from port.models.table import OPTIONS, own_options
from port.models.vsr import SCALE
from port.parity.memory import peak_bytes
from port.stream.arguments import infer_arguments
from port.stream.enlarge import enlarge
from port.stream.finish import finish_job
from port.stream.job import Job
from port.stream.network import Upscale
from port.stream.run import Run, check_free, choose_cut, identity, open_run
from port.stream.summary import report
from port.stream.windows import Window
from port.video.write import check_target

__all__ = ["infer_arguments", "run_inference"]


def run_inference(
    args: argparse.Namespace,
    load: Callable[[argparse.Namespace], Upscale],
    describe: Callable[[], dict],
    recognise: Callable[[Path, str], str] = lambda path, model: model,
) -> int:
    """Read, load, upscale, write, and report on stdout. Returns the exit code; raises PortError.

    load       makes the network of `args` and returns it as a function on arrays
    describe   versions and device of the framework
    recognise  (weights, name or "auto") -> the name of the network
    """
    kind = check_target(args.output, args.input)
    check_free(args, kind)
    if not args.weights.is_file():
        raise PortError(f"cannot read the weights {args.weights}: there is no such file.")
    args.model = recognise(args.weights, args.model)
    own_options(args.model, {name: getattr(args, name) for name in OPTIONS})
    run = open_run(args, kind)
    run.framework = describe()["framework"]
    job = Job(args.output, kind, identity(run), args.overwrite)
    choose_cut(run, job)
    with console.progress(args.quiet) as display, job.keeping():
        windows = enlarge(run, job, load, display)
        run.note("write ...")
        with run.stage("write"):
            finish_job(run, job, windows)
    report(summarise(run, windows, describe()), args.json)
    return 0


def summarise(run: Run, windows: Sequence[Window], environment: dict) -> dict:
    """The result as data. Sizes are [width, height], memory in bytes; seconds_per_frame counts the network alone."""
    args, choice, (h, w) = run.args, run.choice, run.size
    return {
        "frames": windows[-1].keep_to,
        "input_size": [w, h],
        "output_size": [SCALE * w, SCALE * h],
        "windows": len(windows),
        "window": max(window.end - window.start for window in windows),
        "overlap": choice.overlap if len(windows) > 1 else 0,
        "tile": list(choice.tile) if choice.tile else None,
        "tile_overlap": choice.tile_overlap if choice.tile else 0,
        "resumed": run.resumed,
        "seconds": {name: round(value, 3) for name, value in run.seconds.items()},
        "seconds_per_frame": round(run.seconds["network"] / run.computed, 4) if run.computed else None,
        "peak_memory": peak_bytes(),
        "peak_memory_after": {str(frames): peak for frames, peak in run.memory},
        "estimated_memory": None if run.estimated is None else round(run.estimated),
        "dtype": args.dtype,
        "device": args.device,
        "environment": environment,
        "weights": str(args.weights),
        "weights_sha256": sha256_file(args.weights),
        "output": str(args.output),
    }
