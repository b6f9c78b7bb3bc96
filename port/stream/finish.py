"""From finished windows to the files the user asked for."""

from collections.abc import Sequence
from itertools import islice

from port.console import warn
from port.errors import UsageError
from port.stream.assemble import assemble, frame_at, frames_of
from port.stream.compare import PICTURE, all_beside, beside
from port.stream.job import Job
from port.stream.run import Run
from port.stream.windows import Window
from port.video.encode import Format, write_movie
from port.video.pictures import write_picture
from port.video.read import open_source


def finish_job(run: Run, job: Job, windows: Sequence[Window]) -> None:
    """Put the pieces together, and the comparison if one is wanted; then they are not needed any more."""
    count = windows[-1].keep_to
    names = [run.source.name(index) for index in range(count)]
    if run.args.compare is not None:
        write_comparison(run, job, windows, count)
    assemble(job, windows, names, movie_format(run, count) if run.kind == "video" else None)  # last: then all is done
    job.remove()


def movie_format(run: Run, count: int, with_sound: bool = True) -> Format:
    """How the video of `count` frames is written: times, colours and sound are the input's unless --fps changes the pace."""
    source = run.source
    if not source.is_movie:
        return Format(run.fps)
    if run.args.fps is not None and (run.fps != source.fps or not source.is_even()):
        if with_sound:
            warn(f"the sound is left out: at {float(run.fps):.3f} frames per second it no longer fits the picture")
        return Format(run.fps, source.colour)
    times = source.times if len(source.times) == count and not source.is_even() else None
    cut_off = run.args.max_frames == count and source.times
    length = source.times[-1] + 1 / run.fps if cut_off else None
    return Format(run.fps, source.colour, times, source.time_base, source.path if with_sound else None, length)


def write_comparison(run: Run, job: Job, windows: Sequence[Window], count: int) -> None:
    """Bicubic enlargement and result side by side, as one picture or as a video of the same length."""
    args = run.args
    frames = open_source(args.input, count).frames
    if args.compare.suffix.lower() != PICTURE:
        return write_movie(args.compare, all_beside(frames, frames_of(job, windows)), movie_format(run, count, False))
    index = count // 2 if args.compare_frame is None else args.compare_frame
    if index >= count:
        raise UsageError(f"--compare-frame {index}: the clip has {count} frames, the last is {count - 1}.")
    write_picture(args.compare, beside(next(islice(frames, index, None)), frame_at(job, windows, index)))
