"""The traces of a pair stage by stage: weights, forward and backward fed with the reference's values, accumulated, training."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from port.parity.compare import Stage, module_of, surrounding
from port.parity.decisions import DecisionCount
from port.parity.measure import EXTRA, Row, mismatch, rms
from port.parity.pair_decisions import Sources, judge_choices
from port.parity.ratio import judge_row
from port.parity.recorder import GRADIENT
from port.parity.tolerance import Tolerances
from port.parity.trace import Site, Trace
from port.weights import tensors_file
from port.weights.layer_rules import REFERENCE_ONLY

AT_CHOSEN_STEPS = frozenset({"loss", "gradient", "grad_norm"})
NETWORK = ""  # blamed for what lies between its modules, for its output and for the loss


def blame(site: str, called: frozenset[str], owners: Mapping[str, str] | None = None) -> str:
    """The module at fault when a site is wrong though everything that it was computed from is right.

    owners  of named values: the module that makes them
    """
    if site.startswith("step."):
        return site.partition("/")[2].partition("@")[0].rpartition(".")[0]
    if site.startswith("parameters/"):
        return site.removeprefix("parameters/").removesuffix(GRADIENT).rpartition(".")[0]
    if site.startswith("end/"):
        return NETWORK
    name = site.partition("/")[2].partition("#")[0]
    if (owner := (owners or {}).get(site.removesuffix(GRADIENT))) is not None:
        return owner
    if not site.endswith(GRADIENT):
        if ":in" in name:
            return surrounding(name.partition(":in")[0], called)
        return name.partition(":out")[0] if ":out" in name else module_of(site, called, {})
    module, _, port = name.removesuffix(GRADIENT).partition(":")
    return module if port.startswith("in") else surrounding(module, called)


def owners_of_values(reference: Trace) -> dict[str, str]:
    """The module that is running when a named value is shown; the network itself where none is. site -> module"""
    running: list[str] = []
    owners = {}
    for name, site in reference.sites.items():
        if site.kind == "gradient" or name.startswith(("step.", "parameters/", "end/")):
            continue
        module, _, place = name.partition("/")[2].partition("#")[0].partition(":")
        if not place:
            owners[name] = running[-1] if running else NETWORK
        elif place.startswith("out"):
            running = running[: running.index(module)] if module in running else running
        elif module not in running[-1:]:
            running = [*(running[: running.index(module)] if module in running else running), module]
    return owners


def called_modules(reference: Trace) -> frozenset[str]:
    """Modules that were called in a run, lists of modules left out."""
    return frozenset(name.partition("/")[2].partition(":")[0] for name in reference.sites if ":" in name)


def compare_weights(reference: Path, port: Path) -> Stage:
    """What the two networks hold before they run, bit for bit."""
    stage = Stage("weights", "bit-equal")
    held, other = (tensors_file.load(folder / "weights.safetensors").tensors for folder in (reference, port))
    for i, (name, array) in enumerate(held.items()):
        if name not in other and name.rpartition(".")[2] in REFERENCE_ONLY:
            stage.skipped.append((name, REFERENCE_ONLY[name.rpartition(".")[2]]))
            continue
        row = Row(i, name, "parameter", name.rpartition(".")[0])
        stage.rows.append(row)
        row.reason = weight_difference(array, other.get(name))
        row.identical = row.reason is None
    for name in other.keys() - held.keys():
        stage.rows.append(Row(len(held), name, "parameter", name.rpartition(".")[0], reason=EXTRA))
    return stage


def weight_difference(a: np.ndarray, b: np.ndarray | None) -> str | None:
    """In words, None where two tensors are the same bytes (but for the axis that Conv1d adds)."""
    if b is None:
        return "missing in the port"
    if a.size != b.size or [n for n in a.shape if n > 1] != [n for n in b.shape if n > 1]:
        return f"shape {list(b.shape)} in the port, {list(a.shape)} in the reference"
    if a.tobytes() == b.tobytes():
        return None
    largest = np.abs(a.astype(np.float64).reshape(-1) - b.reshape(-1)).max()
    return f"differs by up to {largest:.3g} at an rms of {rms(a):.3g}"


def compare_sites(
    name: str, reference: Trace, port: Trace, truth: Trace, limits: Tolerances, ignore: Mapping[str, str] | None = None,
    wanted: Callable[[Site], bool] = lambda site: True, scale: Callable[[str], float] = lambda site: 0.0,
    sources: Sources | None = None, same_values: bool = False,
) -> Stage:  # fmt: skip
    """Every wanted site of the reference against the port, and what only the port has.

    sources      what discrete choices were made from
    same_values  the port was fed with the reference's values, so its choices must be equal
    """
    sources = sources or Sources(reference)
    stage = Stage(name, f"rms error against float64 <= {limits.ratio_rms:g} x the reference's own")
    stage.broke_off = port.about.get("error")
    called, owners = called_modules(reference), {**owners_of_values(port), **owners_of_values(reference)}
    for order, site in enumerate(both_sides(reference, port, wanted)):
        row = Row(float(order), site.name, site.kind, blame(site.name, called, owners))
        if why := ignored(site.name, ignore or {}) or counter(site, port):
            stage.skipped.append((site.name, why))
        elif harmless(site, reference, port):
            stage.skipped.append((site.name, "no gradient on one side, zero on the other: the same"))
        else:
            stage.rows.append(row)
            if site.name not in reference.sites:
                row.reason = EXTRA
            elif site.kind != "decision":
                judge_row(row, reference, port, truth, limits, scale(site.name))
            elif (other := mismatch(site, port.sites.get(site.name))) is not None:
                row.reason = other
            else:
                count = stage.decisions.setdefault(plain(site.name), DecisionCount(plain(site.name)))
                judge_choices(row, reference, port, truth, limits, sources, count, same_values)
    return stage


def plain(site: str) -> str:
    """`best:out` of `forward/best:out#3`."""
    return site.partition("/")[2].partition("#")[0]


def both_sides(reference: Trace, port: Trace, wanted: Callable[[Site], bool]) -> Iterator[Site]:
    """Sites in the reference's order, then those that only the port has."""
    yield from (site for site in reference.sites.values() if wanted(site))
    yield from (site for name, site in port.sites.items() if name not in reference.sites and wanted(site))


