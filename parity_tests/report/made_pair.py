"""Comparisons of small made-up pairs, put together with the engine's own classes: what `verify --pair` hands to the report."""

import json

import numpy as np

from port.diagnose.evidence import Evidence, Finding
from port.parity.causes import Cause
from port.parity.compare import Stage
from port.parity.measure import Row
from port.parity.pair_verify import Compared, coverage_of

MODULES = ("conv", "body.0.act", "body.0.norm", "body.1.act", "body.1.norm", "head")
CALLS = 2  # of every module but the head
WRONG = "body.1.act"  # the module with the mistake
SLOPE = "negative values are multiplied by 0.2, in the reference by 0.1"
BACKEND = {"python": "3.11.7", "platform": "Linux", "processor": "some"}


def sites_of(modules=MODULES):
    """(site, module) of a forward pass, call by call."""
    for call in range(CALLS):
        for module in modules:
            if module != "head" or not call:
                nth = f"#{call}" if call else ""
                yield f"forward/{module}:in0{nth}", module
                yield f"forward/{module}:out{nth}", module


def made_stages(wrong: str | None = WRONG, modules=MODULES, note: str | None = None) -> dict[str, Stage]:
    """Five stages. wrong: the module whose outputs err; it shows in all later sites of the accumulated run"""
    weights = Stage("weights", "bit-equal", rows=[
        Row(i, f"{name}.weight", "parameter", name, identical=True) for i, name in enumerate(modules)])  # fmt: skip
    weights.skipped.append(("body.0.norm.num_batches_tracked", "a counter without meaning"))
    forward, backward, along = (Stage(name, "rms error <= 8") for name in ("forward", "backward", "accumulated"))
    training = Stage("training", "rms error <= 8")
    reached = False
    for i, (site, module) in enumerate(sites_of(modules)):
        bad = module == wrong and ":out" in site
        reached = reached or bad
        forward.rows.append(made_row(i, site, "output", module, bad))
        backward.rows.append(made_row(i, f"{site}@grad", "gradient", module, False))
        along.rows.append(made_row(i, site, "output", module, reached))
    along.rows[0].note = note
    forward.rows.append(Row(len(forward.rows), "end/loss", "loss", "", 0.0, 0.0, 0.0, True))
    for step in range(3):
        for module in modules:
            training.rows.append(made_row(step, f"step.{step:02d}/{module}.weight@update", "update", module, False))
    stages = (weights, forward, backward, along, training)
    return {stage.name: stage for stage in stages}


def made_row(order, site, kind, module, bad) -> Row:
    if bad:
        return Row(
            order, site, kind, module, 0.25, 0.5, 2e5, False, "errs 2e+05 times as much as the reference, limit 8"
        )
    return Row(order, site, kind, module, 1e-7, 2e-7, 0.25 + order / 1000)


def made_arrays() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A value (2, 3, 8, 8) in float64, in the reference and in the port; the port errs most at [1, 2, 3, 5]."""
    truth = np.random.default_rng(4).standard_normal((2, 3, 8, 8))
    truth[1, 2, 3, 5] = -4.0
    reference = truth.astype(np.float32)
    port = np.where(reference < 0, reference * np.float32(2), reference)
    return truth, reference, port


def made_cause(stages, wrong=WRONG) -> Cause:
    """The root cause, with its arrays and a finding."""
    truth, reference, port = made_arrays()
    rows = [row for row in stages["forward"].rows if row.reason]
    evidence = Evidence(
        "forward", "output", rows[0].site, wrong, "LeakyReLU", "", reference=reference, port=port, truth=truth
    )
    finding = Finding("slope", SLOPE, "nn.LeakyReLU(alpha=0.1): MindSpore's default is 0.2.", 0.99)
    return Cause(wrong, "forward", rows, ["backward"], [finding], evidence)


def made_pair(
    wrong: str | None = WRONG, modules=MODULES, note: str | None = None, model: str = "made"
) -> tuple[dict, Compared]:
    """(report.json's content, what was compared)"""
    stages = made_stages(wrong, modules, note)
    return report_of(Compared(stages, [made_cause(stages, wrong)] if wrong else []), model)


def report_of(compared: Compared, model: str = "made") -> tuple[dict, Compared]:
    """The report of a comparison, through JSON as the real one."""
    causes = [cause.as_dict() for cause in compared.causes]
    stages = {name: stage.summary(lambda row: row.ratio) for name, stage in compared.stages.items()}
    reference = {"framework": "torch", "version": "2.13.0", "device": "cpu", **BACKEND}
    port = {"framework": "mindspore", "version": "2.10.0", "device": "CPU", **BACKEND}
    port["command"] = "/x/ms_model/capture_pair.py p.py"
    report = {
        "schema": 2,
        "verdict": "pass" if compared.passed else "fail",
        "model": model,
        "environment": {"reference": reference, "port": port},
        "coverage": coverage_of(compared.stages),
        "stages": stages,
        "root_causes": causes,
        "decisions": [count for stage in stages.values() for count in stage["decisions"]],
        "first_divergence": causes[0] if causes else None,
        "seconds": {"torch": 3.5, "ms": 4.5},
        "created": "2026-01-02T03:04:05Z",
        "command": "python -m port verify --pair made.py --report reports/made",
    }
    return json.loads(json.dumps(report)), compared
