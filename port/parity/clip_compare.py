"""The traces of a clip stage by stage, and the root causes that follow. Needs neither framework."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from port.errors import PortError
from port.models.table import NETWORKS
from port.parity import tolerance
from port.parity.capture import WEIGHTS_FILE, frames_sha256
from port.parity.causes import Cause, explain, find_causes
from port.parity.compare import Stage, compare_accumulated, compare_compiled, compare_modules, count_free_decisions
from port.parity.pair_compare import compare_weights
from port.parity.trace import Trace
from port.weights import tensors_file

MODULES, TRUTHS = "modules", ("float64", "forced64")


@dataclass
class Compared:
    """Stages by name, root causes, and the traces by pass."""

    stages: dict[str, Stage]
    causes: list[Cause]
    traces: dict[str, Trace]


def compare_clip(job) -> Compared:
    """All stages that compare sites, from the traces in the work folder of a `verify.Job`."""
    traces = clip_traces(job.work)
    check_identity(job, traces)
    sources, limits = NETWORKS[job.model].VALUE_SOURCES, tolerance.load()
    reference, truth, exact = (traces[name] for name in ("reference", *TRUTHS))
    stages = {
        "weights": compare_weights(traces["reference"].folder, traces["forced"].folder),
        MODULES: compare_modules(reference, truth, exact, traces["forced"], limits, sources),
        "accumulated": compare_accumulated(reference, truth, traces["imposed"], limits, sources),
        "compiled": compare_compiled(reference, truth, traces["imposed"], traces["compiled"], limits, sources),
        "free": count_free_decisions(reference, truth, traces["free"], limits, sources),
    }
    return Compared(stages, clip_causes(stages, traces), traces)


def clip_traces(work: Path) -> dict[str, Trace]:
    """Every pass by its name. Raises PortError if the reference broke off: there is nothing to go by."""
    traces = {name: Trace(work / "reference" / name) for name in ("reference", *TRUTHS)}
    for trace in traces.values():
        if trace.about["error"]:
            raise PortError(f"the reference did not run through: {trace.about['error']}")
    traces |= {name: Trace(work / "port" / name) for name in ("forced", "free", "compiled")}
    alike = decides_alike(traces["reference"], traces["free"])
    imposed = work / "port" / "imposed"
    traces["imposed"] = traces["free"] if alike and not imposed.exists() else Trace(imposed)
    return traces


def decides_alike(reference: Trace, free: Trace) -> bool:
    """Whether a run that nothing was imposed on went along the reference's decisions, to the last choice."""
    decisions = [site for site in reference.sites.values() if site.kind == "decision"]
    same = (site.name in free.sites and free.sites[site.name].hash == site.hash for site in decisions)
    return free.about["error"] is None and all(same)


def check_identity(job, traces: Mapping[str, Trace]) -> None:
    """Refuse traces of another input, or of ports with different weights. Raises PortError naming the folder."""
    expected, port = frames_sha256(job.frames), traces["forced"]
    for trace in traces.values():
        if trace.about["input_sha256"] != expected:
            raise PortError(f"the trace in {trace.folder} was made from other frames than {job.input_name}.")
        if trace.about["options"] != traces["reference"].about["options"]:
            raise PortError(f"the trace in {trace.folder} was made with other strides than the reference's.")
    if any(traces[name].about["weights"] != port.about["weights"] for name in ("imposed", "compiled", "free")):
        raise PortError(f"the runs of the port in {port.folder.parent} hold different weights. Capture them again.")


def clip_causes(stages: Mapping[str, Stage], traces: Mapping[str, Trace]) -> list[Cause]:
    """Who is wrong on right inputs, with a diagnosis."""
    causes = find_causes({name: stages[name] for name in ("weights", MODULES)})
    weights = tuple(
        tensors_file.load(traces[name].folder / WEIGHTS_FILE).tensors for name in ("reference", "forced")
    )
    sides = (dict.fromkeys(("forward", MODULES), traces[which]) for which in ("reference", "forced", "forced64"))
    reference, port, truth = sides
    for cause in causes:
        explain(cause, reference, port, truth, weights)
    return causes
