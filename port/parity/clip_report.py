"""report.json of a clip: the verdict is the worst of all stages."""

import time
from collections.abc import Sequence

from port.files import sha256_file
from port.models.speed import MODES, TOGETHER, taken
from port.models.table import NETWORKS
from port.parity import tolerance
from port.parity.causes import Cause
from port.parity.clip_compare import Compared
from port.parity.compare import Stage, coverage, series, stage_coverage
from port.parity.end_to_end import compare_frames
from port.parity.measure import Row
from port.parity.pair_verify import Compared as PairCompared
from port.parity.trace import Trace

SCHEMA = 2
LISTED = 50


PATCH = {"forward": "forward on the patch", "accumulated": "accumulated on the patch"}  # names beside those of the clip


def make_report(job, compared: Compared, patch: PairCompared | None = None) -> dict[str, object]:
    """Everything that was found out about a `verify.Job`, as report.json has it.

    patch  backward and training, where they were compared
    """
    stages = compared.stages | patch_stages(patch)
    causes = [*compared.causes, *new_causes(compared, patch)]
    summaries = {
        "weights": weights_summary(stages["weights"]),
        "modules": stages["modules"].summary(lambda row: row.ratio),
        "accumulated": stages["accumulated"].summary(lambda row: row.ratio),
        "compiled": stages["compiled"].summary(lambda row: row.ratio),
        "end_to_end": end_to_end(job, compared),
    }
    summaries |= {name: stage.summary(lambda row: row.ratio) for name, stage in patch_stages(patch).items()}
    return {
        "schema": SCHEMA,
        "verdict": "pass" if all(stage["verdict"] == "pass" for stage in summaries.values()) else "fail",
        "model": job.model,
        "weights": {"file": job.weights.name, "sha256": sha256_file(job.weights)},
        "input": about_input(job),
        "environment": {name: backend(compared.traces[which]) for name, which in SIDES.items()},
        "coverage": {
            **coverage(stages["modules"], stages["accumulated"]),
            "stages": {name: stage_coverage(stages[name]) for name in summaries if name in stages},
        },
        "not_compared": not_compared(job) + never_run(compared.traces["reference"]),
        "stages": summaries,
        "root_causes": [cause.as_dict() for cause in causes],
        "decisions": summaries["end_to_end"]["decisions"],
        "first_divergence": first_divergence(compared, causes),
        "seconds": {name: round(value, 1) for name, value in job.seconds.items()},
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


SIDES = {"reference": "reference", "port": "forced"}


def weights_summary(stage) -> dict[str, object]:
    """Tensors bit for bit; those that differ by name."""
    differing = [{"name": row.site, "reason": row.reason} for row in stage.failing]
    counts = {"tensors": len(stage.rows), "bit_equal": sum(row.identical for row in stage.rows)}
    lists = {"differing": differing[:LISTED], "differing_total": len(differing)}
    return stage.summary(lambda row: row.max_abs) | counts | lists


def end_to_end(job, compared: Compared) -> dict[str, object]:
    """The frames that came out, and the choices of the run that nothing was imposed on."""
    outputs = [compared.traces[name].output() for name in ("reference", "imposed", "free")]
    result, free = compare_frames(*outputs, job.truth, tolerance.load()), compared.stages["free"]
    result["decisions"] = [count.as_dict() for count in free.decisions.values()]
    if free.failing or free.broke_off:
        result["verdict"] = "fail"
        why = free.broke_off or "decisions are missing or of another shape"
        result["reasons"].append(f"the free run: {why}")
    return result


def clip_stages(compared: Compared, patch: PairCompared | None) -> dict[str, Stage]:
    """Every stage that compares sites and is judged."""
    return {name: stage for name, stage in compared.stages.items() if name != "free"} | patch_stages(patch)


def patch_stages(patch: PairCompared | None) -> dict[str, Stage]:
    """What was compared on the patch, weights aside: those of the clip are the same."""
    found = patch.stages.items() if patch else ()
    return {PATCH.get(name, name): stage for name, stage in found if name != "weights"}


def new_causes(compared: Compared, patch: PairCompared | None) -> list[Cause]:
    """Root causes that the clip does not show: gradients and updates."""
    known = {cause.module for cause in compared.causes}
    return [cause for cause in (patch.causes if patch else ()) if cause.module not in known]


def first_divergence(compared: Compared, causes: Sequence[Cause]) -> dict[str, object] | None:
    """The first root cause; where no single site is to blame, the earliest that errs too much along the network."""
    if causes:
        cause = causes[0]
        return {**cause.first.as_dict(), **cause.as_dict()}
    failing: list[Row] = compared.stages["accumulated"].failing
    return {"stage": "accumulated", **failing[0].as_dict()} if failing else None


def not_compared(job) -> list[str]:
    """What this verification says nothing about, in words."""
    missing = [] if job.training_steps else ["gradients and training (--stages all)"]
    missing += ["devices other than the one named in the environment"]
    missing.append("data types other than float32 (float64 for what is true)")
    missing += NETWORKS[job.model].NOT_COMPARED
    if TOGETHER in taken(job.fast, "mindspore", job.device) and job.model in MODES[TOGETHER].networks:
        missing.append("both directions as one batch, which infer takes there: its steps are others (docs/speed-modes.md)")
    if job.truth is None:
        missing.append("scores against ground truth: none was given (--truth)")
    return missing


def never_run(reference: Trace) -> list[str]:
    """Modules with weights that this clip never runs (a single frame has no flow and no attention)."""
    called = {name.partition("/")[2].partition(":")[0] for name in reference.sites if ":" in name}
    owners = {name.rpartition(".")[0] for name in reference.about["weights"]}
    idle = sorted(owner for owner in owners - called if not any(name.startswith(f"{owner}.") for name in called))
    return [f"modules that this clip never runs: {', '.join(idle)}"] if idle else []


def about_input(job) -> dict[str, object]:
    """Name and size of the clip."""
    t, _, h, w = job.frames.shape
    return {"name": job.input_name, "frames": t, "height": h, "width": w, "truth": job.truth_name}


def backend(trace: Trace) -> dict[str, object]:
    """Framework, version, device, interpreter and machine of one side."""
    kept = ("python", "platform", "processor", "numpy")
    return {**trace.about["backend"], **{key: trace.about["environment"][key] for key in kept}}


def series_of(compared: Compared) -> list[dict[str, object]]:
    """One entry per site in execution order, for charts and tables."""
    return series(compared.stages["modules"], compared.stages["accumulated"])
