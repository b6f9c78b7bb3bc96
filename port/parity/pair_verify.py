"""Verify a pair: capture both halves in processes of their own, compare all stages, name the root causes."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType

from port.errors import COULD_NOT_RUN, PortError
from port.parity import selection as part
from port.parity import tolerance
from port.parity.amplified import (
    gradients_told_from_bugs,
    norms_told_from_bugs,
    series_told_from_bugs,
    told_from_bugs,
)
from port.parity.causes import Cause, explain, find_causes, of_the_optimizer
from port.parity.compare import Stage, stage_coverage
from port.parity.compiled_causes import compiled_causes, compiled_differs
from port.parity.kernel_gaps import as_the_kernel, gaps_of, judge_gaps, name_gaps, reached_by_gaps
from port.parity.modes import COMPILED, FREE, add_modes
from port.parity.pair_capture import FINISHED, Types
from port.parity.pair_compare import (
    compare_sites,
    compare_updates,
    compare_weights,
    find_cuts,
    is_backward,
    is_forward,
)
from port.parity.pair_decisions import Sources
from port.parity.selection import EVERYTHING, Selection
from port.parity.trace import Trace
from port.weights import tensors_file

ROOT = Path(__file__).resolve().parents[2]
REFERENCE_PASSES = (
    "reference",
    "float64",
    "forced64",
    "cast",
    "forcedcast",
    "noisy",
    "training",
    "training64",
    "updates64",
    "tiny",
    "tiny64",
)
PORT_PASSES = ("imposed", "forced", "free", "training", "updates", "tiny", "compiled")  # a compiler may take all down
ON_DEMAND = ("alone",)  # of the port, when its compiled run is wrong and nothing else says where
SIDES = {"torch": ("torch_ref", REFERENCE_PASSES), "ms": ("ms_model", PORT_PASSES)}
CAST = {"cast", "forcedcast"}  # what a port in half precision is held against; made only for such a one
SCHEMA = 2
ALL_STAGES = ("weights", "forward", "backward", "accumulated", "training", "accumulated training", FREE, COMPILED)
ACCUMULATED = "accumulated"  # judged along the whole network: says that something is wrong, not where


@dataclass
class Compared:
    """All stages of one verification and what follows from them."""

    stages: dict[str, Stage]
    causes: list[Cause]
    notes: list[str] = field(default_factory=list)
    kernel_gaps: list[dict[str, object]] = field(default_factory=list)  # what passed because a kernel is known to err
    selection: Selection = EVERYTHING
    ask_alone: bool = False  # the pass "alone" would tell where the compiled run goes wrong

    @property
    def judged(self) -> dict[str, Stage]:
        """The stages that the verdict rests on."""
        return part.judged(self.selection, self.stages)

    @property
    def passed(self) -> bool:
        return bool(self.judged) and not self.causes and all(stage.passed for stage in self.judged.values())


def capture_side(
    side: str, pair: Path, out: Path, reference: Path, weights: Path | None = None, quiet: bool = False,
    dtype: str = "float32", port_dtype: str | None = None, selection: Selection = EVERYTHING, trace_limit: float = 8.0,
) -> None:  # fmt: skip
    """Run one half in a process of its own. Raises PortError where it could not run at all.

    side       "torch" or "ms"
    reference  folder of the reference's traces; those of the torch side are put there themselves
    weights    of the torch side; the port takes those that the reference left in its traces
    dtype      element type of both networks, port_dtype of the port if another; the port reads them in the reference's traces
    selection  of the passes only those are run that it needs
    trace_limit  GB that one trace may take
    """
    passes = SIDES[side][1]
    needed = set(selection.passes(side, passes)) | (CAST if port_dtype not in (None, dtype) else set())
    types = ["--dtype", dtype, "--port-dtype", port_dtype or dtype] if side == "torch" else []
    for name in (*passes, *ON_DEMAND):  # an old trace must never be taken for a new one
        shutil.rmtree(out / name, ignore_errors=True)
    chosen = [name for name in passes if name in needed]
    capture_passes(side, chosen, pair, out, reference, weights, [*types, "--trace-limit", str(trace_limit)], quiet)


def capture_alone(pair: Path, out: Path, reference: Path, quiet: bool = False) -> None:
    """Compile every module of the port by itself, beside the traces that `capture_side` has left in `out`."""
    capture_passes("ms", ON_DEMAND, pair, out, reference, quiet=quiet, env={"GLOG_v": "3"})  # one warning a compilation


def capture_passes(
    side: str, passes: Sequence[str], pair: Path, out: Path, reference: Path, weights: Path | None = None,
    more: Sequence[str] = (), quiet: bool = False, env: Mapping[str, str] = MappingProxyType({}),
) -> None:  # fmt: skip
    """Run these passes of one half in a process of its own."""
    if side == "ms":
        weights = reference / "reference" / "weights.safetensors"
    (out / FINISHED).unlink(missing_ok=True)
    command = [sys.executable, "-m", f"{SIDES[side][0]}.capture_pair", str(pair), "--out", str(out)]
    command += ["--passes", ",".join(passes), "--reference", str(reference)]
    command += ["--weights", str(weights)] if weights else []
    run([*command, *more] + ["--quiet"] * quiet, env)


def run(command: Sequence[str], env: Mapping[str, str] = MappingProxyType({})) -> None:
    """Start a process; runs that broke off (3, with all traces written) are for the comparison to report."""
    done = subprocess.run(command, stdout=subprocess.DEVNULL, env={**surroundings(), **env})
    out = Path(command[command.index("--out") + 1])
    broke_off = done.returncode == COULD_NOT_RUN and (out / FINISHED).exists()
    # by a signal, in a kernel; a reference that is killed has nothing to be compared with
    killed = done.returncode < 0 and command[2].startswith("ms_model") and any(out.glob("*/trace.json"))
    if done.returncode and not (broke_off or killed):
        raise PortError(f"{command[2]} ended with exit code {done.returncode}; its message stands above.")


# What malloc (of glibc; others do not look) keeps of freed memory. Left to itself it returns tensors of some megabytes to the
# system at once, and every new one costs a page fault for each 4 KiB, several times what hashing it costs.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(128 << 20), "MALLOC_TRIM_THRESHOLD_": str(512 << 20)}


def surroundings() -> dict[str, str]:
    """The environment of a capture: it finds the columns wherever it is started, idle threads do not spin, freed memory is used
    again, and MindSpore leaves the graphs that it could not compile in the temporary folder, not where the user stands."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    own = {"OMP_WAIT_POLICY": "passive", "MS_OM_PATH": tempfile.gettempdir(), **KEEP_MEMORY}
    return {**own, **os.environ, "PYTHONPATH": path}


