"""Verify a pair: capture both halves in processes of their own, compare all stages, name the root causes."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from port.errors import COULD_NOT_RUN, PortError
from port.parity import selection as part
from port.parity import tolerance
from port.parity.causes import Cause, explain, find_causes, of_the_optimizer
from port.parity.compare import Stage
from port.parity.pair_compare import (
    compare_sites,
    compare_updates,
    compare_weights,
    find_cuts,
    is_backward,
    is_forward,
    told_from_bugs,
)
from port.parity.selection import EVERYTHING, Selection
from port.parity.trace import Trace
from port.weights import tensors_file

ROOT = Path(__file__).resolve().parents[2]
REFERENCE_PASSES = (
    "reference",
    "float64",
    "forced64",
    "noisy",
    "training",
    "training64",
    "updates64",
    "tiny",
    "tiny64",
)
PORT_PASSES = ("imposed", "forced", "training", "updates", "tiny")
SIDES = {"torch": ("torch_ref", REFERENCE_PASSES), "ms": ("ms_model", PORT_PASSES)}
SCHEMA = 2
ALL_STAGES = ("weights", "forward", "backward", "accumulated", "training", "accumulated training")
ACCUMULATED = "accumulated"  # judged along the whole network: says that something is wrong, not where


@dataclass
class Compared:
    """All stages of one verification and what follows from them."""

    stages: dict[str, Stage]
    causes: list[Cause]
    notes: list[str] = field(default_factory=list)
    selection: Selection = EVERYTHING

    @property
    def judged(self) -> dict[str, Stage]:
        """The stages that the verdict rests on."""
        return part.judged(self.selection, self.stages)

    @property
    def passed(self) -> bool:
        return bool(self.judged) and not self.causes and all(stage.passed for stage in self.judged.values())


def capture_side(
    side: str, pair: Path, out: Path, reference: Path, weights: Path | None = None, quiet: bool = False,
    selection: Selection = EVERYTHING,
) -> None:  # fmt: skip
    """Run one half in a process of its own. Raises PortError where it could not run at all.

    side       "torch" or "ms"
    reference  folder of the reference's traces; those of the torch side are put there themselves
    weights    of the torch side; the port takes those that the reference left in its traces
    selection  of the passes only those are run that it needs
    """
    package, passes = SIDES[side]
    if side == "ms":
        weights = reference / "reference" / "weights.safetensors"
    for name in passes:  # an old trace must never be taken for a new one
        shutil.rmtree(out / name, ignore_errors=True)
    command = [sys.executable, "-m", f"{package}.capture_pair", str(pair), "--out", str(out)]
    command += ["--passes", ",".join(selection.passes(side, passes)), "--reference", str(reference)]
    command += ["--weights", str(weights)] if weights else []
    run(command + ["--quiet"] * quiet)


def run(command: Sequence[str]) -> None:
    """Start a process; a run that broke off (3, with traces written) is for the comparison to report."""
    done = subprocess.run(command, stdout=subprocess.DEVNULL, env=surroundings())
    out = Path(command[command.index("--out") + 1])
    broke_off = done.returncode == COULD_NOT_RUN or done.returncode < 0  # negative: killed by a signal, in a kernel
    if done.returncode and not (broke_off and any(out.glob("*/trace.json"))):
        raise PortError(f"{command[2]} ended with exit code {done.returncode}; its message stands above.")


def surroundings() -> dict[str, str]:
    """The environment of a capture: it finds the columns wherever it is started, and idle threads do not spin."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {"OMP_WAIT_POLICY": "passive", **os.environ, "PYTHONPATH": path}


def compare_folders(
    reference: Path, port: Path, own_training: bool = True, selection: Selection = EVERYTHING
) -> Compared:
    """Compare the traces of two sides, made here or elsewhere. Needs no framework.

    own_training  False: the port was only trained along the reference's gradients, never left to itself
    selection     what of it is judged
    """
    limits = tolerance.load()
    for folder in (reference, port):
        if not folder.is_dir():
            raise PortError(f"there is no folder {folder}. Name the two folders that `port capture` wrote.")
    ours = {path.parent.name: Trace(path.parent) for path in reference.glob("*/trace.json")}
    theirs = {path.parent.name: Trace(path.parent) for path in port.glob("*/trace.json")}
    for name in selection.passes("torch", ("reference", "float64", "forced64")):
        if name not in ours:
            raise PortError(f"{reference} holds no trace of the pass {name!r}. Capture the reference again.")
        if ours[name].about["error"]:
            raise PortError(f"the reference did not run through ({name}): {ours[name].about['error']}.")
    if missing := [name for name in selection.passes("ms", ("forced", "imposed")) if name not in theirs]:
        raise PortError(f"{port} holds no trace of the pass {missing[0]!r}. Capture the port again.")
    part.check_names(selection, ours["reference"])
    stages, traces = compare_stages(ours, theirs, limits, reference, port, own_training, selection)
    stages = part.apply(selection, stages, ours["reference"], theirs["forced"])
    causes = find_causes({name: stage for name, stage in stages.items() if not name.startswith(ACCUMULATED)})
    weights = tuple(
        tensors_file.load(folder / "weights.safetensors").tensors
        for folder in (reference / "reference", port / "forced")
    )
    for cause in causes:
        explain(cause, *traces, weights)
    return Compared(stages, of_the_optimizer(causes), selection=selection)