def ignored(site: str, ignore: Mapping[str, str]) -> str | None:
    """The reason why a site is not to be compared: it belongs to a module the pair names in IGNORE."""
    module = site.partition("/")[2].partition(":")[0]
    return next((why for name, why in ignore.items() if module == name or module.startswith(f"{name}.")), None)


def counter(site: Site, port: Trace) -> str | None:
    """Why the port has no such buffer and needs none."""
    last = site.name.partition("@")[0].rpartition(".")[2]
    return REFERENCE_ONLY.get(last) if site.name.startswith("step.") and site.name not in port.sites else None


def harmless(site: Site, reference: Trace, port: Trace) -> bool:
    """A gradient that one side does not have and the other has as zeros: PyTorch's None is MindSpore's zero."""
    missing = site.name not in port.sites or site.name not in reference.sites
    return missing and site.kind == "gradient" and site.lowest == site.highest == 0 and not site.nonfinite


def find_cuts(reference: Trace, port: Trace) -> list[tuple[str, str]]:
    """Where the port, and only the port, lets no gradient pass: (site, module to blame) in the order of execution.

    The first such value, and every module's output that lost its gradient though an input of the module has it.
    """
    lost = set(port.about.get("ungraded", ())) - set(reference.about.get("ungraded", ()))
    called, owners, cuts = called_modules(reference), owners_of_values(reference), []
    for site in (name for name in port.sites if name in lost):
        base, _, nth = site.partition("#")
        module, _, place = base.partition(":")
        kept = place.startswith("out") and any(
            f"{module}:in{i}{'#' * bool(nth)}{nth}" in port.sites.keys() - lost for i in range(4)
        )
        if not cuts or kept:
            cuts.append((site, blame(site, called, owners)))
    return cuts


def is_backward(site: Site) -> bool:
    return site.kind == "gradient"


def is_forward(site: Site) -> bool:
    return site.kind != "gradient"


def compare_updates(
    name: str, reference: Trace, port: Trace, truth: Trace, limits: Tolerances, kinds: set[str], start: Trace,
    given: bool = True,
) -> Stage:  # fmt: skip
    """Optimiser steps; an update is judged with the rounding of the parameter it moves allowed for.

    start  the reference's own run, which holds the parameters before every step
    given  whether these are runs along the reference's gradients
    """

    def scale(site: str) -> float:
        before = start.sites.get(site.replace("@update", "@parameter"))
        return before.rms if before and site.endswith("@update") else 0.0

    chosen = truth.about.get("gradients_at")

    def left_out(site: Site) -> bool:
        """Gradients of a step in which the pair does not have them computed again."""
        step = int(site.name.partition("/")[0].removeprefix("step."))
        return chosen is not None and site.kind in AT_CHOSEN_STEPS and step not in chosen

    wanted = lambda site: site.kind in kinds and not (given and left_out(site))  # noqa: E731
    stage = compare_sites(name, reference, port, truth, limits, wanted=wanted, scale=scale)
    if given:
        why = f"loss and gradients are computed again at steps {chosen} only (GRADIENTS_AT)"
        stage.skipped += [(site.name, why) for site in reference.sites.values() if site.kind in kinds and left_out(site)]
    return stage