def traces_in(folder: Path) -> dict[str, Trace]:
    """All traces of one side, by pass."""
    return {path.parent.name: Trace(path.parent) for path in folder.glob("*/trace.json")}


def compare_folders(
    reference: Path, port: Path, own_training: bool = True, held: Mapping[str, Trace] | None = None,
    selection: Selection = EVERYTHING,
) -> Compared:  # fmt: skip
    """Compare the traces of two sides, made here or elsewhere. Needs no framework.

    own_training  False: the port was never left to itself: trained only along the reference's gradients, neither compiled
                   nor free to choose
    held          the reference's traces, where they have been read already
    selection     what of it is judged
    """
    limits = tolerance.load()
    for folder in (reference, port):
        if not folder.is_dir():
            raise PortError(f"there is no folder {folder}. Name the two folders that `port capture` wrote.")
    ours, theirs = held or traces_in(reference), traces_in(port)
    for name in selection.passes("torch", ("reference", "float64", "forced64")):
        if name not in ours:
            raise PortError(f"{reference} holds no trace of the pass {name!r}. Capture the reference again.")
        if ours[name].about["error"]:
            raise PortError(f"the reference did not run through ({name}): {ours[name].about['error']}.")
    for trace in theirs.values():
        trace.held = ours["reference"]
    if missing := [name for name in selection.passes("ms", ("forced", "imposed")) if name not in theirs]:
        raise PortError(f"{port} holds no trace of the pass {missing[0]!r}. Capture the port again.")
    wanted, found = ours["reference"].about.get("types", {}).get("port"), theirs["forced"].about.get("dtype")
    if wanted != found:
        raise PortError(f"{port} was captured in {found}, {reference} for a port in {wanted}. Capture the port again.")
    part.check_names(selection, ours["reference"])
    stages, traces, notes, known = compare_stages(ours, theirs, limits, reference, port, own_training, selection)
    stages = part.apply(selection, stages, ours["reference"], theirs["forced"])
    causes = find_causes({name: stage for name, stage in stages.items() if not name.startswith(ACCUMULATED)})
    weights = tuple(
        tensors_file.load(folder / "weights.safetensors").tensors
        for folder in (reference / "reference", port / "forced")
    )
    ask_alone = compiled_differs(stages, ours, theirs, limits) and "alone" not in theirs
    if COMPILED in stages and not stages[COMPILED].passed:
        causes += compiled_causes(stages[COMPILED], causes, ours, theirs, traces, limits)
    for cause in causes:
        explain(cause, *traces, weights)
    if "forced64" in ours:
        name_gaps(causes, ours, theirs, limits)
    return Compared(stages, of_the_optimizer(causes), notes, known, selection, ask_alone)