def compare_stages(
    ours, theirs, limits, reference: Path, port: Path, own_training: bool, selection: Selection = EVERYTHING
):
    """-> stages by name, and the traces (reference, port, truth) that each of the judged-on-right-inputs stages compared"""
    first, forced, exact = ours["reference"], theirs["forced"], ours.get("forced64")
    ignore = {**first.about["ignore"], **forced.about["ignore"]}
    stages = {"weights": compare_weights(reference / "reference", port / "forced")}
    traces = ({"forward": first, "backward": first}, {"forward": forced, "backward": forced},
              {"forward": exact, "backward": exact})  # fmt: skip
    if exact:
        stages["forward"] = compare_sites("forward", first, forced, exact, limits, ignore, is_forward)
        stages["backward"] = compare_sites("backward", first, forced, exact, limits, ignore, is_backward)
        stages["backward"].cuts = find_cuts(first, forced)
    if selection.wants(ACCUMULATED):
        imposed, free64 = theirs["imposed"], ours["float64"]
        stages[ACCUMULATED] = compare_sites(ACCUMULATED, first, imposed, free64, limits, ignore)
        if "noisy" in ours:
            told_from_bugs(stages[ACCUMULATED], stages, imposed, free64, ours["noisy"], first, limits)
    if "training" in ours:
        add_training(stages, traces, ours, theirs, limits, own_training, selection)
    return stages, traces


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
        stages[f"{ACCUMULATED} training"] = compare_updates(
            "accumulated training", ours["training"], theirs["training"], ours["training64"], limits, {"loss", "lr"},
            ours["training"],
        )  # fmt: skip


def add_fed_training(stages, traces, ours, theirs, limits) -> None:
    """Steps from the reference's parameters along its gradients, and, where those are right, along tiny ones."""
    start = ours["training"]
    kinds = {"loss", "gradient", "lr", "update", "buffer"}
    given = compare_updates("training", start, theirs["updates"], ours["updates64"], limits, kinds, start)
    tiny = compare_updates("tiny gradients", ours["tiny"], theirs["tiny"], ours["tiny64"], limits, {"update"}, start)
    chosen = ("training", "updates", "updates64")
    if tiny.failing and not given.failing:
        given.rows += tiny.rows
        chosen = ("tiny", "tiny", "tiny64")
    given.broke_off = given.broke_off or tiny.broke_off
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
        "environment": {name: {**about["backend"], **about["environment"]} for name, about in backends.items()},
        "selection": left_out,
        "coverage": coverage_of(compared.stages),
        "stages": stages,
        "root_causes": causes,
        "decisions": [count for stage in stages.values() for count in stage["decisions"]],
        "first_divergence": causes[0] if causes else None,
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def coverage_of(stages: dict[str, Stage]) -> dict[str, object]:
    """All stages together, and each by its name."""
    each = {name: coverage(stage) for name, stage in stages.items()}
    skipped = [{"stage": name, **entry} for name, covered in each.items() for entry in covered["skipped"]]
    totals = {key: sum(covered[key] for covered in each.values()) for key in ("sites_total", "sites_compared")}
    return {**totals, "skipped": skipped, "stages": each}


def coverage(stage: Stage) -> dict[str, object]:
    """How many sites were compared, and everything that was not, by reason."""
    reasons: dict[str, list[str]] = {}
    for site, why in stage.skipped:
        reasons.setdefault(why, []).append(site)
    compared = sum(row.max_abs is not None or row.identical for row in stage.rows)
    return {
        "sites_total": len(stage.rows) + len(stage.skipped),
        "sites_compared": compared,
        "skipped": [{"reason": why, "count": len(sites), "sites": sites[:50]} for why, sites in reasons.items()],
    }
