"""The port left to itself: its own choices (stage "free decisions"), and compiled (stage "compiled")."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from port.parity.amplified import told_from_bugs
from port.parity.compare import Stage
from port.parity.measure import Row, rms
from port.parity.pair_compare import compare_sites
from port.parity.pair_decisions import Sources
from port.parity.ratio import error_ratios
from port.parity.recorder import GRADIENT
from port.parity.tolerance import Tolerances
from port.parity.trace import Site, Trace

FREE, COMPILED = "free decisions", "compiled"


def add_modes(stages: dict[str, Stage], ours: Mapping[str, Trace], theirs: Mapping[str, Trace], limits: Tolerances,
              of_kernel: Callable[[str], np.ndarray | None] = lambda site: None) -> list[str]:  # fmt: skip
    """Judge both. A pass that the port should have left and did not fails its stage. -> notes for the report

    stages        those judged already; the new ones are added
    ours, theirs  traces by pass
    of_kernel     what a kernel that is known to err adds at a site
    """
    first, notes = ours["reference"], []
    sources = Sources(first, first.about.get("decisions"))
    if any(site.kind == "decision" for site in first.sites.values()):
        stages[FREE] = compare_free(first, theirs.get("free"), ours["float64"], limits, sources)
    if reason := theirs["forced"].about.get("not_compiled"):
        return [*notes, f"compiled: the port was not compiled: {reason}"]
    compiled = theirs.get("compiled")
    if compiled is None:
        stages[COMPILED] = absent(COMPILED, "compiled")
        return notes
    ignore = {**first.about["ignore"], **theirs["forced"].about["ignore"]}
    judge = partial(compare_sites, COMPILED, limits=limits, ignore=ignore, wanted=seen_from_outside, sources=sources)
    free = stages.get(FREE)
    parted = [row.site for row in free.rows if not row.identical] if free else []
    eager = theirs["free"] if parted else theirs["imposed"]
    if parted:
        notes.append(
            f"compiled: judged against the eager run, for left to itself the port chooses otherwise at {parted[0]}"
        )
        stages[COMPILED] = stage = judge(eager, compiled, eager)
        as_the_reference_errs(stage, ours, compiled, eager, limits)
    else:
        stages[COMPILED] = stage = judge(first, compiled, ours["float64"])
        if "noisy" in ours:
            told_from_bugs(stage, stages, compiled, ours["float64"], ours["noisy"], first, limits, of_kernel)
    stage.broke_off = stage.broke_off or not_proved(compiled.about.get("compiled"))
    return [*notes, beside_eager(stage, compiled, eager)]


def as_the_reference_errs(
    stage: Stage, ours: Mapping[str, Trace], compiled: Trace, eager: Trace, limits: Tolerances
) -> None:
    """Judge anew what is not as near to the eager run as to be exact: it may be as far from it as anything from the truth.

    What anything may be apart follows from the reference's own error along the reference's choices.
    """
    for row in stage.failing:
        first, truth = (
            ours[name].whole(row.site) if row.site in ours[name].sites else None for name in ("reference", "float64")
        )
        if row.ratio is None or first is None or truth is None:
            continue
        exact, own = eager.whole(row.site).astype(np.float64), first - truth
        row.ratio, largest = error_ratios(exact + own, compiled.whole(row.site), exact, limits)
        if row.ratio <= limits.ratio_rms and largest <= limits.ratio_largest:
            row.reason = None


def seen_from_outside(site: Site) -> bool:
    """Output, loss and the gradients of parameters: what there is of a run without hooks."""
    inner = site.name.startswith("end/") and not site.name.endswith(GRADIENT)
    return inner or site.name.startswith("parameters/")


def absent(stage: str, name: str) -> Stage:
    """A stage that failed because there is nothing to be judged."""
    return Stage(stage, "complete", broke_off=f"the port left no trace of the pass {name!r}; capture it again")


def not_proved(counts: Mapping | None) -> str | None:
    """Why a run does not count as compiled, None where it does: no `construct` ran in Python, though it does without."""
    if not counts or not counts.get("eager"):
        return (
            "there is no proof that anything was compiled: no call of construct was counted without compilation either"
        )
    if counts["compiled"]:
        return f"construct ran in Python {counts['compiled']} times: this was no compiled run (is MS_JIT=0 set?)"
    return None


def beside_eager(stage: Stage, compiled: Trace, eager: Trace) -> str:
    """In words: how far compiled and eager run of the port are apart. Reported, never a verdict."""
    both = [row.site for row in stage.rows if row.site in compiled.sites and row.site in eager.sites]
    same = [site for site in both if compiled.sites[site].hash == eager.sites[site].hash]
    apart = [distance(compiled.whole(site), eager.whole(site)) for site in both if site not in same]
    words = f"compiled: {len(same)} of {len(both)} values bit-equal to the eager run's"
    known = [value for value in apart if value is not None]
    return f"{words}, the others within {max(known):.2g} x rms" if known else words


def distance(a, b) -> float | None:
    """Largest difference over rms; None where the two cannot be subtracted."""
    if a is None or b is None or a.shape != b.shape or not rms(b):
        return None
    return float(abs(a.astype("float64") - b).max() / rms(b))


def compare_free(reference: Trace, free: Trace | None, truth: Trace, limits: Tolerances, sources: Sources) -> Stage:
    """The choices of a run in which the port follows its own.

    Up to the first that is excused they are judged as everywhere. What comes later was computed from another choice than the
    reference's, so its margins say nothing: it is counted only, and judged where the reference's choices are imposed.
    """
    if free is None:
        return absent(FREE, "free")
    stage = compare_sites(FREE, reference, free, truth, limits, wanted=is_choice, sources=sources)
    parted: Row | None = None
    for row in sorted(stage.rows, key=lambda row: row.order):
        if parted and not row.identical and row.max_abs is not None:
            row.note, row.reason = f"counted only: it follows {parted.site}, which was chosen otherwise", None
        elif row.note:
            parted = parted or row
    return stage


def is_choice(site: Site) -> bool:
    return site.kind == "decision"