def compare_stages(
    ours, theirs, limits, reference: Path, port: Path, own_training: bool, selection: Selection = EVERYTHING
):
    """-> stages by name; the traces (reference, port, truth) that each of the judged-on-right-inputs stages compared; notes;
    kernel gaps"""
    # a port in another type is held against the reference cast to it: fed with the reference's values, and along the network
    first, alone = ours.get("forcedcast", ours["reference"]), ours.get("cast", ours["reference"])
    forced, exact = theirs["forced"], ours.get("forced64")
    ignore = {**first.about["ignore"], **forced.about["ignore"]}
    declared = first.about.get("decisions")
    stages, known, of_kernel = {"weights": compare_weights(reference / "reference", port / "forced")}, [], no_gap
    traces = ({"forward": first, "backward": first}, {"forward": forced, "backward": forced},
              {"forward": exact, "backward": exact})  # fmt: skip
    if exact:
        stages["forward"] = compare_sites(
            "forward", first, forced, exact, limits, ignore, is_forward, sources=Sources(first, declared), same_values=True
        )
        stages["backward"] = compare_sites("backward", first, forced, exact, limits, ignore, is_backward)
        stages["backward"].cuts = find_cuts(first, forced)
        gaps = gaps_of(ours, theirs)
        of_kernel, known = partial(as_the_kernel, gaps), judge_gaps(gaps, stages, ours, theirs, limits)
    if selection.wants(ACCUMULATED):
        imposed, free64, sources = theirs["imposed"], ours["float64"], Sources(alone, declared)
        stages[ACCUMULATED] = compare_sites(ACCUMULATED, alone, imposed, free64, limits, ignore, sources=sources)
        if "noisy" in ours:
            told_from_bugs(stages[ACCUMULATED], stages, imposed, free64, ours["noisy"], alone, limits, of_kernel)
    if "training" in ours:
        add_training(stages, traces, ours, theirs, limits, own_training, selection)
        if known and "noisy" in ours:
            reached_by_gaps(stages, ours, theirs, limits)
    left_alone = own_training and any(selection.wants(name) for name in (FREE, COMPILED))
    notes = add_modes(stages, {**ours, "reference": alone}, theirs, limits, of_kernel) if left_alone else []
    if (types := Types(**ours["reference"].about.get("types", {}))) != Types():
        notes.append(f"training: not compared, the networks ran in {types.reference} (reference) and {types.port} (port)")
    return stages, traces, notes, known


def no_gap(site: str) -> None:
    """What a known kernel may add at a site, where none was looked for."""


