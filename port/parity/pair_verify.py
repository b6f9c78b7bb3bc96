"""What two folders of traces of a pair come to: all stages compared, the root causes named, the report."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from port.errors import PortError
from port.parity import selection as part
from port.parity import tolerance
from port.parity.causes import Cause, explain, find_causes, of_the_optimizer
from port.parity.compare import Stage, stage_coverage
from port.parity.compiled_causes import compiled_causes, compiled_differs
from port.parity.kernel_gaps import name_gaps
from port.parity.modes import COMPILED
from port.parity.pair_stages import ACCUMULATED, ALL_STAGES, compare_stages
from port.parity.selection import EVERYTHING, Selection
from port.parity.trace import Trace
from port.weights import tensors_file

SCHEMA = 2


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
