"""All stages of a pair's comparison: on right inputs, along the network, in training, compiled and left alone."""

from functools import partial
from pathlib import Path

from port.parity.amplified import (
    gradients_told_from_bugs,
    norms_told_from_bugs,
    series_told_from_bugs,
    told_from_bugs,
)
from port.parity.compare import Stage
from port.parity.kernel_gaps import as_the_kernel, gaps_of, judge_gaps, reached_by_gaps
from port.parity.modes import COMPILED, FREE, add_modes
from port.parity.pair_capture import Types
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

ACCUMULATED = "accumulated"  # judged along the whole network: says that something is wrong, not where
ALL_STAGES = ("weights", "forward", "backward", ACCUMULATED, "training", f"{ACCUMULATED} training", FREE, COMPILED)


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
            "forward",
            first,
            forced,
            exact,
            limits,
            ignore,
            is_forward,
            sources=Sources(first, declared),
            same_values=True,
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
        notes.append(
            f"training: not compared, the networks ran in {types.reference} (reference) and {types.port} (port)"
        )
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
        series_told_from_bugs(stages[f"{ACCUMULATED} training"], start, theirs["training"], ours["training64"], limits)


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