def add_training(stages, traces, ours, theirs, limits, own: bool, selection: Selection = EVERYTHING) -> None:
    """Optimiser steps: fed with the reference's parameters and gradients, the same with tiny gradients, and left alone."""
    own, fed = own and selection.wants(f"{ACCUMULATED} training"), selection.wants("training")
    if missing := [name for name in ("training",) * own + ("updates", "tiny") * fed if name not in theirs]:
        why = f"the port left no trace of the pass {missing[0]!r} though the reference was trained"
        stages["training"] = Stage("training", "complete", broke_off=why)
        return
    if fed:
        add_fed_training(stages, traces, ours, theirs, limits)
    if own:
        start = ours["training"]
        stages[f"{ACCUMULATED} training"] = compare_updates(
            "accumulated training", start, theirs["training"], ours["training64"], limits, {"loss", "grad_norm", "lr"},
            start, given=False,
        )  # fmt: skip
        if "noisy" in ours:
            noise, alone = (ours["noisy"], ours["float64"]), stages[f"{ACCUMULATED} training"]
            norms_told_from_bugs(alone, theirs["training"], ours["training64"], noise, limits)
        series_told_from_bugs(
            stages[f"{ACCUMULATED} training"], start, theirs["training"], ours["training64"], limits
        )


def add_fed_training(stages, traces, ours, theirs, limits) -> None:
    """Steps from the reference's parameters along its gradients, and, where those are right, along tiny ones."""
    start = ours["training"]
    kinds = {"loss", "gradient", "grad_norm", "lr", "update", "buffer"}
    given = compare_updates("training", start, theirs["updates"], ours["updates64"], limits, kinds, start)
    tiny = compare_updates("tiny gradients", ours["tiny"], theirs["tiny"], ours["tiny64"], limits, {"update"}, start)
    chosen = ("training", "updates", "updates64")
    if tiny.failing and not given.failing:
        given.rows += tiny.rows
        chosen = ("tiny", "tiny", "tiny64")
    given.broke_off = given.broke_off or tiny.broke_off
    if "noisy" in ours:
        noise, steps = (ours["noisy"], ours["float64"]), (start, theirs["updates"], ours["updates64"])
        gradients_told_from_bugs(given, stages["backward"], *steps, noise, limits)
        norms_told_from_bugs(given, theirs["updates"], ours["updates64"], noise, limits)
    stages["training"] = given
    for held, side, name in zip(traces, (ours, theirs, ours), chosen, strict=True):
        held["training"] = side[name]


def make_report(
    pair: str, compared: Compared, reference: Path, port: Path, seconds: dict[str, float]
) -> dict[str, object]:
    """report.json of a pair."""
    backends = {name: Trace(folder).about for name, folder in
                (("reference", reference / "reference"), ("port", port / "forced"))}  # fmt: skip
    stages = {name: stage.summary(lambda row: row.ratio) for name, stage in compared.stages.items()}
    for name in compared.stages.keys() - compared.judged.keys():
        stages[name]["verdict"] = "not compared"
    causes = [cause.as_dict() for cause in compared.causes]
    left_out = part.left_out(compared.selection, compared.stages, ALL_STAGES)
    return {
        "schema": SCHEMA,
        "verdict": "pass" if compared.passed else "fail",
        "model": pair or str(backends["reference"]["pair"]),
        "environment": {
            name: {**about["backend"], **about["environment"], "dtype": about.get("dtype", "float32")}
            for name, about in backends.items()
        },
        "selection": left_out,
        "coverage": coverage_of(compared.stages),
        "stages": stages,
        "root_causes": causes,
        "decisions": [{"stage": name, **count} for name, stage in stages.items() for count in stage["decisions"]],
        "notes": compared.notes,
        "kernel_gaps": compared.kernel_gaps,
        "first_divergence": causes[0] if causes else None,
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def coverage_of(stages: dict[str, Stage]) -> dict[str, object]:
    """All stages together, and each by its name."""
    each = {name: stage_coverage(stage) for name, stage in stages.items()}
    skipped = [{"stage": name, **entry} for name, covered in each.items() for entry in covered["skipped"]]
    totals = {key: sum(covered[key] for covered in each.values()) for key in ("sites_total", "sites_compared")}
    return {**totals, "skipped": skipped, "stages": each}
