"""A checkpoint from one framework to the other for any pair of networks: the map, the file, the proof, a summary."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from port.console import note, progress
from port.convert.find import find_map
from port.convert.header import INDEX
from port.convert.plan import KEEP, Plan, make_plan
from port.convert.settle import Settled
from port.convert.source import FileSource, MemorySource
from port.convert.stream import array_of, check_tied
from port.convert.table import print_map, print_summary
from port.convert.target import write_target
from port.errors import PARITY_FAILED, PASSED, PortError, UsageError
from port.files import whole_file, write_json
from port.weights.convert import MS_SUFFIX, TORCH_SUFFIX, Format
from port.weights.halves import BF16, widen
from port.weights.map_file import read_map, write_map
from port.weights.mapping import WeightMap
from port.weights.tensors_file import SUFFIX

SHARD_GB = 5.0
MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Job:
    """What the command line asks for. format_of: suffix -> the module that reads and writes such files"""

    source: Path | None
    target: Path | None
    pair: Path | None
    map: Path | None
    dtype: str
    shard_gb: float
    params: str | None
    json: Path | None
    quiet: bool
    format_of: Callable[[Path], Format]


def convert_pair(job: Job) -> int:
    """-> 0 converted, 1 the map is undetermined or the port differs (nothing is converted, --map gets what was found)"""
    found, settled = obtain_map(job)
    if settled:
        if job.map:
            write_map(job.map, found)
        print_map(found, settled)
    if found.undetermined or (settled and not settled.equal):
        where = f" It is in {job.map}." if job.map else " Write it by --map map.toml."
        for title in found.undetermined:
            note(f"undetermined: {title}")
        why = (
            "is undetermined"
            if found.undetermined
            else "is not proved: the port does not compute what the reference does"
        )
        note(
            f"not converted: the map {why}.{where} Look at it, mend it, empty `undetermined` in it and give it to --map; "
            "`python -m port verify --pair` says where a port differs."
        )
        return PARITY_FAILED
    if job.source is None:
        return PASSED
    convert_file(job, found)
    return PASSED


def obtain_map(job: Job) -> tuple[WeightMap, Settled | None]:
    """The map of the file that --map names, if it is there; or else found by running the pair."""
    if job.map and job.map.is_file():
        return read_map(job.map), None
    if job.pair is None:
        raise UsageError(f"there is no map {job.map}, and no --pair to make it from.")
    settled = find_map(job.pair, job.quiet)
    return settled.map, settled


def convert_file(job: Job, found: WeightMap) -> None:
    """Write the target and prove it. Raises PortError."""
    source = open_source(job.source, job.format_of)
    try:
        plan = make_plan(job.source, source.tensors, found, job.dtype, job.params)
        target = check_direction(job, plan)
        check_tied(plan, source)
        if target.name.endswith((SUFFIX, INDEX)):
            nbytes = sum(output.nbytes for output in plan.outputs)
            with progress(job.quiet) as display:
                task = display.add_task("write, read back (MB)", total=2 * nbytes // MEGABYTE)
                advance = lambda done: display.advance(task, done / MEGABYTE)  # noqa: E731
                written = write_target(target, plan, source, source.state(), int(job.shard_gb * 1e9), advance)
            resumed = written.resumed
        else:
            write_whole(target, plan, source, job.format_of(target))
            resumed = 0
    finally:
        source.close()
    summary = summarise(job, target, plan, resumed)
    if job.json:
        write_json(job.json, summary)
    print_summary(summary)


def open_source(path: Path, format_of: Callable[[Path], Format]) -> FileSource | MemorySource:
    """Safetensors are read a piece at a time, the others whole."""
    if path.name.endswith((SUFFIX, INDEX)):
        return FileSource(path)
    return MemorySource(path, format_of(path).load(path))


def check_direction(job: Job, plan: Plan) -> Path:
    """The target. A .pth has the reference's names, a .ckpt the port's; the two others take either. Raises UsageError."""
    default = MS_SUFFIX if plan.to_port else TORCH_SUFFIX
    target = job.target or job.source.with_name(
        job.source.name.removesuffix(INDEX).removesuffix(job.source.suffix) + default
    )
    if job.target is None and target.exists() and default == TORCH_SUFFIX:
        raise PortError(
            f"{target} exists and may be the original. Name the target with -o (the same name overwrites it)."
        )
    wrong = TORCH_SUFFIX if plan.to_port else MS_SUFFIX
    side, other = ("the reference's", "the port's") if plan.to_port else ("the port's", "the reference's")
    if target.suffix == wrong:
        raise UsageError(
            f"{job.source} has {side} names, so {other} are written, which no {wrong} file has. Name another with -o."
        )
    if target.exists() and target.samefile(job.source):
        raise UsageError(f"{target} is the source itself. Name another file with -o.")
    return target


def write_whole(target: Path, plan: Plan, source: FileSource | MemorySource, writer: Format) -> None:
    """A .pth or .ckpt: written, read back and compared byte by byte before it gets its name. Raises PortError."""
    arrays = {output.name: array_of(output, source) for output in plan.outputs}
    with whole_file(target) as draft:
        writer.write(draft, arrays)
        back = writer.load(draft)
        read = {name.removeprefix("state_dict."): array for name, array in back.tensors.items()}
        for name, array in arrays.items():
            expected = widen(array) if array.dtype == BF16 else array
            held = read.get(name)
            if held is None or held.dtype != expected.dtype or held.tobytes() != expected.tobytes():
                raise PortError(
                    f"{target} was not written: read back, tensor {name!r} differs. The source is unharmed."
                )


def summarise(job: Job, target: Path, plan: Plan, resumed: int) -> dict[str, Any]:
    """What was done, as data."""
    return {
        "schema": 1,
        "bit_equal": job.dtype == KEEP,
        "source": str(job.source),
        "target": str(target),
        "direction": "torch to MindSpore" if plan.to_port else "MindSpore to torch",
        "tensors": len(plan.outputs),
        "bytes": sum(output.nbytes for output in plan.outputs),
        "moved": sum(output.transposed or len(output.pieces) > 1 for output in plan.outputs),
        "cast": sum(output.cast is not None for output in plan.outputs),
        "dtype": job.dtype,
        "resumed": resumed,
        "left_out": [[entry.what, entry.tensors, entry.reason] for entry in plan.dropped],
        "notes": plan.notes,
    }
